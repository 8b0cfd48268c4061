"""A map of skills: vectors to two dimensions, fitted on a bounded sample and applied to any number more. No Spark.

PCA keeps distances as they are, as far as two dimensions can; t-SNE (openTSNE; Poličar, Stražar and Zupan, JSS 2024)
keeps neighbours together. A vector that was not fitted lies, on the map of neighbours, among the nearest that were,
each weighed by how near it is, as openTSNE itself places new points first.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from skillsim.errors import ConfigError

Floats = npt.NDArray[np.float32]

_COMPONENTS = 50  # of PCA, in which neighbours are sought
_NEIGHBOURS = 10
_BLOCK = 2_048


@dataclass(frozen=True)
class Projection:
    """`mean`: (dimension,), `components`: (dimension, c) of PCA; `sample`: (m, c) fitted vectors; `places`: (m, 2) of
    those on the map of neighbours."""

    mean: Floats
    components: Floats
    sample: Floats
    places: Floats

    @staticmethod
    def fit(vectors: Floats, seed: int = 0) -> "Projection":
        """On (m, dimension) unit vectors, some thousands. Raises ConfigError where openTSNE is not installed."""
        try:
            from openTSNE import TSNE
        except ImportError as error:
            raise ConfigError("a map of skills needs openTSNE: pip install 'skillsim[map]'.") from error
        pca = PCA(min(_COMPONENTS, *vectors.shape), svd_solver="full").fit(vectors)
        components, mean = pca.components_.T.astype(np.float32), pca.mean_.astype(np.float32)
        sample = (vectors - mean) @ components
        perplexity = min(30, (len(vectors) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=1, verbose=False)
        return Projection(mean, components, sample, np.asarray(tsne.fit(sample), np.float32))

    def pca(self, vectors: Floats) -> Floats:
        """(n, 2): the first two components."""
        return np.asarray((vectors - self.mean) @ self.components[:, :2], np.float32)

    def neighbours(self, vectors: Floats) -> Floats:
        """(n, 2): places on the map of neighbours; a fitted vector's is its own."""
        found = []
        for start in range(0, len(vectors), _BLOCK):
            rows = (vectors[start : start + _BLOCK] - self.mean) @ self.components
            squares = (rows**2).sum(axis=1)[:, None] - 2 * rows @ self.sample.T + (self.sample**2).sum(axis=1)[None, :]
            size = min(_NEIGHBOURS, len(self.sample))
            near = np.argpartition(squares, size - 1, axis=1)[:, :size]
            weight = 1 / np.maximum(np.take_along_axis(squares, near, axis=1), 1e-6)
            weight /= weight.sum(axis=1, keepdims=True)
            found.append((weight[:, :, None] * self.places[near]).sum(axis=1))
        return np.concatenate(found).astype(np.float32) if found else np.empty((0, 2), np.float32)
