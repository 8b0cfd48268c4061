"""The map of a run's clusters, as a table and as a page."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.map_skills import main
from tests.spark.conftest import Run
from tests.spark.identity import read

pytest.importorskip("openTSNE", reason="the extra `map` is not installed")
pytestmark = [pytest.mark.spark, pytest.mark.delta]


def test_every_cluster_has_a_place(clustered: Run, submit: Callable[..., object], tmp_path: Path) -> None:
    root, page = shutil.copytree(clustered.root, tmp_path / "out"), tmp_path / "map.html"
    options = ("--output", root, "--page", page, "--sample", 60, "--points", 40)
    ended = submit(main, *options, "--set", "report.min_records=1")
    assert (ended.code, ended.err) == (0, "")
    clusters, placed = read(root, "clusters"), read(root, "skill_map")
    expected = clusters[clusters["status"] != "not_skill"]
    assert set(placed["cluster_id"]) == set(expected["cluster_id"])
    assert not placed[["x", "y", "pca_x", "pca_y"]].isna().any().any()
    assert placed[["x", "y"]].drop_duplicates().shape[0] > 0.9 * len(placed)
    assert placed["mentions"].sum() == expected["mentions"].sum()
    assert "40 of them drawn" in ended.out
    assert 500_000 < page.stat().st_size < 6_000_000
    few = submit(main, *options, "--set", "report.min_records=100000")
    assert (few.code, "has 0 clusters that 100000 records hold" in few.err) == (2, True)
