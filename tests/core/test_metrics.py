"""Linking scores: literal cases, and the ranking cut against trying every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.metrics import (
    ABSTAINED,
    Outcomes,
    Score,
    bootstrap_weights,
    cut_at_precision,
    linking_scores,
    paired_difference,
    share,
)


def bools(bits: str) -> np.ndarray:
    return np.array([bit == "1" for bit in bits])


def once(n: int) -> np.ndarray:
    return np.ones((1, n), dtype=np.int64)


def cut(confidence: list[float], correct: str, linked: str, at_least: float) -> tuple[float, float]:
    found = cut_at_precision(
        np.array(confidence, dtype=float), bools(correct), bools(linked), at_least, once(len(confidence))
    )
    return float(found.recall[0]), float(found.threshold[0])


def test_the_cut_goes_as_deep_as_the_precision_allows():
    # Right, right, wrong, right: 2 of 2, then 3 of 4.
    assert cut([0.9, 0.8, 0.7, 0.6], "1101", "1111", at_least=0.9) == (0.5, 0.8)
    assert cut([0.9, 0.8, 0.7, 0.6], "1101", "1111", at_least=0.75) == (0.75, 0.6)


def test_a_precision_met_only_deeper_in_the_ranking_still_counts():
    assert cut([0.9, 0.8, 0.7], "011", "111", at_least=0.6) == (pytest.approx(2 / 3), 0.7)


def test_equal_confidences_are_answered_together():
    assert cut([0.9, 0.9], "10", "11", at_least=0.9) == (0.0, np.inf)
    assert cut([0.9, 0.9], "01", "11", at_least=0.5) == (0.5, 0.9)


def test_abstained_strings_are_never_answered_but_count_in_recall():
    assert cut([0.9, ABSTAINED], "11", "11", at_least=0.9) == (0.5, 0.9)
    assert cut([ABSTAINED, ABSTAINED], "11", "11", at_least=0.0) == (0.0, np.inf)


def test_nine_right_of_ten_meet_ninety_percent():
    confidence = [float(-row) for row in range(10)]
    assert cut(confidence, "0111111111", "1" * 10, at_least=0.9) == (0.9, -9.0)


ranking = st.lists(
    st.tuples(st.sampled_from([ABSTAINED, 0.1, 0.2, 0.3, 0.4]), st.booleans(), st.booleans(), st.integers(0, 3)),
    max_size=8,
)


@given(ranking, st.sampled_from([0.0, 0.5, 0.8, 0.9, 1.0]))
def test_the_cut_is_the_best_of_all_thresholds(strings, at_least):
    # Oracle: repeat each string as often as it was drawn, then try every threshold.
    confidence = np.array([c for c, *_ in strings], dtype=float)
    linked = np.array([is_linked for _, _, is_linked, _ in strings], dtype=bool)
    correct = linked & np.array([right for _, right, _, _ in strings], dtype=bool)
    counts = np.array([[count for *_, count in strings]], dtype=np.int64)
    drawn = [row for row, (*_, count) in enumerate(strings) for _ in range(count)]
    total = sum(linked[row] for row in drawn)
    best, best_threshold = 0, np.inf
    for threshold in (0.4, 0.3, 0.2, 0.1):
        answered = [row for row in drawn if confidence[row] >= threshold]
        right = sum(correct[row] for row in answered)
        better = right > best or (best_threshold == np.inf and right == 0)
        if answered and right >= at_least * len(answered) - 1e-9 and better:
            best, best_threshold = right, threshold
    found = cut_at_precision(confidence, correct, linked, at_least, counts)
    if total:
        assert found.recall[0] == pytest.approx(best / total)
    else:
        assert np.isnan(found.recall[0])
    assert found.threshold[0] == best_threshold


def test_each_row_of_weights_is_cut_anew():
    confidence, correct = np.array([0.9, 0.8]), bools("01")
    weights = np.array([[1, 1], [0, 2], [2, 0]])
    found = cut_at_precision(confidence, correct, bools("11"), 0.9, weights)
    assert found.recall.tolist() == [0.0, 1.0, 0.0]
    assert found.threshold.tolist() == [np.inf, 0.8, np.inf]


def test_a_share_counts_draws_and_is_nan_where_none_was_drawn():
    weights = np.array([[1, 1, 1], [3, 0, 0], [0, 0, 3]])
    values = share(bools("101"), bools("110"), weights)
    assert values[:2].tolist() == [0.5, 1.0]
    assert np.isnan(values[2])


def test_bootstrap_weights_begin_with_ones_and_repeat_for_a_seed():
    weights = bootstrap_weights(7, draws=50, seed=3)
    assert weights.shape == (51, 7)
    assert weights[0].tolist() == [1] * 7
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == bootstrap_weights(7, draws=50, seed=3)).all()
    assert (weights != bootstrap_weights(7, draws=50, seed=4)).any()


def test_an_interval_agrees_with_scipys_bootstrap():
    from scipy.stats import bootstrap

    hits = bools("1" * 60 + "0" * 40)
    everyone = np.ones(100, dtype=bool)
    ours = Score.of(share(hits, everyone, bootstrap_weights(100, draws=5_000)), 100)
    theirs = bootstrap((hits.astype(float),), np.mean, n_resamples=5_000, method="percentile", rng=1)
    assert (ours.value, ours.n) == (0.6, 100)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_all_scores_of_five_strings():
    # Right and matched; right by a broad concept, below the threshold; wrong, but among the candidates;
    # a title that is linked; junk left alone.
    outcomes = Outcomes(
        linked=bools("11100"),
        has_exact=bools("10100"),
        top_accepted=bools("11000"),
        top_exact=bools("10000"),
        candidate_accepted=bools("11100"),
        confidence=np.array([0.9, 0.6, 0.5, 0.8, ABSTAINED]),
        matched=bools("10010"),
        title=bools("00010"),
        junk=bools("00001"),
    )
    scores = linking_scores(outcomes, bootstrap_weights(5, draws=100))
    assert {name: (round(score.value, 3), score.n) for name, score in scores.items()} == {
        "acc@1": (0.667, 3),
        "exact@1": (0.5, 2),
        "candidates": (1.0, 3),
        "precision": (0.5, 2),
        "recall": (0.333, 3),
        "recall@P>=0.95": (0.333, 3),
        "recall@P>=0.90": (0.333, 3),
        "recall@P>=0.80": (0.333, 3),
        "titles linked": (1.0, 1),
        "junk linked": (0.0, 1),
    }
    assert scores["acc@1"].low <= scores["acc@1"].value <= scores["acc@1"].high
    only_titles = linking_scores(outcomes.take(outcomes.title), bootstrap_weights(1, draws=10))
    assert np.isnan(only_titles["acc@1"].value)
    assert (only_titles["precision"].value, only_titles["titles linked"].value) == (0.0, 1.0)


def test_a_paired_difference_of_equal_systems_is_certain():
    hits, everyone = bools("10" * 20), np.ones(40, dtype=bool)
    same = paired_difference(hits, hits, everyone, bootstrap_weights(40, draws=200))
    assert (same.value, same.low, same.high, same.n) == (0.0, 0.0, 0.0, 40)
    better = paired_difference(everyone, hits, everyone, bootstrap_weights(40, draws=200))
    assert better.value == 0.5
    assert 0 < better.low < 0.5 < better.high < 1
