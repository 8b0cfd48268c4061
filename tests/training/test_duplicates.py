"""Partitions scored against sets of duplicates, by literal cases and by brute force."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from skillsim.errors import TrainingError
from training.duplicates import Duplicates, differ_in_version, difference, github, half

SETS = {
    "js": frozenset(("javascript", "js", "ecmascript")),
    "k8s": frozenset(("kubernetes", "k8s")),
    "py": frozenset(("python", "python 3")),
}
TEXTS = ["ecmascript", "javascript", "js", "k8s", "kubernetes", "python", "python 3"]
ONE = np.ones((1, 2))


@pytest.mark.parametrize(
    ("cluster", "precision", "recall"),
    [
        ([0, 0, 0, 1, 1, 2, 3], 1.0, 1.0),
        ([0, 1, 2, 3, 4, 5, 6], 0.0, 0.0),
        ([0, 1, 1, 3, 4, 5, 5], 1.0, 1 / 6),  # a version joined counts for nothing
        ([0, 0, 0, 0, 4, 5, 6], 0.25, 0.5),  # of six pairs three are right for js, of three none for k8s
    ],
)
def test_literal_partitions(cluster: list[int], precision: float, recall: float) -> None:
    gold = Duplicates(SETS)
    assert gold.texts == TEXTS
    scores = gold.found(cluster).scores(ONE)
    assert scores["precision"][0] == pytest.approx(precision)
    assert scores["recall"][0] == pytest.approx(recall)
    f1 = 2 * precision * recall / (precision + recall) if recall else 0
    assert scores["f1"][0] == pytest.approx(f1)


def test_b_cubed_is_what_its_definition_says() -> None:
    gold, cluster = Duplicates(SETS), [0, 0, 1, 1, 2, 3, 3]
    same = {frozenset(pair) for texts in SETS.values() for pair in combinations(texts, 2)}
    right = [[a == b or frozenset((a, b)) in same for b in TEXTS] for a in TEXTS]
    joined = [[one == other for other in cluster] for one in cluster]
    both = (np.array(right) & np.array(joined)).sum(axis=1)
    found = gold.found(cluster).b_cubed()
    assert found["precision"] == pytest.approx((both / np.sum(joined, axis=1)).mean())
    assert found["recall"] == pytest.approx((both / np.sum(right, axis=1)).mean())


def test_a_difference_is_drawn_together() -> None:
    gold = Duplicates(SETS)
    weights = np.array([[1, 1], [2, 0], [0, 2]])
    perfect, nothing = gold.found([0, 0, 0, 1, 1, 2, 3]), gold.found([0, 0, 0, 1, 2, 3, 4])
    assert difference(perfect, perfect, weights.astype(float)).value == 0
    score = difference(perfect, nothing, weights.astype(float), "recall")
    assert (score.value, score.n) == (0.5, 2)
    assert (score.low, score.high) == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize(
    ("one", "other", "alone"),
    [
        ("python", "python 3", True),
        ("java", "java development", True),
        ("angular", "angular v2.1", True),
        ("java", "javascript", False),
        ("web developer", "web design", False),
    ],
)
def test_pairs_that_differ_in_a_version_alone(one: str, other: str, alone: bool) -> None:
    assert differ_in_version(one, other) == alone


def test_topics_are_read_and_halved(tmp_path: Path) -> None:
    rows = [
        "topic\tdisplay_name\talias",
        "3d\t3D\t3d-printing",
        "aa\tAA\taa",
        *(f"t{n}\tT{n}x\talias-{n}" for n in range(40)),
    ]
    (tmp_path / "github_topic_aliases.tsv").write_text("\n".join(rows))
    sets = github(tmp_path)
    assert sets["3d"] == {"3d", "3d printing"}
    assert "aa" not in sets
    parts = [set(half(sets, which).sets) for which in (0, 1)]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == set(sets)
    assert min(map(len, parts)) > 10


def test_a_file_with_other_columns_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no list of topic"):
        github(tmp_path)
    (tmp_path / "github_topic_aliases.tsv").write_text("topic\talias\n")
    with pytest.raises(TrainingError, match="is no list of topic"):
        github(tmp_path)
