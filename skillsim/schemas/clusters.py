"""Tables of texts that mean one skill, and of what is made of clusters."""

import pyarrow as pa

from skillsim.schemas.table import F32, F64, INT, STR, TIME, Table, schema

PAIRS = Table(
    "pairs",
    schema(
        ("model_id", STR),
        ("pairs_id", STR),  # of the decision that scored it, and of how it was found
        ("left_key", STR),
        ("right_key", STR),  # the larger; equal to left_key in the row that says that this text has been compared
        ("cosine", F32),
        ("score", F32),  # how sure it is that both are one skill, 0..1
        ("acronym_key", STR),  # which of both is the other's initials; null where neither is
    ),
    key=("model_id", "pairs_id", "left_key", "right_key"),
    partition_by=("model_id",),
)

CLUSTER_MEMBERS = Table(
    "cluster_members",
    schema(
        ("text_key", STR),
        ("cluster_id", STR),
        ("leader_key", STR),  # the most frequent text of the cluster
        ("score", F32),  # of the pair of both; null for the leader
        ("run_id", STR),
    ),
    key=("text_key",),
)

CLUSTER_HISTORY = Table(
    "cluster_history",
    schema(
        ("since", STR),  # the state of cluster_members that held until then
        ("event", STR),  # "created", "split" (off other_id), "merged" (into other_id), "ended"
        ("cluster_id", STR),
        ("other_id", STR),
        ("run_id", STR),
        ("changed_at", TIME),
    ),
    key=("since", "cluster_id"),
)

SPELLING = pa.struct([pa.field("spelling", STR), pa.field("mentions", pa.int64()), pa.field("records", pa.int64())])

CLUSTERS = Table(
    "clusters",
    schema(
        ("cluster_id", STR),
        ("representative", STR),  # as people write it most often
        ("leader_key", STR),
        ("texts", pa.int64()),
        ("mentions", pa.int64()),
        ("records", pa.int64()),
        # when mentions last changed; null for a cluster not there yet, or whose row went with what was forgotten
        ("mentions_before", pa.int64()),
        ("spellings", pa.list_(SPELLING)),  # the representative, then its most frequent texts; ten in all
        ("status", STR),  # what most of its mentions have
        ("concept_uri", STR),  # what most of its matched mentions are linked to, where most are matched
        ("concept_label", STR),
        ("group_uri", STR),  # the leader's, else that which its candidates vote for; null where less than a fifth agree
        ("group_label", STR),
        ("run_id", STR),
    ),
    key=("cluster_id",),
)

DUPLICATES = Table(
    "duplicates",
    schema(
        ("source", STR),
        ("record_id", STR),
        ("position", INT),
        ("raw", STR),
        ("text", STR),
        ("status", STR),  # "representative", "duplicate", "single", "rejected"
        ("reason", STR),  # in what a duplicate differs; why it is rejected, or could not be compared
        ("cluster_id", STR),
        ("representative", STR),  # as it stands in the list
        # how sure it is that both are one skill, 0..1; null for the representative, and for "the same text"
        ("score", F32),
        ("cosine", F32),
        ("run_id", STR),
    ),
    key=("source", "record_id", "position"),
)

NEAR_SKILL = pa.struct([pa.field("asked", STR), pa.field("has", STR)])

MATCHES = Table(
    "matches",
    schema(
        ("vacancies", STR),  # source of the vacancies
        ("people", STR),
        ("vacancy_id", STR),
        ("rank", INT),  # 1 is the best
        ("person_id", STR),
        ("score", F64),  # how well they fit, 0..1: the mean of the next two (skillsim.matching)
        ("coverage", F64),  # how much of what the vacancy asks for the person has
        ("profile", F64),  # how alike all skills of both are, taken together
        ("matched", pa.list_(STR)),  # labels of skills, what weighs most first
        ("near", pa.list_(NEAR_SKILL)),
        ("missing", pa.list_(STR)),
        ("run_id", STR),
    ),
    key=("vacancies", "people", "vacancy_id", "rank"),
)

SKILL_MAP = Table(
    "skill_map",
    schema(
        ("cluster_id", STR),
        ("representative", STR),
        ("mentions", pa.int64()),
        ("status", STR),
        ("concept_label", STR),
        ("group_label", STR),
        ("x", F32),  # on the map that keeps neighbours together
        ("y", F32),
        ("pca_x", F32),
        ("pca_y", F32),
        ("run_id", STR),
    ),
    key=("cluster_id",),
)
