"""Comparing vectors."""

import numpy as np


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of row to row."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
