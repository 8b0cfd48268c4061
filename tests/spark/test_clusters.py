"""Stars by rounds in Spark are those of the arrays, whatever the pairs."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from pyspark.sql import SparkSession

from skillsim.clusters import Change, new_id, ranks, stars
from skillsim.clusters import carry_ids as carry_ids_of_arrays
from skillsim.clusters import settled as settled_on_arrays
from skillsim.spark.clusters import carry_ids, settled, star_members
from skillsim.spark.tables import Tables


@pytest.mark.parametrize("at_once", [0, 20, 10_000])
def test_rounds_and_arrays_agree(spark: SparkSession, tmp_path: Path, at_once: int) -> None:
    """Many small graphs in one: a line, a star, a ring, and dense random ones, with many equal counts and scores."""
    random = Random(7)
    n = 300
    pairs = {(a, b) for a in range(n) for b in range(a + 1, min(n, a + 8)) if random.random() < 0.25}
    pairs |= {(a, a + 1) for a in range(40)} | {(250, b) for b in range(251, 290)}
    keys = np.array([f"{random.getrandbits(32):08x}" for _ in range(n)])
    counts = np.array([random.choice((1, 1, 1, 2, 3, 500)) for _ in range(n)])
    rows = [(*random.sample(pair, 2), random.choice((0.7, 0.8, 0.9))) for pair in sorted(pairs)]
    left, right, score = (np.array(side) for side in zip(*rows, strict=True))
    near = np.bincount(np.concatenate([left, right]), minlength=n)
    expected = stars(left, right, score.astype(np.float32), ranks(counts, near, keys))
    table = [(str(keys[a]), str(keys[b]), float(s)) for a, b, s in rows]
    texts = [(str(key), int(count)) for key, count in zip(keys, counts, strict=True)]
    tables = Tables(spark, str(tmp_path / "out"))
    found = star_members(
        tables,
        spark.createDataFrame(table, "left_key string, right_key string, score float"),
        spark.createDataFrame(texts, "text_key string, mentions long"),
        at_once,
    ).collect()
    assert {row["text_key"]: row["leader_key"] for row in found} == dict(zip(keys, keys[expected], strict=True))
    scores = {frozenset((a, b)): s for a, b, s in table}
    for row in found:
        leads = row["leader_key"] == row["text_key"]
        expected_score = None if leads else scores[frozenset((row["text_key"], row["leader_key"]))]
        assert row["score"] == pytest.approx(expected_score)


def test_acronyms_are_settled_as_on_arrays(spark: SparkSession) -> None:
    random = Random(3)
    n, acronyms = 120, 20
    keys = np.array([f"{random.getrandbits(32):08x}" for _ in range(n)])
    counts = np.array([random.choice((1, 1, 2, 3, 8, 60)) for _ in range(n)])
    pairs = {(a, b) for a in range(acronyms) for b in random.sample(range(acronyms, n), random.randrange(1, 5))}
    by_initials = set(random.sample(sorted(pairs), len(pairs) - 5))
    pairs |= {(a, b) for a in range(acronyms, n) for b in range(a + 1, n) if random.random() < 0.3}
    rows = [tuple(sorted(pair, key=keys.__getitem__)) for pair in sorted(pairs)]
    acronym = [min(pair) if tuple(sorted(pair)) in by_initials else -1 for pair in rows]
    left, right = np.array(rows).T
    expected = settled_on_arrays(left, right, np.array(acronym), counts, ranks(counts, np.zeros(n, int), keys))
    assert 10 < expected[np.array(acronym) >= 0].sum() < len(by_initials) - 10
    table = [
        (str(keys[a]), str(keys[b]), None if of < 0 else str(keys[of]), 0.5)
        for (a, b), of in zip(rows, acronym, strict=True)
    ]
    found = settled(
        spark.createDataFrame(table, "left_key string, right_key string, acronym_key string, score float"),
        spark.createDataFrame(
            [(str(k), int(c)) for k, c in zip(keys, counts, strict=True)], "text_key string, mentions long"
        ),
    ).collect()
    assert sorted(map(tuple, found), key=str) == sorted(
        (row for row, holds in zip(table, expected, strict=True) if holds), key=str
    )


def test_ids_are_carried_as_on_arrays(spark: SparkSession) -> None:
    """200 texts regrouped at random, some gone, some new; many clusters are split, merged and of equal shares."""
    random = Random(11)
    before = {f"t{row:03d}": f"c{random.randrange(60):02d}" for row in range(160)}
    leaders: dict[str, str] = {}
    for row in range(30, 200):
        leader = f"t{row - random.randrange(4):03d}"
        leaders[f"t{row:03d}"] = leader if leaders.get(leader) == leader else f"t{row:03d}"
    taken = {*before.values(), *(new_id(leader) for leader in random.sample(sorted(set(leaders.values())), 40))}
    expected, told = carry_ids_of_arrays(before, leaders, taken, "run 7")
    found, changes = carry_ids(
        spark.createDataFrame(list(leaders.items()), "text_key string, leader_key string"),
        spark.createDataFrame(list(before.items()), "text_key string, cluster_id string"),
        spark.createDataFrame([(one,) for one in taken], "cluster_id string"),
        "run 7",
    )
    assert {row["leader_key"]: row["cluster_id"] for row in found.collect()} == expected
    rows = changes.collect()
    assert {event for event, *_ in rows} == {"created", "split", "merged", "ended"}
    assert {Change(*row) for row in rows} == set(told)
    assert len(rows) == len(told)
    assert 0 < sum(expected[leader] == new_id(leader, "run 7") for leader in expected) < 40
