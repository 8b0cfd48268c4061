"""Judged strings to thresholds on the command line."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.calibrate import main
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.judged import COLUMNS
from tests.spark.conftest import SAMPLE

Submit = Callable[..., SimpleNamespace]


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Labels of the sample with a word added, and as many texts that mean nothing."""
    labels = read_taxonomy(find_bundle(SAMPLE / "taxonomy")).labels.to_pylist()[:400:2]
    rows = [[f"{row['label']} work", "skill", "linked", row["concept_uri"], ""] for row in labels]
    rows += [[f"zq{number} vfrt", "junk", "nil", "", ""] for number in range(len(labels))]
    with (tmp_path / "judged.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return tmp_path / "judged.csv"


def test_thresholds_are_found_and_drawn(
    judged: Path, tmp_path: Path, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    chart = tmp_path / "curve.svg"
    at = ("--judged", judged, "--taxonomy", SAMPLE / "taxonomy", "--chart", chart)
    ended = submit(main, *at, "--precision", "0.8", "--precision", "0.5")
    assert ended.code == 0
    assert ">= 0.80" in ended.out
    assert ">= 0.50" in ended.out
    assert "for a precision of 0.8: --set linking.threshold=0." in ended.out
    assert "<svg" in chart.read_text(encoding="utf-8")


def test_what_is_missing_is_named(judged: Path, tmp_path: Path, submit: Submit) -> None:
    assert "no taxonomy: give --taxonomy" in submit(main, "--judged", judged).err
    ended = submit(main, "--judged", tmp_path / "absent.csv", "--taxonomy", SAMPLE / "taxonomy")
    assert ended.code == 2
    assert "absent.csv cannot be read" in ended.err
