"""The fit learns what the signals say, and judges no string by a decision that saw its fold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from skillsim.config import Config
from skillsim.decider import probabilities
from skillsim.errors import TrainingError
from skillsim.lexicon import KINDS
from skillsim.metrics import ABSTAINED, Outcomes
from skillsim.signals import CONTEXT, SIGNALS, Pool
from skillsim.trees import Trees
from training import validation
from training.examples import Examples, cross_fitted
from training.fitting import fit, tree_arrays
from training.splits import FOLDS
from training.trained import folds_unseen
from training.validation import Validated, cross_validate, gains, reliability, threshold_of

SIZE = 6


def synthetic(texts: int, seed: int = 0) -> Examples:
    """The right candidate has the highest cosine, where one is high; titles are near other titles."""
    random = np.random.default_rng(seed)
    text = np.repeat(np.arange(texts), SIZE)
    signals = random.normal(size=(len(text), len(SIGNALS))).astype(np.float32)
    context = random.normal(size=(texts, len(CONTEXT))).astype(np.float32)
    cosine = SIGNALS.index("cosine")
    best = signals[:, cosine].reshape(texts, SIZE).argmax(axis=1)
    signals[np.arange(texts) * SIZE + best, cosine] += 1
    right = np.zeros(len(text), dtype=bool)
    linked = signals[:, cosine].reshape(texts, SIZE).max(axis=1) > 2.0
    right[(np.arange(texts) * SIZE + best)[linked]] = True
    title = context[:, CONTEXT.index("nearest_title")] > 0.8
    judged = pd.DataFrame({"fold": np.arange(texts) % FOLDS})
    pooled = Pool(text, text * 0, signals, context, np.arange(texts + 1) * SIZE)
    kinds = np.where(title, KINDS.index("title"), KINDS.index("skill"))
    return Examples(judged, pooled, right, kinds)


def test_it_learns_which_candidate_when_none_and_what_kind() -> None:
    parameters = fit(synthetic(3_000))
    unseen = synthetic(500, seed=1)
    probability, kinds = probabilities(parameters, unseen.pool)
    by_text = probability.reshape(-1, SIZE)
    has = unseen.right.reshape(-1, SIZE).any(axis=1)
    assert (by_text.argmax(axis=1) == unseen.right.reshape(-1, SIZE).argmax(axis=1))[has].mean() > 0.95
    assert ((by_text.max(axis=1) > 0.5) == has).mean() > 0.9
    assert (kinds.argmax(axis=1) == unseen.kind).mean() > 0.9


def test_the_same_examples_give_the_same_parameters() -> None:
    one, other = (fit(synthetic(300)) for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("leaves", [2, 15, 16, 17, 31, 63])
def test_the_arrays_say_what_scikit_learn_says(leaves: int) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(2_000, 5)).astype(np.float32)
    model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=leaves, min_samples_leaf=5, random_state=0)
    model.fit(rows, rows[:, 0] * rows[:, 1] + rows[:, 2] > 0.5)
    unseen = np.vstack([random.normal(size=(1_500, 5)).astype(np.float32), rows[:100]])
    found = tree_arrays(model)
    at = found["tree_threshold"][found["tree_left"] != np.arange(found["tree_left"].shape[1])][:90]
    unseen[: len(at), 0] = at  # where a value is a threshold
    np.testing.assert_allclose(Trees(found).log_odds(unseen), model.decision_function(unseen), atol=1e-9)


def test_a_tree_of_too_many_leaves_is_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(2_000, 2)).astype(np.float32)
    model = HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=64, min_samples_leaf=1, random_state=0)
    model.fit(rows, rows[:, 0] * rows[:, 1] + np.sin(5 * rows[:, 1]) > 0)
    with pytest.raises(ValueError, match="63 at most"):
        Trees(tree_arrays(model))


def test_some_texts_are_taken_with_their_pairs() -> None:
    data = synthetic(8)
    some = data.take(np.array([False, True, True, False, False, True, False, False]))
    assert some.pool.text.tolist() == np.repeat([0, 1, 2], SIZE).tolist()
    assert some.pool.starts.tolist() == [0, SIZE, 2 * SIZE, 3 * SIZE]
    for new, old in enumerate((1, 2, 5)):
        pairs, pairs_before = (slice(row * SIZE, (row + 1) * SIZE) for row in (new, old))
        np.testing.assert_array_equal(some.pool.signals[pairs], data.pool.signals[pairs_before])
        np.testing.assert_array_equal(some.right[pairs], data.right[pairs_before])
        np.testing.assert_array_equal(some.pool.context[new], data.pool.context[old])
    assert some.judged["fold"].tolist() == [1, 2, 5]


def test_no_fold_is_judged_by_a_decision_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = synthetic(40)
    fitted_on: list[set[int]] = []

    def remember(examples: Examples, seed: int) -> set[int]:
        fitted_on.append(set(examples.judged["fold"]))
        return fitted_on[-1]

    def judge(folds: set[int], found: Pool) -> tuple[np.ndarray, np.ndarray]:
        (missing,) = set(range(FOLDS)) - folds
        return np.full(len(found.text), missing, np.float32), np.full((len(found.starts) - 1, len(KINDS)), missing)

    monkeypatch.setattr(validation, "fit", remember)
    monkeypatch.setattr(validation, "probabilities", judge)
    probability, kinds = cross_validate(data)
    assert len(fitted_on) == FOLDS
    assert probability.reshape(-1, SIZE)[:, 0].tolist() == data.judged["fold"].tolist()
    assert kinds[:, 0].tolist() == data.judged["fold"].tolist()


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    confidence = np.array([0.95, 0.9, 0.8, 0.7, 0.6, 0.5, ABSTAINED])
    right = np.array([True, True, True, True, True, False, True])
    yes, no = np.ones(7, dtype=bool), np.zeros(7, dtype=bool)
    found = Outcomes(yes, no, right, no, no, confidence, no, no, no)
    assert threshold_of(found, yes) == 0.6
    assert threshold_of(found, confidence == 0.5) == 1.0


def test_reliability_is_by_tenths() -> None:
    brier, curve = reliability(np.array([0.05, 0.07, 0.95, 1.0]), np.array([False, True, True, True]))
    assert brier == pytest.approx(np.mean([0.05**2, 0.93**2, 0.05**2, 0]))
    assert curve.index.tolist() == [0, 9]
    assert curve["right"].tolist() == [0.5, 1.0]
    assert curve["strings"].tolist() == [2, 2]


def test_examples_put_together_are_what_was_taken_apart() -> None:
    data = synthetic(40)
    first = np.arange(40) % 3 == 0
    parts = [data.take(first), data.take(~first)]
    together = Examples.together(parts)
    order = np.concatenate([np.flatnonzero(first), np.flatnonzero(~first)])
    np.testing.assert_array_equal(together.judged["fold"], data.judged["fold"].to_numpy()[order])
    np.testing.assert_array_equal(together.kind, data.kind[order])
    np.testing.assert_array_equal(together.pool.context, data.pool.context[order])
    for row, text in enumerate(order):
        here, there = together.pool.text == row, data.pool.text == text
        np.testing.assert_array_equal(together.pool.signals[here], data.pool.signals[there])
        np.testing.assert_array_equal(together.right[here], data.right[there])
    np.testing.assert_array_equal(np.diff(together.pool.starts), SIZE)


def outcomes_of(right: list[bool], confidence: list[float]) -> Outcomes:
    every, none = np.ones(len(right), dtype=bool), np.zeros(len(right), dtype=bool)
    hits = np.array(right)
    return Outcomes(every, every, hits, hits, hits, np.array(confidence), every, none, none)


def test_a_gain_is_of_the_same_strings_in_whatever_order() -> None:
    def validated(keys: str, right: list[bool], confidence: list[float]) -> Validated:
        judged = pd.DataFrame({"text_key": list(keys), "stratum": "uniform", "validation": True})
        data = synthetic(len(keys))
        return Validated(replace(data, judged=judged), 0.5, outcomes_of(right, confidence))

    ours = validated("abcd", [True, True, True, False], [0.9, 0.8, 0.7, 0.6])
    theirs = validated("dcba", [False, False, True, True], [0.9, 0.8, 0.7, 0.6])
    found = gains(ours, theirs)["uniform"]
    assert found["acc@1"].value == pytest.approx(0.25)
    assert found["recall@P>=0.90"].value == pytest.approx(0.75)
    assert gains(ours, ours)["V uniform"]["acc@1"].high == 0


def test_encoders_must_cover_all_folds(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text('{"without_folds": [0, 1]}')
    assert folds_unseen(tmp_path) == {0, 1}
    with pytest.raises(TrainingError, match="no folder that training.train wrote"):
        folds_unseen(tmp_path / "elsewhere")
    judged = pd.DataFrame({"fold": [5]})
    with pytest.raises(TrainingError, match="all encoders learnt from fold 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: train one"):
        cross_fitted(judged, tmp_path, Config(), [])
