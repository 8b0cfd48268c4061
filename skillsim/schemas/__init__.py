"""The contract: every table's name, key and columns.

Arrow schemas, so that the core, the tests and Spark read one definition (`skillsim.spark.tables` turns
them into Spark's). A change of a schema raises SCHEMA_VERSION and takes a step in `skillsim.spark.migrations`.
"""

from skillsim.schemas.clusters import (
    CLUSTER_HISTORY,
    CLUSTER_MEMBERS,
    CLUSTERS,
    DUPLICATES,
    MATCHES,
    NEAR_SKILL,
    PAIRS,
    SKILL_MAP,
    SPELLING,
)
from skillsim.schemas.runs import FORGOTTEN, LEASES, RUNS
from skillsim.schemas.skills import (
    ALTERNATIVE,
    CANDIDATE,
    CANDIDATES,
    EMBEDDINGS,
    LINK_CHANGES,
    LINKS,
    MENTIONS,
    NORMALISED_SKILLS,
    OVERRIDES,
    TEXTS,
)
from skillsim.schemas.table import Table
from skillsim.schemas.taxonomy import CONCEPTS, GROUPS, LABELS, OCCUPATIONS, RELATIONS

__all__ = [
    "ALTERNATIVE",
    "CANDIDATE",
    "CANDIDATES",
    "CLUSTERS",
    "CLUSTER_HISTORY",
    "CLUSTER_MEMBERS",
    "CONCEPTS",
    "DUPLICATES",
    "EMBEDDINGS",
    "FORGOTTEN",
    "GROUPS",
    "LABELS",
    "LEASES",
    "LINKS",
    "LINK_CHANGES",
    "MATCHES",
    "MENTIONS",
    "NEAR_SKILL",
    "NORMALISED_SKILLS",
    "OCCUPATIONS",
    "OLDEST_SCHEMA_VERSION",
    "OVERRIDES",
    "PAIRS",
    "RELATIONS",
    "RUNS",
    "SCHEMA_VERSION",
    "SKILL_MAP",
    "SPELLING",
    "TABLES",
    "TEXTS",
    "Table",
]

SCHEMA_VERSION = 7
OLDEST_SCHEMA_VERSION = 1  # that a run still migrates

TABLES = {
    table.name: table
    for table in (
        CONCEPTS,
        LABELS,
        GROUPS,
        RELATIONS,
        OCCUPATIONS,
        MENTIONS,
        TEXTS,
        EMBEDDINGS,
        CANDIDATES,
        LINKS,
        LINK_CHANGES,
        OVERRIDES,
        PAIRS,
        CLUSTER_MEMBERS,
        CLUSTER_HISTORY,
        CLUSTERS,
        DUPLICATES,
        NORMALISED_SKILLS,
        MATCHES,
        SKILL_MAP,
        RUNS,
        FORGOTTEN,
        LEASES,
    )
}
