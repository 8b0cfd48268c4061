"""Curators' decisions: what one may say, which is in force, and when links must be decided again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.errors import ReviewError
from skillsim.overrides import Override, active, overrides_id, scattered, succeeded
from skillsim.text import text_key

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
JAVA = Override("Core_Java", None, "concept", "u:java", "ann", NOON, "it is Java")


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_the_key_is_derived_from_the_raw_text() -> None:
    assert JAVA.text_key == text_key("core java")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "maybe"}, "no verdict"),
        ({"concept_uri": None}, "a concept goes with"),
        ({"verdict": "nil"}, "a concept goes with"),
        ({"raw": "12345"}, "no skill text"),
        ({"raw": ""}, "no skill text"),
    ],
)
def test_a_decision_that_says_nothing_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ReviewError, match=said):
        replace(JAVA, **change)  # type: ignore[arg-type]


def test_the_latest_that_is_not_revoked_is_in_force_for_each_source() -> None:
    later = replace(JAVA, verdict="not_skill", concept_uri=None, decided_at=at(1))
    revoked = replace(JAVA, concept_uri="u:coffee", decided_at=at(2), revoked_by="bob", revoked_at=at(3))
    of_feed = replace(JAVA, source="careers", concept_uri="u:island", decided_at=at(-5))
    found = active([revoked, later, of_feed, JAVA])
    assert found == {(JAVA.text_key, None): later, (JAVA.text_key, "careers"): of_feed}


@given(st.permutations([replace(JAVA, concept_uri=f"u:{n}", decided_at=at(n % 3)) for n in range(6)]))
def test_the_order_they_are_told_in_does_not_matter(overrides: list[Override]) -> None:
    assert active(overrides) == active(sorted(overrides, key=lambda one: one.override_id))


def test_the_id_follows_what_is_in_force_alone() -> None:
    assert overrides_id([]) == "none"
    again = replace(JAVA, decided_by="bob", decided_at=at(9), why="indeed")
    other = replace(JAVA, concept_uri="u:coffee", decided_at=at(10))
    assert overrides_id([JAVA]) == overrides_id([JAVA, again]) != overrides_id([JAVA, other])
    revoked = replace(other, revoked_by="bob", revoked_at=at(11))
    assert overrides_id([JAVA, revoked]) == overrides_id([JAVA])
    assert overrides_id([replace(JAVA, revoked_by="bob", revoked_at=at(1))]) == "none"


def test_the_same_decision_is_one() -> None:
    assert replace(JAVA, why="typo mended").override_id == JAVA.override_id
    assert replace(JAVA, source="careers").override_id != JAVA.override_id


def test_a_decision_on_a_cluster_that_has_split_is_told() -> None:
    texts = ["core java", "java", "java se", "java 8", "javascript"]
    of_cluster = [replace(JAVA, raw=raw, representative="java") for raw in texts]
    other = replace(JAVA, raw="jvm", representative="jvm")
    alone = replace(JAVA, raw="kotlin")
    keys = {one.raw: one.text_key for one in (*of_cluster, other, alone)}
    together = dict.fromkeys(keys.values(), "c1")
    assert scattered([*of_cluster, other, alone], together) == []
    apart = together | {keys["javascript"]: "c2", keys["jvm"]: "c3", keys["kotlin"]: "c4"}
    assert scattered([*of_cluster, other, alone], apart) == [
        "u:java by ann for the cluster of 'java': it has split since, into 4 and 1 texts. Look in `overrides` whether "
        "it holds for all of them."
    ]
    del apart[keys["javascript"]]  # no mention holds it any more
    assert scattered(of_cluster, apart) == []
    later = replace(of_cluster[4], decided_at=at(1))
    assert scattered([*of_cluster[:4], later], together | {keys["javascript"]: "c2"}) == []


def test_a_successor_stands_in_for_its_concept() -> None:
    none = replace(JAVA, verdict="nil", concept_uri=None)
    later = succeeded([JAVA, none], {"u:java": "u:java2"})
    assert [one.concept_uri for one in later] == ["u:java2", None]
    assert overrides_id(later[:1]) != overrides_id([JAVA])
    assert succeeded([JAVA], {"u:c": "u:d"}) == [JAVA]
