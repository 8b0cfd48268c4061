"""What pairs of texts look like: literal tables, and one pair at a time in plain words as the oracle."""

import re
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA, JaroWinkler

from skillsim.pair_features import FEATURES, Words, are_phrases, features, left_over, replacements
from skillsim.pairing import Form, Pairing, form, in_order, initials_side, opposites, stem


def told(a: str, b: str, words: Words | None = None) -> dict[str, float]:
    row = features([a], [b], np.array([0.5], np.float32), words or Words())
    return dict(zip(FEATURES, row[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("a", "b", "left", "right"),
    [
        ("stock management", "managing stocks", [], []),
        ("control of stock", "stock control", [], []),
        ("ware house", "warehouse", [], []),
        ("microsoft share point", "sharepoint", ["microsoft"], []),
        ("ware house management", "warehouse mgt", [], []),
        ("data anlysis", "data analysis", [], []),
        ("customer relatonship", "customer relationships", [], []),
        ("network admin", "network administration", [], []),
        ("comunication", "communication", [], []),  # their stems are two slips apart
        ("day shifts", "night shifts", ["day"], ["night"]),
        ("ruby", "rugby", [], []),  # one slip: the decision knows how short the word is
        ("post", "postgresql", [], []),  # as short as "admin" for "administration"
        ("d", "d++", ["d"], ["d++"]),
        ("f#", "f++", ["f#"], ["f++"]),
        ("exchange server 2007", "exchange server 2013", ["2007"], ["2013"]),
        ("vue 3", "vuejs", ["3"], []),
        ("mentoring", "mentoring skills", [], ["skill"]),
        ("css", "css css", [], ["css"]),
        ("internationalization", "i18n", ["internation"], ["i18n"]),
        ("of the", "the", ["of"], []),
    ],
)
def test_what_is_left_over(a: str, b: str, left: list[str], right: list[str]) -> None:
    assert Pairing.of(form(a), form(b)).words() == (left, right)
    assert Pairing.of(form(b), form(a)).words() == (right, left)


@pytest.mark.parametrize(
    ("a", "b", "feature", "value"),
    [
        ("ware-house", "ware house", "same letters", 1),
        ("d", "d++", "same letters", 0),
        ("हिंदी", "हद", "same letters", 0),
        ("slack", "slackbot", "letters one adds at its end", 3),
        ("slack", "bot slack", "letters one adds at its end", 0),
        ("ruby", "rugby", "letters of the shortest with a typo", 4),
        ("excel", "excel", "letters of the shortest with a typo", 30),
        ("network admin", "network administration", "short forms", 1),
        ("post", "postgresql", "short forms", 1),
        ("exchange 2007", "exchange 2013", "numbers differ", 1),
        ("exchange", "exchange 2013", "numbers differ", 0),
        ("exchange", "exchange 2013", "number on one side", 1),
        ("point of sale", "pos", "initials", 1),
        ("research and development", "r&d", "initials", 1),
        ("c", "carpentry", "initials", 0),
        ("balanced loads", "unbalanced loads", "prefix", 1),
        ("balanced loads", "semibalanced loads", "prefix", 0),
        ("warranty claims", "claims warranty", "order differs", 1),
        ("coordinator", "coordination", "person or deed", 1),
        ("migration", "migrating", "person or deed", 0),
        ("data base", "database", "words paired", 1),
        ("lower floors", "raising floors", "opposites", 1),
        ("day and night shifts", "night shifts", "opposites", 0),
        ("day shift at night", "night shift by day", "opposites", 0),
        ("qualitative research", "quantitative research", "opposites", 1),  # two slips apart
        ("donaudampfschifffahrtsgesellschaft", "donaudampfschifffahrtsgeselschaft", "typos", 1),
        (
            "donaudampfschifffahrtsgesellschaft",
            "donaudampfschifffahrtsgeselschaft",
            "letters of the shortest with a typo",
            33,
        ),
    ],
)
def test_features(a: str, b: str, feature: str, value: float) -> None:
    assert told(a, b)[feature] == value
    assert told(b, a)[feature] == value


def test_the_lightest_word_left_over_counts_on_its_sides() -> None:
    one, both = "left over on one side, weight", "left over on both sides, weight"
    found = told("good leadership", "leadership skills", Words({"1 good": 2, "2 good": 1, "2 skill": 0.5}))
    assert (found[one], found[both]) == (9, 0.5)
    found = told("leadership", "good leadership skills", Words({"1 good": 2}))
    assert (found[one], found[both]) == (-3, 9)
    found = told("leadership", "leadership")
    assert (found[one], found[both]) == (9, 9)
    assert left_over(["a"], []) == ["1 a"]
    assert left_over(["a"], ["b"]) == ["2 a", "2 b"]


USUAL = {"client custom": -1.0, "advis help": -3.0, "client help": -2.0}


@pytest.mark.parametrize(
    ("one", "other", "usual"),
    [
        (["custom"], ["client"], [-1]),
        (["help", "custom"], ["advis", "client"], [-1, -3]),  # the most usual first, and each word once
        (["help"], ["client", "advis"], [-2]),
        (["help"], ["help"], []),
        ([], ["client"], []),
    ],
)
def test_words_that_stand_for_each_other(one: list[str], other: list[str], usual: list[float]) -> None:
    assert replacements(one, other, USUAL) == usual
    assert replacements(other, one, USUAL) == usual


def test_what_is_replaced_and_what_is_not() -> None:
    names = ("not replaced, the fewer", "not replaced, of both", "replaced, the least usual")
    found = told("help new customers", "advise clients", Words(replaced=USUAL))
    assert [found[name] for name in names] == [0, 1, -3]
    found = told("help customers", "help staff", Words(replaced=USUAL))
    assert [found[name] for name in names] == [1, 2, 9]
    found = told("help staff", "help staff", Words(replaced=USUAL))
    assert [found[name] for name in names] == [0, 0, 9]


def test_a_text_is_a_phrase_by_its_first_word() -> None:
    found = told("managing staff", "staff", Words(first={"managing": 2.5, "manager": -3, "staff": -1}))
    assert [found[name] for name in ("phrase, the less", "phrase, the more")] == [-1, 2.5]
    assert told("#", "staff")["phrase, the less"] == 0


def test_phrases_begin_as_labels_and_are_long() -> None:
    sides = {
        ("manage large ships", "managing ships"): True,
        ("large ships", "manage many ships"): True,
        ("manage ships", "managing ships"): False,
        ("managing ships well", "ships"): False,
        ("java games design", "manage java games"): False,  # by how they begin, both together
        ("large ships afloat", "small ships at sea"): False,
        ("#", "manage large ships"): False,
    }
    left, right = zip(*sides, strict=True)
    words = Words(first={"manage": 2.0, "managing": 1.5, "java": -2.0})
    found = are_phrases(features(left, right, np.zeros(len(sides), np.float32), words))
    assert found.tolist() == list(sides.values())


def test_opposites_are_single_words_each_pair_once() -> None:
    rows = (files("skillsim") / "data" / "opposites.csv").read_text("utf-8").splitlines()
    pairs = [row.split(",") for row in rows[1:]]
    assert rows[0] == "one,other"
    assert pairs == sorted(pairs)
    assert all(one < other for one, other in pairs)
    assert len({tuple(pair) for pair in pairs}) == len(pairs) > 900
    assert all(len(form(word).stems) == 1 for pair in pairs for word in pair)
    assert all(len(pair.split()) == 2 for pair in opposites())
    assert {"day night", "qualit quantit"} <= opposites()


ONE_WORD = st.sampled_from(
    [
        *("data", "base", "database", "databases", "dataset", "set", "i18n", "2007", "2013", "d", "d++", "the", "of"),
        *("manager", "managing", "mgt", "management", "mangement", "auditor", "audit", "unaudited", "audited", "हिंदी"),
        *(
            "donaudampfschifffahrtsgesellschaft",
            "donaudampfschifffahrtsgeselschaft",
            "auditors",
            "in",
            "insource",
            "source",
        ),
        *("customer", "clients", "help", "advise", "admin", "administration", "research", "development", "r&d", "rd"),
        *("qualitative", "quantitative", "day", "night", "days"),
    ]
) | st.text("abcdeé12+#.-", max_size=12)
TEXTS = st.lists(ONE_WORD, max_size=6).map(" ".join)
KNOWN = Words(
    {"1 data": 1.5, "2 data": -0.5, "1 set": 2, "2 manag": 0.25, "2 help": 1},
    {"client custom": -1.0, "advis help": -3.0, "base set": -2.0, "audit help": -1.5, "data help": -1.0},
    {"manager": 2.5, "data": -1.0},
)


@given(TEXTS, TEXTS)
def test_a_pair_has_no_order_and_every_text_is_itself(a: str, b: str) -> None:
    assert told(a, b, KNOWN) == told(b, a, KNOWN)
    assert Pairing.of(form(a), form(a)).words() == ([], [])


AGENT = re.compile(r"(or|er|ist|ian)s?$")
PREFIXES = {
    *(
        "anti",
        "bi",
        "de",
        "dis",
        "down",
        "hyper",
        "im",
        "in",
        "inter",
        "intra",
        "macro",
        "micro",
        "mono",
        "multi",
        "no",
    ),
    *("non", "out", "over", "post", "pre", "re", "sub", "trans", "un", "under", "up"),
}
WIDE = st.lists(ONE_WORD, min_size=9, max_size=14).map(" ".join)


@given(st.lists(st.tuples(TEXTS | WIDE, TEXTS | WIDE), max_size=12))
def test_many_pairs_look_like_each_of_them(pairs: list[tuple[str, str]]) -> None:
    cosine = np.linspace(0, 1, len(pairs), dtype=np.float32)
    found = features([a for a, _ in pairs], [b for _, b in pairs], cosine, KNOWN)
    expected = [row(form(a), form(b), float(one), KNOWN) for (a, b), one in zip(pairs, cosine, strict=True)]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, np.float32).reshape(len(pairs), len(FEATURES)))


def row(a: Form, b: Form, cosine: float, words: Words) -> list[float]:
    """In the order of FEATURES; 30 letters where there is no typo, 9 where no word is left over or replaced."""
    pairing = Pairing.of(a, b)
    one, other = pairing.words()
    short, long = sorted((a.compact, b.compact), key=len)
    both = bool(one and other)
    weight = min((words.left_over.get(name, -3.0) for name in left_over(one, other)), default=9.0)
    usual = replacements(one, other, words.replaced)
    phrase = sorted(words.first.get(of.words[0], 0.0) if of.words else 0.0 for of in (a, b))
    return [
        cosine,
        a.compact == b.compact,
        1 - OSA.distance(short, long) / max(len(long), 1),
        JaroWinkler.similarity(short, long),
        len(short),
        len(long) - len(short) if long.startswith(short) else 0,
        min(len(a.stems), len(b.stems)),
        max(len(a.stems), len(b.stems)),
        min(len(a.stems) - len(one), len(b.stems) - len(other)),
        len(pairing.typos),
        min(pairing.typos, default=30),
        pairing.short_forms,
        min(len(one), len(other)),
        max(len(one), len(other)),
        sum(map(len, (*one, *other))) / max(len(a.compact) + len(b.compact), 1),
        9.0 if both else weight,
        weight if both else 9.0,
        min(len(one), len(other)) - len(usual),
        len(one) + len(other) - 2 * len(usual),
        min(usual, default=9.0),
        any(in_order(x, y) in opposites() for x in one for y in other),
        *phrase,
        bool(a.numbers and b.numbers and a.numbers != b.numbers),
        bool(a.numbers) != bool(b.numbers),
        initials_side(a, b) is not None,
        any(prefixed(x, y) or prefixed(y, x) for x in a.words for y in b.words),
        shared(a.stems, b.stems) != shared(b.stems, a.stems),
        sum(bool(AGENT.search(x)) != bool(AGENT.search(y)) for x in a.words for y in b.words if stem(x) == stem(y)),
    ]


def prefixed(word: str, other: str) -> bool:
    return len(word) > len(other) and word.endswith(other) and word[: -len(other)] in PREFIXES


def shared(stems: Sequence[str], others: Sequence[str]) -> list[str]:
    return [stem for stem in stems if stem in others]


def test_stems_are_those_the_shipped_weights_are_named_by() -> None:
    words = [
        "managing",
        "operations",
        "analyses",
        "electricity",
        "programmers",
        "negotiation",
        "skills",
        "companies",
        "i18n",
        "c++",
    ]
    assert form(" ".join(words)).stems == (
        *("manag", "oper", "analys", "electr", "programm", "negoti", "skill", "compani", "i18n", "c++"),
    )
