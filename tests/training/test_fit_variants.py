"""Learning what makes two texts one skill."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from skillsim.cells import cells_of, is_single
from skillsim.config import LEAST_SCORE
from skillsim.encoder import Encoded
from skillsim.errors import TrainingError
from skillsim.pair_features import Words
from skillsim.variants import Variants
from training import label_variants
from training.duplicates import half
from training.made_pairs import made_pairs
from training.splits.held_out import is_held_out
from training.variant_pairs import Skills, _same, near_pairs
from training.variants import Fits, choose_lift, choose_names, fit, lifted, write

SKILLS = ["load balancing", "stock room control", "exchange server 2007", "warehouse management", "colour matching"]
SKILLS += ["day shifts", "network cabling", "pension accounting", "roof tiling", "menu planning", "room services"]


def test_a_fit_keeps_spellings_together_and_other_words_apart(tmp_path: Path) -> None:
    """With a cosine that says nothing, by the words alone, and read back; words are weighed by labels alone."""
    made = [pair for seed in range(40) for pair in made_pairs(SKILLS, str(seed))]
    pairs = pd.DataFrame(made, columns=["a", "b", "same"]).assign(cosine=0.8, source="made")
    labels = [(f"use {skill}", f"using {skill}", True, 0.8, "labels") for skill in SKILLS]
    pairs = pd.concat([pairs, pd.DataFrame(labels, columns=pairs.columns)], ignore_index=True)
    parameters, words = fit(pairs, Words({}, {"client custom": -1.0}, {"use": 2.0}))
    assert set(words.left_over) == {"1 use"}  # "using" is a filler
    assert (words.replaced, words.first) == ({"client custom": -1.0}, {"use": 2.0})
    write(tmp_path / "v", Variants(parameters, words, 0.5, LEAST_SCORE, 0.2, "a model"))
    variants = Variants.load(tmp_path / "v")
    assert (variants.threshold, variants.floor, variants.model_id) == (0.5, 0.2, "a model")
    assert variants.words == words
    same = [
        ("claims handling", "claims-handling"),
        ("menu budget", "menus budget"),
        ("yard management", "yard managment"),
    ]
    other = [("dark calls", "day calls"), ("outlook 2007", "outlook 2013"), ("paper folding", "metal folding")]
    left, right = zip(*same, *other, strict=True)
    scores = variants.score(left, right, np.full(6, 0.8, np.float32))
    assert scores[:3].min() > 0.5 > scores[3:].max()


def test_phrases_and_names_have_a_decision_each(tmp_path: Path) -> None:
    """Phrases are one skill where a word is left over, names are not."""
    sides = [
        (f"{verb} {thing} {more}", f"{verb} {thing}") for verb in ("use", "sort") for thing in SKILLS for more in "xyz"
    ]
    rows = [(a, b, a.startswith("use"), "labels") for a, b in sides]
    pairs = pd.DataFrame(rows * 4, columns=["a", "b", "same", "source"]).assign(cosine=0.8)
    parameters, words = fit(pairs, Words({}, {}, {"use": 2.0, "sort": -2.0}))
    variants = Variants(parameters, words, 0.5, LEAST_SCORE, 0.2, "a model")
    left, right = ("use glue x", "sort glue x"), ("use glue", "sort glue")
    phrase, name = variants.score(left, right, np.full(2, 0.8, np.float32))
    assert phrase > 0.9 > 0.1 > name
    write(tmp_path / "v", lifted(variants, -9.0))
    lower, same = Variants.load(tmp_path / "v").score(left, right, np.full(2, 0.8, np.float32))
    assert (lower, same) == (pytest.approx(expit(logit(phrase) - 9.0)), name)


def test_a_decision_for_labels_takes_all_pairs_for_phrases(tmp_path: Path) -> None:
    """One word more is the same skill in labels, another word is not, though nothing looks like a phrase."""
    rows = [(f"{skill} tasks", skill, True, "labels") for skill in SKILLS]
    rows += [(f"{skill} tasks", f"{skill} costs", False, "preferred") for skill in SKILLS]
    rows += [(a, b, same, "made") for a, b, same in made_pairs(SKILLS, "1")]
    pairs = pd.DataFrame(rows * 6, columns=["a", "b", "same", "source"]).assign(cosine=0.8)
    fits = Fits.of(pairs.assign(fold=-1), Words(), "a model", label_variants.fit)
    write(tmp_path / "v", replace(fits.whole, threshold=0.6, rate=0.2))
    variants = Variants.load(tmp_path / "v")
    assert (variants.threshold, variants.rate) == (0.6, 0.2)
    scores = variants.score(["glue", "glue tasks"], ["glue tasks", "glue costs"], np.full(2, 0.8, np.float32))
    assert scores[0] > 0.6 > scores[1]


def test_the_rate_is_of_kept_pairs_as_they_count() -> None:
    pairs = pd.DataFrame(
        {"same": [True, False, False, True], "source": ["labels", "labels", "preferred", "labels"]}, [3, 1, 4, 7]
    )
    assert label_variants.kept_rate(pairs, np.array([0.9, 0.4, 0.35, 0.1])) == pytest.approx(1 / 2.5)


def test_a_pair_is_scored_by_the_fit_without_its_fold() -> None:
    def scores(value: float) -> SimpleNamespace:
        return SimpleNamespace(score=lambda left, right, cosine: value + cosine)

    fits = Fits(scores(9), {0: scores(0), 1: scores(1)})  # type: ignore[arg-type]
    found = fits.score(["a", "b", "c"], ["d", "e", "f"], np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 0, 1]))
    assert found == pytest.approx([1.1, 0.2, 1.3])


def test_near_pairs_are_those_of_all_with_all() -> None:
    random = np.random.default_rng(2)
    texts = [f"{'abc'[row % 3]}{row // 3} skill" for row in range(700)] + ["ware house", "warehouse", "wh", "wage hub"]
    vectors = random.normal(size=(len(texts), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, cosines = near_pairs(texts, vectors, 0.95)
    cells = [{cell for cell in cells_of(text, ()) if cell < 0} for text in texts]

    def alike(a: int, b: int) -> bool:
        shared = cells[a] & cells[b]
        letters = any(cell >= -(2**62) for cell in shared)
        return letters or (bool(shared) and is_single(texts[a]) != is_single(texts[b]))

    close = vectors @ vectors.T >= 0.95
    expected = [(a, b) for a, b in combinations(range(len(texts)), 2) if close[a, b] or alike(a, b)]
    assert [tuple(row) for row in rows] == expected
    assert {(700, 701), (700, 702), (702, 703)} <= set(expected)
    assert cosines == pytest.approx([vectors[a] @ vectors[b] for a, b in rows], abs=1e-6)


class OneVector:
    """To it all texts are near each other."""

    def encode(self, texts: list[str]) -> Encoded:
        return Encoded(np.tile(np.array([1, 0], np.float16), (len(texts), 1)), {})


def test_nothing_is_learnt_of_traps_of_held_out_concepts_and_of_what_is_measured() -> None:
    """But for labels of the first half of those that are held out; "shared text" is a label of both halves."""
    uris = [f"u{n}" for n in range(1_000)]
    held = {uri: frozenset(("a", "b")) for uri in uris if is_held_out(uri)}
    first, second = (sorted(half(held, which).sets) for which in (0, 1))
    free = [uri for uri in uris if not is_held_out(uri)]
    labels = {
        first[0]: ["held name", "held label", "shared text", "held label 2"],
        first[1]: ["sales clerk", "clerk of sales", "trapped a"],
        first[2]: ["sales clerks", "trapped b"],
        second[0]: ["measured name", "shared text"],
        free[0]: ["roof tiling", "tiling of roofs"],
        free[1]: ["night calls", "calls by night"],
        free[2]: ["menu planning", "menus planning"],
    }
    rows = [
        ("judged of held", "skill", (first[0],)),
        ("held label", "skill", ()),
        ("roofs tiling", "skill", (free[0],)),
        ("tile roofs", "skill", (free[0],)),
        ("night porter", "title", ()),
        ("version 1 of it", "skill", (free[1],)),
        ("version 2 of it", "skill", (free[1],)),
    ]
    judged = pd.DataFrame(rows, columns=["text", "kind", "exact"])
    judged = judged.assign(accepted=judged["exact"], text_key=judged["text"])
    trap, measured = ("menu planning", "menus planning"), frozenset(("night calls", "calls by night"))
    traps = pd.DataFrame([trap, ("trapped a", "trapped b")], columns=["a", "b"])
    sides = [("held label", "real label"), ("menu planning", "menu plans"), tuple(measured), ("sap", "sap fico")]
    real = pd.DataFrame(sides, columns=["a", "b"]).assign(same=[True, True, True, False], weight=7.0)
    skills = Skills(SimpleNamespace(labels=labels), judged, traps, real, frozenset({measured}))  # type: ignore[arg-type]
    pairs = skills.pairs(OneVector())  # type: ignore[arg-type]
    found = {source: {frozenset(pair) for pair in of[["a", "b"]].to_numpy()} for source, of in pairs.groupby("source")}
    one_skill = [("held name", "held label"), ("held name", "held label 2"), ("sales clerk", "clerk of sales")]
    names = ("held name", "held label", "held label 2")
    of_labels = {*one_skill} | {
        (name, other) for name in names for other in ("sales clerk", "clerk of sales", "sales clerks")
    }
    assert found["labels"] == {frozenset(pair) for pair in of_labels}  # none but for a number, none of trapped concepts
    same = pairs[(pairs["source"] == "labels") & pairs["same"]]
    assert {frozenset(pair) for pair in same[["a", "b"]].to_numpy()} == {frozenset(pair) for pair in one_skill}
    assert frozenset(("roofs tiling", "tile roofs")) in found["judged"]
    every = {text for source in ("judged", "real", "made") for pair in found[source] for text in pair}
    assert not {*labels[first[0]], *labels[second[0]], "judged of held", "night porter"} & every
    assert not {text for pair in found["labels"] for text in pair} & {*labels[second[0]], "trapped a", "trapped b"}
    judged_too = pairs[(pairs["source"] == "judged") & pairs["same"]]
    assert not any("version" in text for text in judged_too["a"])  # judged to be of one concept, but two versions
    assert not {frozenset(trap), measured} & set().union(*found.values())
    of_feed = pairs[pairs["source"] == "real"]
    assert of_feed[["a", "b", "same", "weight"]].to_numpy().tolist() == [["sap", "sap fico", False, 7.0]]
    assert (pairs["fold"] >= 0).equals(pairs["source"].isin(["labels", "real"]))
    made = pairs[pairs["source"] == "made"]
    assert len(made) > 5
    assert "menu planning" not in set(made["a"])

    apart = skills.preferred(OneVector())  # type: ignore[arg-type]
    assert not apart["same"].any()
    assert {*apart["a"], *apart["b"]} == {"held name", "sales clerk", "sales clerks", "roof tiling", "night calls"}
    assert len(apart) == 10
    assert (apart["fold"] >= 0).all()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((("u1",), ("u1",)), (("u1", "u2"), ("u1", "u2")), True),
        ((("u1",), ("u1",)), (("u2",), ("u2", "u1")), False),
        ((("u1",), ("u1",)), ((), ("u1",)), None),  # broader than it
        ((("u1",), ("u1",)), ((), ()), False),  # no skill of ESCO's
        (((), ()), ((), ()), None),
    ],
)
def test_what_two_judgements_say_of_a_pair(one, other, same) -> None:  # type: ignore[no-untyped-def]
    exact, accepted = [one[0], other[0]], [one[1], other[1]]
    assert _same(exact, accepted, 0, 1) is same
    assert _same(exact, accepted, 1, 0) is same


def test_the_threshold_of_names_is_the_lowest_that_is_precise_enough() -> None:
    """A pair stands for its weight."""
    scores = np.array([0.9, 0.8, 0.7, 0.5])
    real = pd.DataFrame({"same": [True, False, True, False], "weight": [6.0, 1.2, 6.0, 1.0]})
    assert choose_names(real, scores) == pytest.approx(0.52)
    assert choose_names(real.assign(weight=[6.0, 3.0, 6.0, 1.0]), scores) == pytest.approx(0.82)
    with pytest.raises(TrainingError, match="no threshold has a precision of 0.9 "):
        choose_names(real.assign(same=False), scores)


def test_phrases_are_lifted_as_far_as_both_allow() -> None:
    told = pd.DataFrame(
        {"precision": [0.94, 0.96, 0.94, 0.97], "traps": [0.1, 0.06, 0.04, 0.03]}, [2.0, 1.0, 0.0, -1.0]
    )
    assert choose_lift(told) == -1.0
    assert choose_lift(told.assign(traps=0.05)) == 1.0
    with pytest.raises(TrainingError, match="no threshold has a precision of"):
        choose_lift(told - 1)
