"""Which record is which: an id for each, and a hash that changes with what its mentions are made of."""

import json

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from skillsim.config import InputConfig
from skillsim.text import TEXT_RULES_VERSION

_REPEAT = "##[0-9]+$"


def identified(records: DataFrame, config: InputConfig) -> DataFrame:
    """Columns record_id, cells, problem, record_hash, of records with given ids.

    `record_hash` covers what decides the mentions: content, text rules, how fields are split. Ids are made unique.

    A row without an id gets one from its content alone. Rows of one id are told apart by `##2`, `##3`, in the order
    of their content, readable ones first; a given id of that form gets `##1`, so that no two can meet.
    """
    rules = json.dumps([TEXT_RULES_VERSION, config.effective_separators, config.max_length])
    content = F.to_json(F.struct("cells", "problem"))
    hashed = records.select(
        F.when(F.trim("record_id") != "", F.col("record_id")).alias("given_id"),
        "cells",
        "problem",
        F.sha2(F.concat(F.lit(rules), content), 256).alias("record_hash"),
        F.sha2(content, 256).alias("content_hash"),
    )
    made = F.concat(F.lit("sha-"), F.substring("content_hash", 1, 16))
    named = hashed.withColumn("given_id", F.coalesce("given_id", made))
    order = Window.partitionBy("given_id").orderBy(F.col("problem").isNotNull(), "content_hash")
    numbered = named.withColumn("occurrence", F.row_number().over(order))
    plain = (F.col("occurrence") == 1) & ~F.col("given_id").rlike(_REPEAT)
    return numbered.select(
        F.when(plain, F.col("given_id")).otherwise(F.concat_ws("##", "given_id", "occurrence")).alias("record_id"),
        "cells",
        "problem",
        "record_hash",
    )


def id_as_given(record_id: str | Column = "record_id") -> Column:
    """What the repeats of an id have in common: `7` for `7##2`."""
    return F.regexp_replace(record_id, _REPEAT, "")
