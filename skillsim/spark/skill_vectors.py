"""What skills stand beside, learnt on the driver from a bounded sample of records."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from skillsim.encoder import unpack_vectors
from skillsim.skill_vectors import Company

# Half a minute of the driver. A record of more skills than that is a list of all of them.
MOST_HELD, MOST_SKILLS, MOST_IN_RECORD = 2_000_000, 50_000, 100
_SHARES = 1_000_000


@dataclass(frozen=True)
class Learnt:
    """`places`: of skills in `company`."""

    places: dict[str, int]
    company: Company

    def skill_vectors(self, skills: pa.StringArray, vectors: pa.BinaryArray) -> npt.NDArray[np.float32]:
        """(n, dimensions): as Company's, of skills with the encoder's `vectors` as they are stored; zero where null."""
        found = np.zeros((len(skills), self.company.dimensions), np.float32)
        valid = np.asarray(vectors.is_valid())
        if valid.any():
            places = np.array([self.places.get(skill, -1) for skill in skills.to_pylist()], np.int64)
            encoded = np.asarray(unpack_vectors(vectors.drop_null()), np.float32)
            found[valid] = self.company.skill_vectors(places[valid], encoded)
        return found


def learn(records: DataFrame, encoded: DataFrame) -> Learnt:
    """`records`: (source, record_id, skill), distinct; `encoded`: (skill, vector) of every skill that has one."""
    ids = ["source", "record_id"]
    share = MOST_HELD / max(records.count(), 1)
    sample = records.where(F.pmod(F.xxhash64(*ids), F.lit(_SHARES)) < share * _SHARES)
    lists = sample.groupBy(ids).agg(F.collect_list("skill").alias("skills")).where(F.size("skills") <= MOST_IN_RECORD)
    held = lists.orderBy(ids).select("skills").toPandas()["skills"]
    skills = held.explode()
    most = skills.value_counts().sort_index().nlargest(MOST_SKILLS).index
    wanted = encoded.sparkSession.createDataFrame([(skill,) for skill in most], "skill string")
    known = encoded.join(wanted, on="skill", how="left_semi").orderBy("skill").toArrow()
    one = encoded.select("vector").first()
    vectors = np.asarray(unpack_vectors(known["vector"]), np.float32).reshape(
        len(known), len(one[0]) // 2 if one else 0
    )
    names = pd.Index(known["skill"].to_pylist())
    column = names.get_indexer(skills)
    row, column = skills.index[column >= 0], column[column >= 0]
    matrix = sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(held), len(names)))
    return Learnt(dict(zip(names, range(len(names)), strict=True)), Company.of(matrix, vectors))
