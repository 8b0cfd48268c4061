"""What is made of texts is legible, and as said."""

from random import Random

import pytest

from training.made_pairs import KEEPS, as_deed, made_pairs, plural, respelled, run_together, slip, split, turned


@pytest.mark.parametrize(
    ("change", "text", "made"),
    [
        (run_together, "front end", {"frontend"}),
        (run_together, "front-end", {"frontend"}),
        (run_together, "excel", {"excel"}),
        (turned, "data mining", {"mining of data", "mining data", "mining in data"}),
        (turned, "data", {"data"}),
        (plural, "web service", {"web services"}),
        (plural, "web services", {"web service"}),
        (plural, "business", {"business"}),
        (plural, "c++", {"c++"}),
        (as_deed, "project management", {"managing project"}),
        (as_deed, "unit testing", {"unit test"}),
        (respelled, "data visualisation", {"data visualization"}),
        (slip, "sql", {"sql"}),
        (split, "photoshop", {"pho toshop", "phot oshop", "photo shop", "photos hop"}),
    ],
)
def test_literal_changes(change, text: str, made: set[str]) -> None:  # type: ignore[no-untyped-def]
    assert {change(Random(seed), text) for seed in range(40)} == made


def test_pairs_are_the_same_for_a_seed_and_hold_both_sorts() -> None:
    texts = ["front end development", "sql server 2008", "excel", "c", "unit testing", "project management"] * 4
    pairs = made_pairs(texts, "a seed")
    assert pairs == made_pairs(list(reversed(texts)), "a seed")
    assert pairs != made_pairs(texts, "another")
    assert all(a != b for a, b, _ in pairs)
    assert {same for *_, same in pairs} == {True, False}
    numbers = [(a, b) for a, b, same in pairs if a == "sql server 2008" and not same and b.startswith("sql server 2")]
    assert numbers


def test_no_change_fails_on_odd_texts() -> None:
    for text in ("c", "c++", "r&d", "ab", "a b", "sql - 2008", "é"):
        for change in KEEPS:
            for seed in range(20):
                assert isinstance(change(Random(seed), text), str)
