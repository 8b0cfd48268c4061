"""The taxonomy to Delta, once a bundle."""

import logging

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.esco import Bundle, read_taxonomy
from skillsim.schemas import CONCEPTS, GROUPS, LABELS, OCCUPATIONS, RELATIONS, Table
from skillsim.spark.tables import Tables

log = logging.getLogger(__name__)


def store_taxonomy(spark: SparkSession, tables: Tables, bundle: Bundle) -> None:
    """Parse the bundle and write its five tables, unless they are there; concepts last, as the mark that all are."""
    if not taxonomy_rows(tables, CONCEPTS, bundle.taxonomy_id).isEmpty():
        return
    taxonomy = read_taxonomy(bundle)
    for note in taxonomy.notes:
        log.info("taxonomy: %s", note)
    content = {
        LABELS: taxonomy.labels,
        GROUPS: taxonomy.groups,
        RELATIONS: taxonomy.relations,
        OCCUPATIONS: taxonomy.occupations,
        CONCEPTS: taxonomy.concepts,
    }
    for table, rows in content.items():
        tables.replace(table, spark.createDataFrame(rows), {"taxonomy_id": bundle.taxonomy_id})


def taxonomy_rows(tables: Tables, table: Table, taxonomy_id: str) -> DataFrame:
    """One taxonomy's rows of a taxonomy table."""
    return tables.read(table).where(F.col("taxonomy_id") == taxonomy_id)
