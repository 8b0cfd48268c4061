"""Maps of well-separated groups keep them together, and of what was not fitted too."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skillsim.projection import Projection

pytest.importorskip("openTSNE", reason="the extra `map` is not installed")
GROUPS, EACH = 5, 60


@pytest.fixture(scope="module")
def groups() -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors near five centres, and whose they are."""
    random = np.random.default_rng(1)
    centres = random.normal(size=(GROUPS, 32))
    of = np.repeat(np.arange(GROUPS), EACH)
    vectors = centres[of] + 0.3 * random.normal(size=(len(of), 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), of


def share_of_own(places: np.ndarray, of: np.ndarray, others: np.ndarray, theirs: np.ndarray) -> float:
    """How often the nearest other place is of the same group."""
    distance = ((places[:, None] - others[None]) ** 2).sum(axis=2)
    distance[distance == 0] = np.inf
    return float((theirs[distance.argmin(axis=1)] == of).mean())


def test_groups_stay_together_on_the_map(groups: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, of = groups
    fitted = np.arange(len(of)) % 2 == 0
    projection = Projection.fit(vectors[fitted])
    places = projection.neighbours(vectors[fitted])
    assert places == pytest.approx(projection.places, abs=0.05)
    assert share_of_own(places, of[fitted], places, of[fitted]) == 1
    others = projection.neighbours(vectors[~fitted])
    assert share_of_own(others, of[~fitted], places, of[fitted]) == 1
    again = Projection.fit(vectors[fitted])
    assert np.array_equal(again.places, projection.places)


def test_the_first_two_components_are_those_of_pca(groups: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, _ = groups
    expected = PCA(2, svd_solver="full").fit_transform(vectors)
    assert Projection.fit(vectors).pca(vectors) == pytest.approx(expected, abs=1e-3)


def test_few_vectors_have_a_map(groups: tuple[np.ndarray, np.ndarray]) -> None:
    vectors = groups[0][:8]
    projection = Projection.fit(vectors)
    assert projection.neighbours(vectors).shape == projection.pca(vectors).shape == (8, 2)
    assert projection.neighbours(vectors[:0]).shape == (0, 2)
