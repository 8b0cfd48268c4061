"""Tables from what people wrote to what it is linked to."""

import pyarrow as pa

from skillsim.schemas.table import BOOL, F32, F64, INT, STR, TIME, Table, schema

MENTIONS = Table(
    "mentions",
    schema(
        ("source", STR),
        ("record_id", STR),
        ("position", INT),
        ("raw", STR),
        ("text", STR),  # cleaned and case-folded; null when rejected
        ("text_key", STR),
        ("proficiency", STR),
        ("years", F64),
        ("status", STR),  # "kept" or "rejected"
        ("reason", STR),
        ("record_hash", STR),
        ("text_rules", INT),  # TEXT_RULES_VERSION they were split by; null when that was not recorded yet
        ("run_id", STR),
        ("ingested_at", TIME),
    ),
    key=("source", "record_id", "position"),
)

TEXTS = Table("texts", schema(("text_key", STR), ("text", STR)), key=("text_key",))

EMBEDDINGS = Table(
    "embeddings",
    schema(
        ("model_id", STR),
        ("text_key", STR),
        ("vector", pa.binary()),  # little-endian float16, unit length; null when status is "failed"
        ("status", STR),  # "embedded" or "failed"
        ("reason", STR),
        ("attempts", INT),
    ),
    key=("model_id", "text_key"),
    partition_by=("model_id",),
)

CANDIDATE = pa.struct(
    [
        pa.field("concept_uri", STR),
        pa.field("label", STR),  # the concept's label nearest to the text
        pa.field("cosine", F32),  # best over the concept's labels
        pa.field("preferred_cosine", F32),  # to its preferred label
        pa.field("ngram", F32),  # character n-gram TF-IDF cosine, best over its labels; 0 beyond the view's top
        pa.field("exact", STR),  # "preferred", "alternative", "hidden" when a label equals the text, else null
        pa.field("sharers", INT),  # how many concepts hold that very label; 0 without an exact hit
        pa.field("occupations", INT),  # how many occupations use the concept
    ]
)

CANDIDATES = Table(
    "candidates",
    schema(
        ("taxonomy_id", STR),
        ("model_id", STR),
        ("retrieval_id", STR),
        ("text_key", STR),
        ("occupation_uri", STR),  # an occupation that has the text as a label: a job title
        ("candidates", pa.list_(CANDIDATE)),
    ),
    key=("taxonomy_id", "model_id", "retrieval_id", "text_key"),
    partition_by=("model_id", "taxonomy_id"),
)

ALTERNATIVE = pa.struct([pa.field("concept_uri", STR), pa.field("concept_label", STR), pa.field("score", F64)])

LINKS = Table(
    "links",
    schema(
        ("taxonomy_id", STR),
        ("model_id", STR),
        ("text_key", STR),
        ("retrieval_id", STR),  # of the candidates decided on
        ("status", STR),  # "matched", "ambiguous", "nil", "not_skill"
        ("reason", STR),
        ("kind", STR),  # "skill", "title", "junk", "multi"; null where nothing tells them apart
        ("kind_probability", F64),
        ("concept_uri", STR),  # set when matched
        ("concept_label", STR),
        (
            "score",
            F64,
        ),  # the decision's own score of the best candidate, 0..1, comparable within one decider
        ("probability", F64),  # of being right; null unless calibrated
        ("calibrated", BOOL),
        ("margin", F64),  # score minus the runner-up's
        ("method", STR),  # "override", "lexicon", "exact", "hybrid", "cluster"
        ("group_uri", STR),  # the concept's; of an ambiguous text a group that is likely enough, though no concept is
        ("group_label", STR),
        ("group_probability", F64),  # that the right concept is in the group; null unless calibrated
        ("top", pa.list_(ALTERNATIVE)),  # best three
        ("decider_id", STR),
        ("lexicon_id", STR),
        ("overrides_id", STR),
        ("run_id", STR),
    ),
    key=("taxonomy_id", "model_id", "text_key"),
    partition_by=("model_id", "taxonomy_id"),
)

LINK_CHANGES = Table(
    "link_changes",
    schema(
        ("since_run_id", STR),  # the run whose links held until now
        ("run_id", STR),  # the run that changed them: `runs` has the ids of both
        ("changed_at", TIME),
        ("text_key", STR),
        ("reason", STR),  # skillsim.spark.link_changes explains it
        ("old_status", STR),
        ("old_concept_uri", STR),
        ("old_concept_label", STR),
        ("old_score", F64),
        ("old_method", STR),
        ("new_status", STR),
        ("new_concept_uri", STR),
        ("new_concept_label", STR),
        ("new_score", F64),
        ("new_method", STR),
    ),
    key=("since_run_id", "text_key"),
)

OVERRIDES = Table(
    "overrides",
    schema(
        ("override_id", STR),
        ("raw", STR),  # the text's key is derived from it when it is read
        ("source", STR),  # a feed's name; null for all feeds
        ("verdict", STR),  # "concept", "nil", "not_skill"
        ("concept_uri", STR),
        ("decided_by", STR),
        ("decided_at", TIME),
        ("why", STR),
        ("representative", STR),  # of the cluster for all of whose texts it was taken, if for one
        ("revoked_by", STR),
        ("revoked_at", TIME),
    ),
    key=("override_id",),
)

NORMALISED_SKILLS = Table(
    "normalised_skills",
    schema(
        ("source", STR),
        ("record_id", STR),
        ("position", INT),
        ("raw", STR),
        ("text", STR),
        ("text_key", STR),  # joins links, whose `top` has the best three concepts
        ("proficiency", STR),
        ("years", F64),
        ("status", STR),  # "rejected", "matched", "ambiguous", "nil", "not_skill"
        ("reason", STR),
        ("concept_uri", STR),
        ("concept_label", STR),
        ("score", F64),
        ("probability", F64),
        ("method", STR),
        ("group_uri", STR),
        ("group_label", STR),
        ("cluster_id", STR),
        ("taxonomy_id", STR),
        ("model_id", STR),
        ("decider_id", STR),
        ("run_id", STR),
    ),
    key=("source", "record_id", "position"),
)
