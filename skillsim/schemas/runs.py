"""Tables of runs and of who may write."""

import pyarrow as pa

from skillsim.schemas.table import F64, STR, TIME, Table, schema

RUNS = Table(
    "runs",
    schema(
        ("run_id", STR),
        ("started_at", TIME),
        ("finished_at", TIME),
        ("outcome", STR),  # "succeeded" or "failed"
        ("error", STR),
        ("fingerprint", STR),  # hash of config, ids and versions
        ("source", STR),
        ("taxonomy_id", STR),
        ("model_id", STR),
        ("retrieval_id", STR),
        ("decider_id", STR),
        ("lexicon_id", STR),
        ("overrides_id", STR),
        ("clusters_id", STR),
        (
            "stages",
            pa.list_(
                pa.struct(
                    [
                        pa.field("stage", STR),
                        pa.field("rows_in", pa.int64()),
                        pa.field("rows_out", pa.int64()),
                        pa.field("seconds", F64),
                    ]
                )
            ),
        ),
        ("statuses", pa.map_(STR, pa.int64())),  # mentions by status, over the whole table
        ("table_versions", pa.map_(STR, pa.int64())),  # Delta versions when the run ended
        ("config", STR),  # JSON, without spark.conf, which may hold secrets
        ("versions", pa.map_(STR, STR)),  # library -> version
    ),
    key=("run_id",),
)

FORGOTTEN = Table(
    "forgotten",
    schema(
        ("id_hash", STR),  # of a record that was erased: it is not taken in again
        ("salt", STR),  # one a namespace
        ("forgotten_at", TIME),
    ),
    key=("id_hash",),
)

LEASES = Table(
    "leases",
    schema(
        ("name", STR),  # "writer", the one lease of a namespace
        ("run_id", STR),  # of its holder; null when it is free
        ("host", STR),
        ("heartbeat_at", TIME),
    ),
    key=("name",),
)
