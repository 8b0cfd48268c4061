"""The protocol's scores against scikit-learn and brute force, on vectors made for it."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from skillsim.encoder import Encoded
from skillsim.esco import find_bundle, read_taxonomy
from training.protocol import (
    AllLabels,
    Means,
    Paired,
    Protocol,
    average_precisions,
    first_ranks,
    gains,
    measure,
    scores_of,
    unit_weights,
)
from training.splits.held_out import Concepts, is_held_out

SAMPLE = Path(str(files("skillsim") / "data" / "sample" / "taxonomy"))


class Letters:
    """Counts of letters and pairs of them: like texts get like vectors."""

    model_id, dimension = "letters", 26 * 27

    def encode(self, texts: list[str]) -> Encoded:
        vectors = np.full((len(texts), self.dimension), 1e-3)
        for row, text in enumerate(texts):
            letters = [ord(c) - 97 for c in text.lower() if "a" <= c <= "z"]
            for left, right in zip(letters, letters[1:], strict=False):
                vectors[row, 26 + 26 * left + right] += 1
            for letter in letters:
                vectors[row, letter] += 1
        return Encoded((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16), {})


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return Protocol(Concepts(read_taxonomy(find_bundle(SAMPLE))))


@st.composite
def asked(draw):
    queries, targets = draw(st.integers(1, 6)), draw(st.integers(2, 9))
    numbers = st.integers(-3, 3).map(float)
    matrix = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=9)
    q = np.array(draw(matrix.filter(lambda m: len(m) >= 1))[:queries], dtype=np.float32)
    t = np.array((draw(matrix) * targets)[:targets], dtype=np.float32)
    rows = st.lists(st.integers(0, len(t) - 1), min_size=1, max_size=len(t), unique=True)
    return q, t, [sorted(draw(rows)) for _ in q]


@given(asked())
def test_first_ranks_are_those_of_a_sort_that_puts_wrong_ones_first(case) -> None:
    queries, targets, right = case
    for row, rank in enumerate(first_ranks(queries, targets, right)):
        scores = queries[row] @ targets.T
        order = sorted(range(len(targets)), key=lambda t: (-scores[t], t in right[row]))
        assert rank == 1 + next(place for place, t in enumerate(order) if t in right[row])


@given(st.integers(0, 10_000))
def test_average_precision_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, targets = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=(12, 4)).astype(np.float32)
    right = [sorted(rng.choice(12, size=rng.integers(1, 6), replace=False).tolist()) for _ in range(3)]
    relevant = np.array([[t in rows for t in range(12)] for rows in right])
    expected = [average_precision_score(r, q @ targets.T) for r, q in zip(relevant, queries, strict=True)]
    assert average_precisions(queries, targets, right) == pytest.approx(expected)


def test_pair_scores_are_scipys_and_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    cosine, right = rng.normal(size=60), rng.random(60) < 0.5
    unit = [str(n // 3) for n in range(60)]
    weights = unit_weights(unit, 5)
    for drawn in weights.astype(float):
        rows = np.repeat(np.arange(60), drawn.astype(int))
        assert Paired(cosine, right, unit, "auc").score(drawn) == pytest.approx(
            roc_auc_score(right[rows], cosine[rows])
        )
        expected = spearmanr(cosine[rows], right[rows]).statistic
        assert Paired(cosine, right, unit, "spearman").score(drawn) == pytest.approx(expected)
        assert Means(cosine, unit).score(drawn) == pytest.approx(cosine[rows].mean())


def test_rows_of_a_unit_are_drawn_together() -> None:
    weights = unit_weights(["a", "b", "a", "c"], 50)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 2]).all()
    assert set(np.unique(weights)) > {0, 1, 2}


def test_queries_are_of_held_out_concepts_and_occupations(protocol: Protocol) -> None:
    assert protocol.synonyms.texts
    for text, right, uri in zip(protocol.synonyms.texts, protocol.synonyms.right, protocol.synonyms.unit, strict=True):
        assert is_held_out(uri)
        assert {protocol.uris[row] for row in right} == {
            u for u, labels in protocol.concepts.labels.items() if text in labels[1:]
        }
    for queries in (protocol.jobs, protocol.skills):
        assert queries.texts
        assert all(map(is_held_out, queries.unit))
        assert all(queries.right)


def test_all_scores_of_the_sample(protocol: Protocol) -> None:
    scores = scores_of(measure(protocol, Letters()) | {"indexed": AllLabels.of(protocol, Letters()).synonyms()}, 20)
    assert {
        "spearman",
        "auc, noisy",
        "sibling auc",
        "synonym mrr, typo",
        "job to skills map",
        "skill to jobs map",
    } <= set(scores)
    values = {name: value[0] for name, (value, _) in scores.items()}
    assert values["auc"] > 0.6
    assert values["synonym mrr"] > values["synonym mrr, noisy"] > 0.1
    assert values["synonym recall@10"] >= values["synonym mrr"]
    assert all(np.isfinite(value).all() for value, _ in scores.values())
    assert "synonym mrr, casing" not in scores  # cleaning undoes it


def test_a_gain_is_the_difference_of_what_is_drawn_together() -> None:
    unit = ["a", "b", "c", "c"]
    ours, theirs = (scores_of({"score": Means(np.array(v), unit)}, 50) for v in ([1.0, 1, 1, 0], [1.0, 0, 1, 0]))
    gain = gains(ours, theirs)["score"]
    assert gain.value == pytest.approx(0.25)
    assert gain.low >= 0
    assert gains(ours, ours)["score"].high == 0


def test_a_taxonomy_without_occupations_has_the_other_scores(protocol: Protocol) -> None:
    taxonomy = protocol.concepts.taxonomy
    bare = replace(taxonomy, occupations=taxonomy.occupations.slice(0, 0))
    found = measure(Protocol(Concepts(bare)), Letters())
    assert "synonym mrr" in found
    assert not [name for name in found if "job" in name]


def test_an_encoder_that_fails_is_no_score(protocol: Protocol) -> None:
    class Failing(Letters):
        def encode(self, texts: list[str]) -> Encoded:
            return replace(super().encode(texts), failures={0: "device: out of memory"})

    with pytest.raises(ValueError, match="has no vector"):
        measure(protocol, Failing())


def test_a_label_is_found_by_the_others_of_its_concept(protocol: Protocol) -> None:
    """Brute force over all labels but the query's own text."""
    encoder, asked = Letters(), protocol.synonyms
    indexed = AllLabels.of(protocol, encoder).synonyms()
    labels = [(text, row) for row, uri in enumerate(protocol.uris) for text in protocol.concepts.labels[uri]]
    vectors = encoder.encode([text for text, _ in labels]).vectors.astype(np.float32)
    for place in range(0, len(asked.texts), 17):
        query = encoder.encode([asked.texts[place]]).vectors.astype(np.float32)[0]
        best = np.full(len(protocol.uris), -2.0)
        for (text, row), vector in zip(labels, vectors, strict=True):
            if text != asked.texts[place]:
                best[row] = max(best[row], query @ vector)
        own = best[asked.right[place]].max()
        wrong = np.delete(best, asked.right[place])
        assert round(1 / indexed.value[place]) in range(1 + (wrong > own + 1e-5).sum(), 2 + (wrong >= own - 1e-5).sum())


def test_judged_strings_are_linked_by_their_nearest_label(protocol: Protocol) -> None:
    uri = protocol.uris[3]
    judged = pd.DataFrame({"text": [protocol.concepts.labels[uri][0], "zzzz"], "accepted": [(uri,), ()]})
    found = AllLabels.of(protocol, Letters()).judged(Letters(), judged)
    assert found["acc@1"].value.tolist() == [1.0]
    assert found["candidates@12"].unit == [judged["text"][0]]
    assert AllLabels.of(protocol, Letters()).judged(Letters(), judged[1:]) == {}


def test_definitely_related_is_the_lowest_cut_above_which_95_percent_are_right() -> None:
    cosine = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, True, False, True])
    of = [Paired(cosine, right, list("abcde"), statistic) for statistic in ("threshold", "recall")]
    assert [one.score(np.ones(5)) for one in of] == [0.7, 0.75]
    drawn = np.array([1.0, 20.0, 1.0, 1.0, 2.0])
    assert [one.score(drawn) for one in of] == [0.5, 1.0]
