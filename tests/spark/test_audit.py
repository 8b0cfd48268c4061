"""Outcomes of people, each by a row that shows it."""

import pytest
from pyspark.sql import SparkSession

from skillsim.audit import Group
from skillsim.errors import AuditError
from skillsim.spark.audit import of_groups, outcomes, unknown_rows

pytestmark = pytest.mark.spark

SKILLS = "source string, record_id string, status string, method string, score double, probability double"
ROWS = [
    ("cvs", "1", "matched", "lexicon", None, None),
    ("cvs", "1", "nil", "hybrid", 0.2, None),
    ("cvs", "1", "not_skill", "lexicon", None, None),
    ("cvs", "2", "nil", "hybrid", 0.4, 0.3),
    ("cvs", "2##2", "matched", "hybrid", 0.9, 0.8),
    ("cvs", "3", "rejected", None, None, None),
    ("cvs", "4", "ambiguous", "hybrid", 0.5, None),
    ("jobs", "1", "matched", "override", None, None),
]
MATCHES = [("cvs", "1", 0.4), ("cvs", "1", 0.9), ("cvs", "2", 0.5)]


def test_outcomes_of_people(spark: SparkSession) -> None:
    skills = spark.createDataFrame(ROWS, SKILLS)
    matches = spark.createDataFrame(MATCHES, "people string, person_id string, score double")
    selected = spark.createDataFrame([("cvs", "2"), ("cvs", "2")], "source string, record_id string")
    found = {tuple(row)[:3]: row["value"] for row in outcomes(skills, matches, selected).collect()}
    expected = {
        "any skill linked": {"1": 1, "2": 1, "3": 0, "4": 0},
        "share of skills linked": {"1": 0.5, "2": 0.5, "4": 0},
        "confidence": {"1": 0.6, "2": 0.55, "4": 0.5},
        "among the best of a vacancy": {"1": 1, "2": 1, "3": 0, "4": 0},
        "score of the best match": {"1": 0.9, "2": 0.5},
        "selected": {"1": 0, "2": 1, "3": 0, "4": 0},
    }
    of_cvs = {key: value for key, value in found.items() if key[0] == "cvs"}
    assert of_cvs == {
        ("cvs", person, outcome): pytest.approx(value)
        for outcome, values in expected.items()
        for person, value in values.items()
    }
    # A feed that was never matched has no such outcome.
    assert {key[2] for key in found if key[0] == "jobs"} == {
        "any skill linked",
        "share of skills linked",
        "confidence",
        "selected",
    }


def test_groups_are_counted_and_a_blank_one_is_none(spark: SparkSession) -> None:
    values = spark.createDataFrame(
        [("cvs", "1", "o", 1.0), ("cvs", "2", "o", 0.0), ("cvs", "3", "o", 1.0)],
        "source string, record_id string, outcome string, value double",
    )
    groups = spark.createDataFrame(
        [("cvs", "1", "a "), ("cvs", "2", "a"), ("cvs", "3", " ")], "source string, record_id string, g string"
    )
    assert of_groups(values, groups, "g") == {"o": [Group("a", 2, 0.5, 0.5)]}


def test_a_file_that_names_nobody_is_refused(spark: SparkSession) -> None:
    skills = spark.createDataFrame(ROWS, SKILLS)
    rows = spark.createDataFrame([("cvs", "1"), ("cvs", "01")], "source string, record_id string")
    assert unknown_rows(rows, skills, "--selected") == 1
    with pytest.raises(AuditError, match="no row of --selected names a record"):
        unknown_rows(rows.where("record_id = '01'"), skills, "--selected")
