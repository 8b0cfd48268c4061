"""What is made of texts is legible, and as said."""

from random import Random

import pytest

from training.made_pairs import KEEPS, as_deed, made_pairs, plural, respelled, run_together, slip, split, turned


@pytest.mark.parametrize(
    ("change", "text", "made"),
    [
        (run_together, "ware house", {"warehouse"}),
        (run_together, "ware-house", {"warehouse"}),
        (run_together, "excel", {"excel"}),
        (turned, "claims handling", {"handling of claims", "handling claims", "handling in claims"}),
        (turned, "claims", {"claims"}),
        (plural, "room service", {"room services"}),
        (plural, "room services", {"room service"}),
        (plural, "business", {"business"}),
        (plural, "aws", {"aws"}),
        (plural, "c++", {"c++"}),
        (as_deed, "yard management", {"managing yard"}),
        (as_deed, "smoke testing", {"smoke test"}),
        (respelled, "digitalisation", {"digitalization"}),
        (respelled, "colour analysing", {"color analyzing"}),
        (respelled, "human resources for data science exercises", {"human resources for data science exercises"}),
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
