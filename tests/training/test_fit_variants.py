"""Learning what makes two texts one skill."""

from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skillsim.cells import cells_of, is_single
from skillsim.config import LEAST_SCORE
from skillsim.encoder import Encoded
from skillsim.errors import TrainingError
from skillsim.pair_features import Words
from skillsim.variants import Variants
from training.made_pairs import made_pairs
from training.splits.held_out import is_held_out
from training.variant_pairs import Skills, _same, near_pairs
from training.variants import choose, fit, is_phrase, write

SKILLS = ["load balancing", "stock room control", "exchange server 2007", "warehouse management", "colour matching"]
SKILLS += ["day shifts", "network cabling", "pension accounting", "roof tiling", "menu planning", "room services"]


def test_a_fit_keeps_spellings_together_and_other_words_apart(tmp_path: Path) -> None:
    """With a cosine that says nothing, by the words alone, and read back."""
    made = [pair for seed in range(40) for pair in made_pairs(SKILLS, str(seed))]
    pairs = pd.DataFrame(made, columns=["a", "b", "same"]).assign(cosine=0.8, source="made")
    parameters, words = fit(pairs, {"client custom": -1.0})
    assert words == Words({}, {"client custom": -1.0}, {})
    write(tmp_path / "v", Variants(parameters, words, 0.5, LEAST_SCORE, 0.2, "a model"))
    variants = Variants.load(tmp_path / "v")
    assert (variants.threshold, variants.floor, variants.model_id) == (0.5, 0.2, "a model")
    assert variants.words == words
    same = [
        ("claims handling", "claims-handling"),
        ("menu budget", "menus budget"),
        ("yard management", "yard managment"),
    ]
    other = [("night calls", "day calls"), ("outlook 2007", "outlook 2013"), ("paper folding", "metal folding")]
    left, right = zip(*same, *other, strict=True)
    scores = variants.score(left, right, np.full(6, 0.8, np.float32))
    assert scores[:3].min() > 0.5 > scores[3:].max()


def test_phrases_are_long_or_begin_as_phrases() -> None:
    first = {"manag": 2.0, "java": -1.0}
    assert is_phrase("manage ships", "managing boats", first)
    assert not is_phrase("manage ships", "ships", first)
    assert not is_phrase("java games", "java gaming", first)
    assert is_phrase("java games design", "design of java games", first)
    assert not is_phrase("#", "manage ships", first)


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
    """ "shared text" is a label of a held-out concept and of one to learn from."""
    held = next(f"u{n}" for n in range(1_000) if is_held_out(f"u{n}"))
    free = [f"u{n}" for n in range(1_000) if not is_held_out(f"u{n}")][:3]
    labels = {
        held: ["held name", "held label", "shared text"],
        free[0]: ["roof tiling", "shared text", "tiling of roofs"],
        free[1]: ["night calls", "calls by night"],
        free[2]: ["menu planning", "menus planning"],
    }
    rows = [
        ("judged of held", "skill", (held,)),
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
    concepts, traps = SimpleNamespace(labels=labels), pd.DataFrame([trap], columns=["a", "b"])
    sides = [("held label", "real label"), ("menu planning", "menu plans"), tuple(measured), ("sap", "sap fico")]
    real = pd.DataFrame(sides, columns=["a", "b"]).assign(same=[True, True, True, False])
    skills = Skills(concepts, judged, traps, real, frozenset({measured}))  # type: ignore[arg-type]
    pairs = skills.pairs(OneVector())  # type: ignore[arg-type]
    texts = {*pairs["a"], *pairs["b"]}
    assert not {"held name", "held label", "shared text", "judged of held", "night porter"} & texts
    found = {frozenset(pair) for pair in zip(pairs["a"], pairs["b"], strict=True)}
    assert {frozenset(("roofs tiling", "tile roofs")), frozenset(("roof tiling", "tiling of roofs"))} <= found
    judged_too = pairs[(pairs["source"] == "judged") & pairs["same"]]
    assert not any("version" in text for text in judged_too["a"])  # judged to be of one concept, but two versions
    assert not found & {frozenset(trap), measured}
    of_feed = pairs[pairs["source"] == "real"]
    assert of_feed[["a", "b", "same"]].to_numpy().tolist() == [["sap", "sap fico", False]]
    made = pairs[pairs["source"] == "made"]
    assert len(made) > 5
    assert "menu planning" not in set(made["a"])


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


def test_the_threshold_is_the_lowest_that_both_allow() -> None:
    index = np.round(np.arange(0.30, 1.0, 0.02), 2)
    curve = pd.DataFrame({"precision": np.linspace(0.9, 1.0, len(index))}, index=index)
    assert choose(curve, np.zeros(3)) == pytest.approx(0.64)
    assert choose(curve, np.array([0.9, 0.1])) == pytest.approx(0.92)
    dips = curve.assign(precision=[0.9] * 3 + [1.0] * 3 + [0.9] * 29)
    assert choose(dips, np.zeros(3)) == pytest.approx(0.36)
    with pytest.raises(TrainingError, match="no threshold has a precision of"):
        choose(curve - 1, np.zeros(3))
