"""Fit the decision's trees and logistic, and turn them into plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skillsim.lexicon import KINDS
from training.examples import Examples

# Chosen by cross-validation, where differences stayed within the noise (training/LOG.md).
TREES = {
    "max_iter": 150,
    "learning_rate": 0.08,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 40,
    "l2_regularization": 2.0,
    "max_features": 0.5,
}
KIND_C = 0.1  # inverse strength of the kind's penalty


def fit(data: Examples, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """What decider.probabilities reads."""
    found = data.pool
    trees = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=seed)
    trees.fit(np.concatenate([found.signals, found.context[found.text]], axis=1), data.right)
    about = StandardScaler().fit(found.context)
    kinds = LogisticRegression(C=KIND_C, max_iter=2_000).fit(about.transform(found.context), data.kind)
    weight = np.zeros((found.context.shape[1], len(KINDS)))
    bias = np.full(len(KINDS), -30.0)  # a kind that no string has
    weight[:, kinds.classes_], bias[kinds.classes_] = _of_each_class(kinds)
    scale = np.asarray(about.scale_)
    return tree_arrays(trees) | {
        "kind_mean": np.asarray(about.mean_, dtype=np.float32),
        "kind_scale": scale.astype(np.float32),
        "kind_weight": weight.astype(np.float32),
        "kind_bias": bias.astype(np.float32),
    }


def _of_each_class(model: LogisticRegression) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights and biases of a softmax; of two classes scikit-learn keeps the second's alone."""
    weight, bias = model.coef_.T, model.intercept_
    return (weight, bias) if len(model.classes_) > 2 else (np.hstack([0 * weight, weight]), np.array([0.0, bias[0]]))


def tree_arrays(model: HistGradientBoostingClassifier) -> dict[str, npt.NDArray[Any]]:
    """(trees, nodes) arrays of a fitted model, that no version of scikit-learn is needed to read; a leaf is its own
    child."""
    trees = [predictor.nodes for (predictor,) in model._predictors]
    shape = len(trees), max(map(len, trees))
    own = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
    arrays: dict[str, npt.NDArray[Any]] = {
        "tree_feature": np.zeros(shape, np.int32),
        "tree_threshold": np.zeros(shape, np.float64),
        "tree_left": own.copy(),
        "tree_right": own.copy(),
        "tree_value": np.zeros(shape, np.float64),
        "baseline": np.array(float(np.ravel(model._baseline_prediction)[0])),
    }
    for row, nodes in enumerate(trees):
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        for name, of in (
            ("feature", "feature_idx"),
            ("threshold", "num_threshold"),
            ("left", "left"),
            ("right", "right"),
        ):
            arrays[f"tree_{name}"][row, inner] = nodes[of][inner]
        leaves = np.flatnonzero(nodes["is_leaf"])
        arrays["tree_value"][row, leaves] = nodes["value"][leaves]
    return arrays
