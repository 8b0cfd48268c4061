"""Tables of a taxonomy as its bundle says, cleaned."""

import pyarrow as pa

from skillsim.schemas.table import INT, STR, Table, schema

CONCEPTS = Table(
    "taxonomy_concepts",
    schema(
        ("taxonomy_id", STR),
        ("language", STR),
        ("version", STR),
        ("concept_uri", STR),
        ("preferred_label", STR),
        ("description", STR),
        ("skill_type", STR),  # "skill/competence", "knowledge" or "" as the bundle says
        (
            "reuse_level",
            STR,
        ),  # "transversal", "cross-sector", "sector-specific", "occupation-specific" or ""
        ("group_uri", STR),  # the one group of the stated rule (skillsim.esco_hierarchy), null when in none
        ("group_label", STR),
        ("paths", pa.list_(pa.list_(STR))),  # every way up, URIs from the concept's parent to the root
    ),
    key=("taxonomy_id", "concept_uri"),
    partition_by=("taxonomy_id",),
)

LABELS = Table(
    "taxonomy_labels",
    schema(
        ("taxonomy_id", STR),
        ("text_key", STR),
        ("concept_uri", STR),
        ("kind", STR),  # "preferred", "alternative", "hidden"
        ("label", STR),  # as a person reads it
        ("text", STR),  # cleaned and case-folded: what is embedded and compared
    ),
    key=("taxonomy_id", "text_key", "concept_uri", "kind"),
    partition_by=("taxonomy_id",),
)

GROUPS = Table(
    "taxonomy_groups",
    schema(
        ("taxonomy_id", STR),
        ("group_uri", STR),
        ("label", STR),
        ("code", STR),
        ("description", STR),
        ("level", INT),  # 0 at the top; the shortest way up where there are several
        ("broader_uris", pa.list_(STR)),
    ),
    key=("taxonomy_id", "group_uri"),
    partition_by=("taxonomy_id",),
)

RELATIONS = Table(
    "taxonomy_relations",
    schema(
        ("taxonomy_id", STR),
        ("subject_uri", STR),
        ("predicate", STR),  # "broader", "essential", "optional"
        ("object_uri", STR),
    ),
    key=("taxonomy_id", "subject_uri", "predicate", "object_uri"),
    partition_by=("taxonomy_id",),
)

OCCUPATIONS = Table(
    "taxonomy_occupations",
    schema(
        ("taxonomy_id", STR),
        ("occupation_uri", STR),
        ("preferred_label", STR),
        ("labels", pa.list_(STR)),  # preferred first, then alternative and hidden, without duplicates
        ("isco_group", STR),
        ("description", STR),
    ),
    key=("taxonomy_id", "occupation_uri"),
    partition_by=("taxonomy_id",),
)
