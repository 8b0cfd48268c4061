"""Learning what makes two texts one skill."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from skillsim.cells import cells_of
from skillsim.variants import METADATA, Variants
from training.made_pairs import made_pairs
from training.variant_pairs import _same, near_pairs
from training.variants import choose, fit, word_weights

SKILLS = ["unit testing", "front end development", "sql server 2008", "project management", "data visualisation"]
SKILLS += ["inbound sales", "network security", "tax accounting", "arc welding", "event planning", "web services"]


def test_a_fit_keeps_spellings_together_and_other_words_apart(tmp_path: Path) -> None:
    """With a cosine that says nothing, by the words alone; and what is read back scores as what was written."""
    made = [pair for seed in range(40) for pair in made_pairs(SKILLS, str(seed))]
    pairs = pd.DataFrame(made, columns=["a", "b", "same"]).assign(cosine=0.8, weight=1.0, source="made")
    parameters, weights = fit(pairs)
    assert weights == {}
    save_file(
        parameters, tmp_path / "v", metadata={METADATA: json.dumps({"weights": {}, "threshold": 0.5, "floor": 0})}
    )
    variants = Variants.load(tmp_path / "v")
    same = [
        ("stock control", "stock-control"),
        ("lesson planning", "planning lesson"),
        ("logistics management", "logistics managment"),
    ]
    other = [("outbound calls", "inbound calls"), ("office 2010", "office 2016"), ("cold calling", "hot calling")]
    left, right = zip(*same, *other, strict=True)
    scores = variants.score(left, right, np.full(6, 0.8, np.float32))
    assert scores[:3].min() > 0.5 > scores[3:].max()
    assert (
        Variants(parameters, {}, 0.5, 0.3, 0).score(left, right, np.full(6, 0.8, np.float32)).tolist()
        == scores.tolist()
    )


def test_a_word_weighs_what_its_pairs_say() -> None:
    names = [
        ["1 skill"],
        ["1 skill"],
        ["1 skill"],
        ["1 tax"],
        ["1 tax"],
        ["1 tax"],
        ["2 hot", "2 cold"],
        [],
        ["1 rare"],
    ]
    same = np.array([True, True, True, False, False, False, False, True, True])
    found = word_weights(names, same, np.array([1, 1, 1, 1, 1, 1, 9, 9, 1.0]))
    assert set(found) == {"1 skill", "1 tax", "2 hot", "2 cold"}
    assert found["1 skill"] > 0 > found["1 tax"]
    share = 5 / 9
    assert found["1 tax"] == pytest.approx(np.log(8 * share / (3 + 8 * (1 - share))), abs=1e-3)


def test_near_pairs_are_those_of_all_with_all() -> None:
    random = np.random.default_rng(2)
    texts = [f"{'abc'[row % 3]}{row // 3} skill" for row in range(300)] + ["front end", "frontend", "front-end"]
    vectors = random.normal(size=(len(texts), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, cosines = near_pairs(texts, vectors, 0.95)
    cells = [set(cells_of(text, ())) for text in texts]
    expected = {
        (a, b) for a, b in combinations(range(len(texts)), 2) if vectors[a] @ vectors[b] >= 0.95 or cells[a] & cells[b]
    }
    assert [tuple(row) for row in rows] == sorted(expected)
    assert cosines == pytest.approx([vectors[a] @ vectors[b] for a, b in rows], abs=1e-6)


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


def test_the_threshold_is_the_lowest_that_all_allow() -> None:
    index = np.round(np.arange(0.30, 1.0, 0.02), 2)
    curve = pd.DataFrame({"precision": np.linspace(0.9, 1.0, len(index))}, index=index)
    assert choose({"a": curve}, np.zeros(3)) == pytest.approx(0.64)
    assert choose({"a": curve, "b": curve - 0.02}, np.zeros(3)) == pytest.approx(0.78)
    assert choose({"a": curve}, np.array([0.9, 0.1])) == pytest.approx(0.92)
    assert choose({"a": curve - 1}, np.zeros(3)) == pytest.approx(0.98)
