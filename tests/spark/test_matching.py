"""Matches of tables made by hand are those of the arrays, and what vectors of skills are learnt from is bounded."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy import sparse

import skillsim.spark.matching as distributed
import skillsim.spark.skill_vectors as learning
from skillsim.matching import COVERAGE, OPTIONAL, Side, nearness, rarity, reasons, score_blocks, with_hierarchy
from skillsim.schemas import CLUSTERS, EMBEDDINGS, LABELS, NORMALISED_SKILLS, RELATIONS, Table
from skillsim.skill_vectors import Company, profiles, unit
from skillsim.spark.skill_vectors import learn
from skillsim.spark.sql import spark_schema
from skillsim.spark.tables import Tables
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]
SKILLS, WITHOUT_VECTOR = 30, 7
FLOOR, NEAR = 0.4, 5
NARROWER, BROADER = np.array([3, 5]), np.array([2, 4])


def held(rows: int, seed: int) -> list[set[int]]:
    random = np.random.default_rng(seed)
    return [set(random.choice(SKILLS, random.integers(1, 6), replace=False).tolist()) for _ in range(rows)]


RECORDS = {"cvs": held(50, 1), "jobs": held(6, 2), "other": held(30, 3), "more": held(6, 5)}
VECTORS = unit(np.random.default_rng(4).normal(size=(SKILLS, 12))).astype(np.float16)


def name(skill: int) -> str:
    return f"s{skill:02}"


def filled(spark: SparkSession, tables: Tables, table: Table, rows: list[dict[str, object]]) -> None:
    """With nulls in the columns that the rows lack."""
    schema = spark_schema(table)
    blank = dict.fromkeys(schema.names)
    tables.append(table, spark.createDataFrame([blank | row for row in rows], schema))


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    """Concepts whose labels have vectors, one without; of an older taxonomy too, which says otherwise."""
    tables, ids = Tables(spark, str(tmp_path)), {"taxonomy_id": "t", "model_id": "m"}
    skills = [
        {
            "source": source,
            "record_id": f"{'jobs' if source == 'more' else source}{row:02}",
            "position": skill,
            "status": "matched",
        }
        | {"concept_uri": name(skill), "concept_label": f"label {skill}", "text_key": "x", **ids}
        for source, records in RECORDS.items()
        for row, record in enumerate(records)
        for skill in record
    ]
    rejected = skills[0] | {"position": 99, "status": "not_skill", "concept_uri": None, "text_key": "y"}
    filled(spark, tables, NORMALISED_SKILLS, [*skills, rejected])
    labels = [{"concept_uri": name(skill), "text_key": f"k{skill}", "kind": "preferred"} for skill in range(SKILLS)]
    filled(spark, tables, LABELS, [row | {"taxonomy_id": one} for row in labels for one in ("t", "old")])
    vectors = [
        {"text_key": f"k{skill}", "vector": VECTORS[skill].tobytes() if skill != WITHOUT_VECTOR else None}
        for skill in range(SKILLS)
    ]
    filled(spark, tables, EMBEDDINGS, [row | {"model_id": "m"} for row in vectors])
    edges = [*(("t", *edge) for edge in zip(NARROWER, BROADER, strict=True)), ("old", 9, 8)]
    relations = [
        {"taxonomy_id": one, "subject_uri": name(low), "predicate": "broader", "object_uri": name(high)}
        for one, low, high in edges
    ]
    filled(spark, tables, RELATIONS, relations)
    filled(spark, tables, CLUSTERS, [])
    return tables


def incidence(records: list[set[int]]) -> sparse.csr_matrix:
    table = np.zeros((len(records), SKILLS), np.float32)
    for row, record in enumerate(records):
        table[row, sorted(record)] = 1
    return sparse.csr_matrix(table)


def expected() -> tuple[np.ndarray, np.ndarray]:
    """(vacancies, people): scores and coverage by the arrays alone."""
    people = incidence(RECORDS["cvs"])
    vacancies = incidence(RECORDS["jobs"]).maximum(OPTIONAL * incidence(RECORDS["more"]))
    known = np.arange(SKILLS) != WITHOUT_VECTOR
    every = incidence([record for records in RECORDS.values() for record in records])[:, known]
    encoded = VECTORS.astype(np.float32)
    company = Company.of(every, encoded[known])
    vectors = np.zeros((SKILLS, company.dimensions), np.float32)
    vectors[known] = company.skill_vectors(np.arange(SKILLS - 1), encoded[known])
    of_people = np.flatnonzero(np.asarray(people.sum(axis=0)).ravel())
    assert len(of_people) == SKILLS  # else what is nearest would be another
    near = with_hierarchy(nearness(vectors, FLOOR, NEAR), NARROWER, BROADER)
    rare = rarity(len(RECORDS["cvs"]), np.asarray(people.sum(axis=0)).ravel())
    sides = [Side(side, profiles(side.multiply(rare).tocsr(), vectors)) for side in (vacancies, people)]
    scores = np.vstack([*score_blocks(*sides, near, rare)])
    coverage = np.array(
        [
            [sum(one.weight * one.share for one in reasons(asked, has, near, rare)) for has in people]
            for asked in vacancies
        ]
    )
    return scores, coverage


@pytest.mark.parametrize("at_once", [100_000, 8])
def test_matches_are_those_of_the_arrays(tables: Tables, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "ASKED_AT_ONCE", at_once)
    people = len(RECORDS["cvs"])
    asked, count = distributed.match(tables, "cvs", "jobs", "more", people, FLOOR, NEAR, "r")
    tables.clear_staging()
    found = read(Path(tables.root), "matches")
    scores, coverage = expected()
    assert (asked, count) == (len(RECORDS["jobs"]), len(found)) == (6, (scores > 0).sum())
    assert 0 < (coverage == 0).sum() == (scores == 0).sum()
    for row in found.itertuples():
        place = int(row.vacancy_id[4:]), int(row.person_id[3:])
        assert row.score == pytest.approx(scores[place], abs=2e-3)  # vectors are stored as float16
        assert row.coverage == pytest.approx(coverage[place], abs=2e-3)
        assert row.score == pytest.approx(COVERAGE * row.coverage + (1 - COVERAGE) * row.profile, abs=1e-5)
        wanted, has = RECORDS["jobs"][place[0]] | RECORDS["more"][place[0]], RECORDS["cvs"][place[1]]
        assert set(row.matched) == {f"label {skill}" for skill in wanted & has}
        assert {*row.missing, *(one["asked"] for one in row.near)} == {f"label {skill}" for skill in wanted - has}
        assert {one["has"] for one in row.near} <= {f"label {skill}" for skill in has}
    by_rank = found.sort_values(["vacancy_id", "rank"]).groupby("vacancy_id")
    assert all(of["score"].is_monotonic_decreasing for _, of in by_rank)


def lists(spark: SparkSession, records: list[list[str]]) -> DataFrame:
    rows = [("a", str(row), skill) for row, of in enumerate(records) for skill in of]
    return spark.createDataFrame(rows, "source string, record_id string, skill string")


def encoded(spark: SparkSession, skills: list[str]) -> DataFrame:
    rows = [(skill, VECTORS[place].tobytes()) for place, skill in enumerate(skills)]
    return spark.createDataFrame(rows, "skill string, vector binary")


def test_what_is_learnt_from_is_bounded(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MOST_SKILLS", 2)
    monkeypatch.setattr(learning, "MOST_IN_RECORD", 3)
    records = [["a", "b"], ["a", "b"], ["a", "c"], ["a", "b", "c", "d"]]
    learnt = learn(lists(spark, records), encoded(spark, ["a", "b", "c", "d"]))
    assert set(learnt.places) == {"a", "b"}
    assert learnt.company.counts.tolist() == [3, 2]
    monkeypatch.setattr(learning, "MOST_HELD", 400)
    many = lists(spark, [["a", "b"]] * 1_000)
    half = learn(many, encoded(spark, ["a", "b"])).company.counts
    assert 140 < half[0] == half[1] < 260
    assert learn(many, encoded(spark, ["a", "b"])).company.counts.tolist() == half.tolist()


@pytest.mark.parametrize(("records", "known"), [([["a", "b", "c", "d"]], "abcd"), ([["a", "b"]], "")])
def test_there_may_be_nothing_to_learn(
    spark: SparkSession, records: list[list[str]], known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "MOST_IN_RECORD", 3)
    vectors = encoded(spark, list(known))
    learnt = learn(lists(spark, records), vectors)
    rows = lists(spark, records).join(vectors, on="skill", how="left").select("skill", "vector").toArrow()
    found = learnt.skill_vectors(*(column.combine_chunks() for column in rows.columns))
    assert found == pytest.approx(VECTORS[: len(known)].astype(np.float32) if known else np.zeros((2, 0)))
