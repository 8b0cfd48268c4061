"""Kinds of noise: literal tables, and what holds for any text."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.noise import KINDS, abbreviation, acronym, noisy, separators


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer relationship management", "crm"),
        ("manage the safety of staff", "mss"),
        ("machine learning", "machine learning"),
        ("3d modelling", "3d modelling"),
        ("", ""),
    ],
)
def test_an_acronym_is_of_three_words_or_more(text: str, expected: str) -> None:
    assert acronym(Random(0), text) == expected


@pytest.mark.parametrize("text", ["engineering", "use it", "sql java"])
def test_an_abbreviation_needs_a_long_word_among_several(text: str) -> None:
    assert abbreviation(Random(0), text) == text


@given(st.randoms(use_true_random=False))
def test_an_abbreviation_starts_as_its_word_does(rng: Random) -> None:
    first, second = abbreviation(rng, "project management").split()
    assert (
        "management".startswith(second.rstrip(".")) if first == "project" else "project".startswith(first.rstrip("."))
    )


@given(st.randoms(use_true_random=False))
def test_separators_change_no_letter(rng: Random) -> None:
    joined = separators(rng, "public speaking")
    assert "".join(c for c in joined if c.isalpha()) == "publicspeaking"
    assert joined != "public speaking"


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=40), st.integers(0, 99))
def test_any_text_can_be_given_to_any_kind_and_gives_the_same_again(kind: str, text: str, seed: int) -> None:
    once = KINDS[kind](Random(seed), text)
    assert once == KINDS[kind](Random(seed), text)


def test_a_share_of_none_leaves_every_text() -> None:
    rng = Random(0)
    assert [noisy(rng, "work in teams", 0) for _ in range(50)] == ["work in teams"] * 50
    assert sum(noisy(rng, "manage project finances", 0.5) != "manage project finances" for _ in range(400)) in range(
        140, 220
    )
