"""The contract: every table's name, key and columns.

Arrow schemas, so that the core, the tests and Spark read one definition (`skillsim.spark.tables` turns
them into Spark's). A change of a schema raises SCHEMA_VERSION and takes a step in `skillsim.spark.migrations`.
"""

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = 6
OLDEST_SCHEMA_VERSION = 1  # that a run still migrates

_STR, _INT, _F64, _F32, _BOOL = pa.string(), pa.int32(), pa.float64(), pa.float32(), pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """One Delta table: its key columns identify a row; `partition_by` is its physical layout."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, dtype) for name, dtype in columns])


CONCEPTS = Table(
    "taxonomy_concepts",
    _schema(
        ("taxonomy_id", _STR),
        ("language", _STR),
        ("version", _STR),
        ("concept_uri", _STR),
        ("preferred_label", _STR),
        ("description", _STR),
        ("skill_type", _STR),  # "skill/competence", "knowledge" or "" as the bundle says
        (
            "reuse_level",
            _STR,
        ),  # "transversal", "cross-sector", "sector-specific", "occupation-specific" or ""
        ("group_uri", _STR),  # the one group of the stated rule (skillsim.esco_hierarchy), null when in none
        ("group_label", _STR),
        ("paths", pa.list_(pa.list_(_STR))),  # every way up, URIs from the concept's parent to the root
    ),
    key=("taxonomy_id", "concept_uri"),
    partition_by=("taxonomy_id",),
)

LABELS = Table(
    "taxonomy_labels",
    _schema(
        ("taxonomy_id", _STR),
        ("text_key", _STR),
        ("concept_uri", _STR),
        ("kind", _STR),  # "preferred", "alternative", "hidden"
        ("label", _STR),  # as a person reads it
        ("text", _STR),  # cleaned and case-folded: what is embedded and compared
    ),
    key=("taxonomy_id", "text_key", "concept_uri", "kind"),
    partition_by=("taxonomy_id",),
)

GROUPS = Table(
    "taxonomy_groups",
    _schema(
        ("taxonomy_id", _STR),
        ("group_uri", _STR),
        ("label", _STR),
        ("code", _STR),
        ("description", _STR),
        ("level", _INT),  # 0 at the top; the shortest way up where there are several
        ("broader_uris", pa.list_(_STR)),
    ),
    key=("taxonomy_id", "group_uri"),
    partition_by=("taxonomy_id",),
)

RELATIONS = Table(
    "taxonomy_relations",
    _schema(
        ("taxonomy_id", _STR),
        ("subject_uri", _STR),
        ("predicate", _STR),  # "broader", "essential", "optional"
        ("object_uri", _STR),
    ),
    key=("taxonomy_id", "subject_uri", "predicate", "object_uri"),
    partition_by=("taxonomy_id",),
)

OCCUPATIONS = Table(
    "taxonomy_occupations",
    _schema(
        ("taxonomy_id", _STR),
        ("occupation_uri", _STR),
        ("preferred_label", _STR),
        ("labels", pa.list_(_STR)),  # preferred first, then alternative and hidden, without duplicates
        ("isco_group", _STR),
        ("description", _STR),
    ),
    key=("taxonomy_id", "occupation_uri"),
    partition_by=("taxonomy_id",),
)

MENTIONS = Table(
    "mentions",
    _schema(
        ("source", _STR),
        ("record_id", _STR),
        ("position", _INT),
        ("raw", _STR),
        ("text", _STR),  # cleaned and case-folded; null when rejected
        ("text_key", _STR),
        ("proficiency", _STR),
        ("years", _F64),
        ("status", _STR),  # "kept" or "rejected"
        ("reason", _STR),
        ("record_hash", _STR),
        ("text_rules", _INT),  # TEXT_RULES_VERSION they were split by; null when that was not recorded yet
        ("run_id", _STR),
        ("ingested_at", _TIME),
    ),
    key=("source", "record_id", "position"),
)

TEXTS = Table("texts", _schema(("text_key", _STR), ("text", _STR)), key=("text_key",))

EMBEDDINGS = Table(
    "embeddings",
    _schema(
        ("model_id", _STR),
        ("text_key", _STR),
        ("vector", pa.binary()),  # little-endian float16, unit length; null when status is "failed"
        ("status", _STR),  # "embedded" or "failed"
        ("reason", _STR),
        ("attempts", _INT),
    ),
    key=("model_id", "text_key"),
    partition_by=("model_id",),
)

CANDIDATE = pa.struct(
    [
        pa.field("concept_uri", _STR),
        pa.field("label", _STR),  # the concept's label nearest to the text
        pa.field("cosine", _F32),  # best over the concept's labels
        pa.field("preferred_cosine", _F32),  # to its preferred label
        pa.field("ngram", _F32),  # character n-gram TF-IDF cosine, best over its labels; 0 beyond the view's top
        pa.field("exact", _STR),  # "preferred", "alternative", "hidden" when a label equals the text, else null
        pa.field("sharers", _INT),  # how many concepts hold that very label; 0 without an exact hit
        pa.field("occupations", _INT),  # how many occupations use the concept
    ]
)

CANDIDATES = Table(
    "candidates",
    _schema(
        ("taxonomy_id", _STR),
        ("model_id", _STR),
        ("retrieval_id", _STR),
        ("text_key", _STR),
        ("occupation_uri", _STR),  # an occupation that has the text as a label: a job title
        ("candidates", pa.list_(CANDIDATE)),
    ),
    key=("taxonomy_id", "model_id", "retrieval_id", "text_key"),
    partition_by=("model_id", "taxonomy_id"),
)

ALTERNATIVE = pa.struct([pa.field("concept_uri", _STR), pa.field("concept_label", _STR), pa.field("score", _F64)])

LINKS = Table(
    "links",
    _schema(
        ("taxonomy_id", _STR),
        ("model_id", _STR),
        ("text_key", _STR),
        ("retrieval_id", _STR),  # of the candidates decided on
        ("status", _STR),  # "matched", "ambiguous", "nil", "not_skill"
        ("reason", _STR),
        ("kind", _STR),  # "skill", "title", "junk", "multi"; null where nothing tells them apart
        ("kind_probability", _F64),
        ("concept_uri", _STR),  # set when matched
        ("concept_label", _STR),
        (
            "score",
            _F64,
        ),  # the decision's own score of the best candidate, 0..1, comparable within one decider
        ("probability", _F64),  # of being right; null unless calibrated
        ("calibrated", _BOOL),
        ("margin", _F64),  # score minus the runner-up's
        ("method", _STR),  # "override", "lexicon", "exact", "hybrid", "cluster"
        ("group_uri", _STR),  # the concept's; of an ambiguous text a group that is likely enough, though no concept is
        ("group_label", _STR),
        ("group_probability", _F64),  # that the right concept is in the group; null unless calibrated
        ("top", pa.list_(ALTERNATIVE)),  # best three
        ("decider_id", _STR),
        ("lexicon_id", _STR),
        ("overrides_id", _STR),
        ("run_id", _STR),
    ),
    key=("taxonomy_id", "model_id", "text_key"),
    partition_by=("model_id", "taxonomy_id"),
)

LINK_CHANGES = Table(
    "link_changes",
    _schema(
        ("since_run_id", _STR),  # the run whose links held until now
        ("run_id", _STR),  # the run that changed them: `runs` has the ids of both
        ("changed_at", _TIME),
        ("text_key", _STR),
        ("reason", _STR),  # skillsim.spark.link_changes explains it
        ("old_status", _STR),
        ("old_concept_uri", _STR),
        ("old_concept_label", _STR),
        ("old_score", _F64),
        ("old_method", _STR),
        ("new_status", _STR),
        ("new_concept_uri", _STR),
        ("new_concept_label", _STR),
        ("new_score", _F64),
        ("new_method", _STR),
    ),
    key=("since_run_id", "text_key"),
)

OVERRIDES = Table(
    "overrides",
    _schema(
        ("override_id", _STR),
        ("raw", _STR),  # the text's key is derived from it when it is read
        ("source", _STR),  # a feed's name; null for all feeds
        ("verdict", _STR),  # "concept", "nil", "not_skill"
        ("concept_uri", _STR),
        ("decided_by", _STR),
        ("decided_at", _TIME),
        ("why", _STR),
        ("representative", _STR),  # of the cluster for all of whose texts it was taken, if for one
        ("revoked_by", _STR),
        ("revoked_at", _TIME),
    ),
    key=("override_id",),
)

PAIRS = Table(
    "pairs",
    _schema(
        ("model_id", _STR),
        ("pairs_id", _STR),  # of the decision that scored it, and of how it was found
        ("left_key", _STR),
        ("right_key", _STR),  # the larger; equal to left_key in the row that says that this text has been compared
        ("cosine", _F32),
        ("score", _F32),  # how sure it is that both are one skill, 0..1
        ("acronym_key", _STR),  # which of both is the other's initials; null where neither is
    ),
    key=("model_id", "pairs_id", "left_key", "right_key"),
    partition_by=("model_id",),
)

CLUSTER_MEMBERS = Table(
    "cluster_members",
    _schema(
        ("text_key", _STR),
        ("cluster_id", _STR),
        ("leader_key", _STR),  # the most frequent text of the cluster
        ("score", _F32),  # of the pair of both; null for the leader
        ("run_id", _STR),
    ),
    key=("text_key",),
)

CLUSTER_HISTORY = Table(
    "cluster_history",
    _schema(
        ("since", _STR),  # the state of cluster_members that held until then
        ("event", _STR),  # "created", "split" (off other_id), "merged" (into other_id), "ended"
        ("cluster_id", _STR),
        ("other_id", _STR),
        ("run_id", _STR),
        ("changed_at", _TIME),
    ),
    key=("since", "cluster_id"),
)

SPELLING = pa.struct([pa.field("spelling", _STR), pa.field("mentions", pa.int64()), pa.field("records", pa.int64())])

CLUSTERS = Table(
    "clusters",
    _schema(
        ("cluster_id", _STR),
        ("representative", _STR),  # as people write it most often
        ("leader_key", _STR),
        ("texts", pa.int64()),
        ("mentions", pa.int64()),
        ("records", pa.int64()),
        ("mentions_before", pa.int64()),  # when mentions last changed; null for a cluster that was not there yet
        ("spellings", pa.list_(SPELLING)),  # the representative, then its most frequent texts; ten in all
        ("status", _STR),  # what most of its mentions have
        ("concept_uri", _STR),  # what most of its matched mentions are linked to, where most are matched
        ("concept_label", _STR),
        ("group_uri", _STR),  # the leader's, else that of the concept nearest to it
        ("group_label", _STR),
        ("run_id", _STR),
    ),
    key=("cluster_id",),
)

DUPLICATES = Table(
    "duplicates",
    _schema(
        ("source", _STR),
        ("record_id", _STR),
        ("position", _INT),
        ("raw", _STR),
        ("text", _STR),
        ("status", _STR),  # "representative", "duplicate", "single", "rejected"
        ("reason", _STR),  # in what a duplicate differs from the representative; why it is rejected
        ("cluster_id", _STR),
        ("representative", _STR),  # as it stands in the list
        ("score", _F32),  # how sure it is that both are one skill, 0..1; null for the representative
        ("cosine", _F32),
        ("run_id", _STR),
    ),
    key=("source", "record_id", "position"),
)

NORMALISED_SKILLS = Table(
    "normalised_skills",
    _schema(
        ("source", _STR),
        ("record_id", _STR),
        ("position", _INT),
        ("raw", _STR),
        ("text", _STR),
        ("text_key", _STR),  # joins links, whose `top` has the best three concepts
        ("proficiency", _STR),
        ("years", _F64),
        ("status", _STR),  # "rejected", "matched", "ambiguous", "nil", "not_skill"
        ("reason", _STR),
        ("concept_uri", _STR),
        ("concept_label", _STR),
        ("score", _F64),
        ("probability", _F64),
        ("method", _STR),
        ("group_uri", _STR),
        ("group_label", _STR),
        ("cluster_id", _STR),
        ("taxonomy_id", _STR),
        ("model_id", _STR),
        ("decider_id", _STR),
        ("run_id", _STR),
    ),
    key=("source", "record_id", "position"),
)

NEAR_SKILL = pa.struct([pa.field("asked", _STR), pa.field("has", _STR)])

MATCHES = Table(
    "matches",
    _schema(
        ("vacancies", _STR),  # source of the vacancies
        ("people", _STR),
        ("vacancy_id", _STR),
        ("rank", _INT),  # 1 is the best
        ("person_id", _STR),
        ("score", _F64),  # how much of what the vacancy asks for the person has, 0..1 (skillsim.matching)
        ("matched", pa.list_(_STR)),  # labels of skills, what weighs most first
        ("near", pa.list_(NEAR_SKILL)),
        ("missing", pa.list_(_STR)),
        ("run_id", _STR),
    ),
    key=("vacancies", "people", "vacancy_id", "rank"),
)

SKILL_MAP = Table(
    "skill_map",
    _schema(
        ("cluster_id", _STR),
        ("representative", _STR),
        ("mentions", pa.int64()),
        ("status", _STR),
        ("concept_label", _STR),
        ("group_label", _STR),
        ("x", _F32),  # on the map that keeps neighbours together
        ("y", _F32),
        ("pca_x", _F32),
        ("pca_y", _F32),
        ("run_id", _STR),
    ),
    key=("cluster_id",),
)

RUNS = Table(
    "runs",
    _schema(
        ("run_id", _STR),
        ("started_at", _TIME),
        ("finished_at", _TIME),
        ("outcome", _STR),  # "succeeded" or "failed"
        ("error", _STR),
        ("fingerprint", _STR),  # hash of config, ids and versions
        ("source", _STR),
        ("taxonomy_id", _STR),
        ("model_id", _STR),
        ("retrieval_id", _STR),
        ("decider_id", _STR),
        ("lexicon_id", _STR),
        ("overrides_id", _STR),
        ("clusters_id", _STR),
        (
            "stages",
            pa.list_(
                pa.struct(
                    [
                        pa.field("stage", _STR),
                        pa.field("rows_in", pa.int64()),
                        pa.field("rows_out", pa.int64()),
                        pa.field("seconds", _F64),
                    ]
                )
            ),
        ),
        ("statuses", pa.map_(_STR, pa.int64())),  # mentions by status, over the whole table
        ("table_versions", pa.map_(_STR, pa.int64())),  # Delta versions when the run ended
        ("config", _STR),  # JSON, without spark.conf, which may hold secrets
        ("versions", pa.map_(_STR, _STR)),  # library -> version
    ),
    key=("run_id",),
)

FORGOTTEN = Table(
    "forgotten",
    _schema(
        ("id_hash", _STR),  # of a record that was erased: it is not taken in again
        ("salt", _STR),  # one a namespace
        ("forgotten_at", _TIME),
    ),
    key=("id_hash",),
)

LEASES = Table(
    "leases",
    _schema(
        ("name", _STR),  # "writer", the one lease of a namespace
        ("run_id", _STR),  # of its holder; null when it is free
        ("host", _STR),
        ("heartbeat_at", _TIME),
    ),
    key=("name",),
)

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
