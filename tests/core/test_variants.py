"""What a pair of texts looks like, word by word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.variants import FEATURES, Pairing, features, form, left_over


def told(a: str, b: str, **weights: float) -> dict[str, float]:
    row = features([a], [b], np.array([0.5], np.float32), {name.replace("_", " "): w for name, w in weights.items()})
    return dict(zip(FEATURES, row[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("a", "b", "left", "right"),
    [
        ("project management", "managing projects", [], []),
        ("management of time", "time management", [], []),
        ("java script", "javascript", [], []),
        ("microsoft power point", "powerpoint", ["microsoft"], []),
        ("class room management", "classroom mgmt", [], []),
        ("machine lerning", "machine learning", [], []),
        ("project managment", "project management", [], []),
        ("inventory mgmt", "inventory management", [], []),
        ("inbound sales", "outbound sales", ["inbound"], ["outbound"]),
        ("scala", "scada", [], []),  # one slip of five letters: the decision knows how short the word is
        ("java", "javascript", [], []),  # as short as "admin" for "administration"
        ("c", "c++", ["c"], ["c++"]),
        ("c#", "c++", ["c#"], ["c++"]),
        ("sql server 2008", "sql server 2012", ["2008"], ["2012"]),
        ("angular 2", "angularjs", ["2"], []),
        ("leadership", "leadership skills", [], ["skill"]),
        ("html", "html html", [], ["html"]),
        ("kubernetes", "k8s", ["kubernet"], ["k8s"]),
        ("of the", "the", ["of"], []),
    ],
)
def test_what_is_left_over(a: str, b: str, left: list[str], right: list[str]) -> None:
    assert Pairing.of(form(a), form(b)).words() == (left, right)
    assert Pairing.of(form(b), form(a)).words() == (right, left)


@pytest.mark.parametrize(
    ("a", "b", "feature", "value"),
    [
        ("front-end", "front end", "same letters", 1),
        ("c", "c++", "same letters", 0),
        ("discord", "discordjs", "letters one adds at its end", 2),
        ("discord", "js discord", "letters one adds at its end", 0),
        ("scala", "scada", "letters of the shortest with a typo", 5),
        ("excel", "excel", "letters of the shortest with a typo", 30),
        ("inventory mgmt", "inventory management", "short forms", 1),
        ("java", "javascript", "short forms", 1),
        ("office 2010", "office 2016", "numbers differ", 1),
        ("office", "office 2016", "numbers differ", 0),
        ("office", "office 2016", "number on one side", 1),
        ("search engine optimization", "seo", "initials", 1),
        ("health and safety", "has", "initials", 1),
        ("c", "carpentry", "initials", 0),
        ("structured data", "unstructured data", "prefix", 1),
        ("structured data", "semistructured data", "prefix", 0),
        ("accounts payable", "payable accounts", "order differs", 1),
        ("illustrator", "illustration", "person or deed", 1),
        ("negotiation", "negotiating", "person or deed", 0),
    ],
)
def test_features(a: str, b: str, feature: str, value: float) -> None:
    assert told(a, b)[feature] == value
    assert told(b, a)[feature] == value


def test_the_lightest_word_left_over_counts_on_its_sides() -> None:
    one, both = "left over on one side, weight", "left over on both sides, weight"
    found = told("good leadership", "leadership skills", **{"1_good": 2, "2_good": 1, "2_skill": 0.5})
    assert (found[one], found[both]) == (9, 0.5)
    found = told("leadership", "good leadership skills", **{"1_good": 2})
    assert (found[one], found[both]) == (-3, 9)
    found = told("leadership", "leadership")
    assert (found[one], found[both]) == (9, 9)
    assert left_over(["a"], []) == ["1 a"]
    assert left_over(["a"], ["b"]) == ["2 a", "2 b"]


TEXTS = st.text("abcdeé12 +#.-", max_size=24)


@given(TEXTS, TEXTS)
def test_a_pair_has_no_order_and_every_text_is_itself(a: str, b: str) -> None:
    assert told(a, b) == told(b, a)
    assert Pairing.of(form(a), form(a)).words() == ([], [])
