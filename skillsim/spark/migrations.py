"""Tables of earlier schema versions, brought up to today's: under the lease, before anything else is written.

A table's own version is set last, and each change before it can be made twice: whatever a killed migration left is
finished by the next.
"""

import json
import logging
import re

from pyspark.sql import functions as F

from skillsim.schemas import (
    LINKS,
    MATCHES,
    MENTIONS,
    NORMALISED_SKILLS,
    OVERRIDES,
    PAIRS,
    RUNS,
    SCHEMA_VERSION,
    TEXTS,
    Table,
)
from skillsim.spark.sql import properties, property_list, spark_schema, statistics
from skillsim.spark.tables import Tables

log = logging.getLogger(__name__)

_CHECKPOINTS = "delta.checkpointInterval"
_LOG_FILE = re.compile(r"\.?(\d{20})\.")  # a commit, a checkpoint or a checksum, or Hadoop's checksum of one


def migrate(tables: Tables) -> None:
    """Those that were outdated when `tables` was opened. No model runs; the version of each is logged."""
    for table in tables.outdated:
        version = tables.schema_version(table)
        if version == SCHEMA_VERSION:  # another run did it meanwhile
            continue
        if version < 2:
            _to_2(tables, table)
        if version < 3:
            _to_3(tables, table)
        if version < 4 and table is RUNS:
            _add_column(tables, RUNS, "clusters_id", after="overrides_id")
        if version < 5 and table is OVERRIDES:
            _add_column(tables, OVERRIDES, "representative", after="why")
        if version < 6 and table is PAIRS:
            _add_column(tables, PAIRS, "acronym_key", after="score")
        if version < 7 and table is MATCHES:
            _add_column(tables, MATCHES, "coverage", after="score")
            _add_column(tables, MATCHES, "profile", after="coverage")
            tables.replace(MATCHES, tables.read(MATCHES).limit(0), {})  # their scores are of another scale
        tables.alter(table, f"SET TBLPROPERTIES ({property_list(properties(table))})")
        log.info("%s: migrated from schema version %d to %d", table.name, version, SCHEMA_VERSION)


def _to_2(tables: Tables, table: Table) -> None:
    """Columns for what links and mentions were made by; what people wrote leaves Delta's log.

    Links whose candidates are unknown are decided again by the next run.
    """
    if table is LINKS:
        _add_column(tables, LINKS, "retrieval_id", after="text_key")
    elif table is MENTIONS:
        _add_column(tables, MENTIONS, "text_rules", after="record_hash")
    elif table is NORMALISED_SKILLS:
        _add_column(tables, NORMALISED_SKILLS, "text_key", after="text")
    if table not in (MENTIONS, TEXTS, NORMALISED_SKILLS):
        return
    tables.alter(table, f"SET TBLPROPERTIES ({property_list(statistics(table))})")
    rows = tables.read(table)
    if table is NORMALISED_SKILLS:
        rows = rows.withColumn("text_key", F.substring(F.sha2("text", 256), 1, 32))
    tables.replace(table, rows, {})  # the log then describes files without those statistics
    if not _drop_old_log(tables, table):
        log.warning(
            "%s: Delta's log before now holds some of its texts, and Delta removes it after delta.logRetentionDuration "
            "(30 days unless set). What is forgotten until then stays in it for so long.",
            table.name,
        )


def _to_3(tables: Tables, table: Table) -> None:
    """Columns for curators' decisions and for groups; links without them are decided again by the next run."""
    if table is LINKS:
        _add_column(tables, LINKS, "group_probability", after="group_label")
    if table in (LINKS, RUNS):
        _add_column(tables, table, "overrides_id", after="lexicon_id")


def _add_column(tables: Tables, table: Table, name: str, after: str) -> None:
    if name not in tables.read(table).columns:
        kind = spark_schema(table)[name].dataType.simpleString()
        tables.alter(table, f"ADD COLUMNS (`{name}` {kind} AFTER `{after}`)")


def _drop_old_log(tables: Tables, table: Table) -> bool:
    """Remove the log before a new checkpoint, as Delta's own clean-up does after its days; False where we cannot.

    The versions before it are lost, and with them what was written there.
    """
    if not tables.is_local:
        return False
    tables.alter(table, f"SET TBLPROPERTIES ('{_CHECKPOINTS}' = '1')")  # this very commit makes one
    folder = tables.log_folder(table)
    last = folder / "_last_checkpoint"  # written when a checkpoint is complete
    checkpoint = json.loads(last.read_text(encoding="utf-8"))["version"] if last.is_file() else -1
    complete = checkpoint > tables.version(table)
    if complete:
        for file in sorted(folder.iterdir()):  # oldest first, so that a kill leaves no gap
            numbered = _LOG_FILE.match(file.name)
            if numbered and int(numbered[1]) < checkpoint:
                file.unlink()
    tables.alter(table, f"UNSET TBLPROPERTIES IF EXISTS ('{_CHECKPOINTS}')")
    return complete
