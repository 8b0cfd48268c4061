"""Stand-ins for the encoder where what the model knows does not matter, and faults for the real one."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from zlib import crc32

import numpy as np
from safetensors.numpy import save_file

from skillsim.decider import FittedFor
from skillsim.encoder import Encoded, Encoder, TorchEncoder
from skillsim.lexicon import KINDS
from skillsim.signals import CONTEXT, SIGNALS

Batch = list[list[int]]  # token ids of the texts run together


class FakeEncoder:
    """Hashes character trigrams: deterministic, and spellings that look alike are near each other.

    `failing`: text -> why it gets no vector.
    """

    def __init__(self, model_id: str = "fake-1", dimension: int = 64, failing: Mapping[str, str] | None = None) -> None:
        self.model_id = model_id
        self.dimension = dimension
        self.failing = failing or {}
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Encoded:
        self.encoded += texts
        failures = {row: self.failing[text] for row, text in enumerate(texts) if text in self.failing}
        vectors = np.zeros((len(texts), self.dimension))
        for row, text in enumerate(texts):
            if row not in failures:
                vectors[row] = self._vector(text)
        return Encoded(vectors.astype(np.float16), failures)

    def _vector(self, text: str) -> np.ndarray:
        padded = f"  {text} "
        vector = np.zeros(self.dimension)
        for start in range(len(padded) - 2):
            digest = crc32(padded[start : start + 3].encode())
            vector[digest % self.dimension] += 1.0 if digest & 0x10000 else -1.0
        # Grams may cancel out; the first place is always a little more than nothing.
        vector[0] += 1e-3
        return vector / np.linalg.norm(vector)


class RememberingEncoder:
    """A real encoder that runs each text once a test session and counts what it was asked for."""

    def __init__(self, encoder: Encoder) -> None:
        self.model_id = encoder.model_id
        self.dimension = encoder.dimension
        self.asked = 0
        self._encoder = encoder
        self._known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> Encoded:
        self.asked += len(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            encoded = self._encoder.encode(new)
            assert not encoded.failures
            self._known.update(zip(new, encoded.vectors, strict=True))
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float16)
        for row, text in enumerate(texts):
            vectors[row] = self._known[text]
        return Encoded(vectors, {})


def faulty(encoder: TorchEncoder, tokens: int, fault: Callable[[Batch], None]) -> TorchEncoder:
    """The same network in batches of `tokens`, before each of which `fault` may raise."""
    broken = copy.copy(encoder)
    broken.batch_tokens = tokens

    def forward(batch: Batch) -> np.ndarray:
        fault(batch)
        return encoder._forward(batch)

    broken._forward = forward  # type: ignore[method-assign]
    return broken


def raising(error: Exception, when: Callable[[Batch], bool]) -> Callable[[Batch], None]:
    def fault(batch: Batch) -> None:
        if when(batch):
            raise error

    return fault


def tree_parameters(seed: int = 0, trees: int = 3) -> dict[str, np.ndarray]:
    """A decision that was never fitted, as skillsim.decider.probabilities reads it: trees of two levels."""
    random = np.random.default_rng(seed)
    features, about, nodes = len(SIGNALS) + len(CONTEXT), len(CONTEXT), 7
    children = np.tile([[1, 3, 5, 3, 4, 5, 6], [2, 4, 6, 3, 4, 5, 6]], (trees, 1, 1)).astype(np.int32)
    value = random.normal(size=(trees, nodes)) * ([0] * 3 + [1] * 4)
    return {
        "tree_feature": random.integers(0, features, (trees, nodes)).astype(np.int32),
        "tree_threshold": random.normal(size=(trees, nodes)) * 0.3,
        "tree_left": np.ascontiguousarray(children[:, 0]),
        "tree_right": np.ascontiguousarray(children[:, 1]),
        "tree_value": value,
        "baseline": np.array(-3.0),
        "kind_mean": np.zeros(about, np.float32),
        "kind_scale": np.ones(about, np.float32),
        "kind_weight": random.normal(size=(about, len(KINDS))).astype(np.float32),
        "kind_bias": np.zeros(len(KINDS), np.float32),
    }


def fitted_file(path: Path, fitted_for: FittedFor, thresholds: tuple[float, float] = (0.6, 0.1)) -> Path:
    metadata = {"fitted_for": json.dumps(asdict(fitted_for)), "thresholds": json.dumps(thresholds)}
    save_file(tree_parameters(), path, metadata=metadata)
    return path
