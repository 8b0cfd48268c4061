"""What a pair of texts looks like, word by word."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from skillsim.config import Config
from skillsim.errors import DeciderError
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.pairing import Pairing, form
from skillsim.variants import FEATURES, SHIPPED, Variants, Words, choose_variants, features, left_over, replacements


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
    found = told("managing staff", "staff", Words(first={"manag": 2.5, "staff": -1}))
    assert [found[name] for name in ("phrase, the less", "phrase, the more")] == [-1, 2.5]
    assert told("#", "staff")["phrase, the less"] == 0


TEXTS = st.text("abcdeé12 +#.-", max_size=24)


@given(TEXTS, TEXTS)
def test_a_pair_has_no_order_and_every_text_is_itself(a: str, b: str) -> None:
    assert told(a, b) == told(b, a)
    assert Pairing.of(form(a), form(a)).words() == ([], [])


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


def test_the_shipped_decision_tells_spellings_from_neighbours() -> None:
    variants = Variants.load(SHIPPED[BUILTIN])
    assert variants.model_id == resolve_model(BUILTIN).model_id
    pairs = [("ware house", "warehouse"), ("managing stocks", "stock management"), ("day shifts", "night shifts")]
    left, right = zip(*pairs, strict=True)
    scores = variants.score(left, right, np.array([0.8, 0.9, 0.8], np.float32))
    assert scores[:2].min() > variants.threshold > scores[2]
    assert variants.threshold > variants.keep


def config(decision: str = "auto", **clusters: object) -> Config:
    return Config.model_validate({"clusters": {"decision": decision, **clusters}})


def test_the_shipped_decision_holds_for_its_encoder_alone(tmp_path: Path) -> None:
    model_id = resolve_model(BUILTIN).model_id
    shipped = Variants.load(SHIPPED[BUILTIN])
    found, why = choose_variants(config(), model_id)
    assert found is not None
    assert (found.threshold, found.variants_id, why) == (shipped.threshold, shipped.variants_id, "")
    found, _ = choose_variants(config(threshold=0.95), model_id)
    assert found is not None
    assert (found.threshold, found.variants_id) == (0.95, shipped.variants_id)
    assert choose_variants(config(decision="none"), model_id) == (None, "")
    found, why = choose_variants(config(), "another model")
    assert found is None
    assert "for vectors of another model: fit one, by `python -m training.variants`" in why
    with pytest.raises(DeciderError, match="was not fitted on vectors of another model"):
        choose_variants(config(decision=str(SHIPPED[BUILTIN])), "another model")
    with pytest.raises(DeciderError, match="No such file"):
        choose_variants(config(decision=str(tmp_path / "none")), model_id)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, "No such file"),
        ({}, "variants"),
        ({"variants": "{}"}, "features"),
        ({"variants": '{"features": ["cosine"]}'}, "other features"),
    ],
)
def test_another_file_is_one_error(tmp_path: Path, told: dict[str, str] | None, said: str) -> None:
    if told is not None:
        save_file({"baseline": np.zeros(1)}, tmp_path / "v", metadata=told)
    with pytest.raises(DeciderError, match=rf"{said}.*python -m training\.variants"):
        Variants.load(tmp_path / "v")
