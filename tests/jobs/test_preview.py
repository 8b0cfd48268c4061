"""What a change would move, on the command line."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from jobs.preview import main
from tests.spark.conftest import SAMPLE
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def test_another_threshold_is_previewed_and_moves_nothing(continued: Path, submit: Callable[..., object]) -> None:
    links = read(continued, "links")
    folder = continued.parent / "deep" / "preview"
    options = ("--folder", folder, "--output", continued, "--taxonomy", SAMPLE / "taxonomy")
    ended = submit(main, *options, "--set", "linking.threshold=0.7", "--set", "report.min_records=1")
    assert (ended.code, ended.err) == (0, "")
    assert read(continued, "links").equals(links)
    assert [file.name for file in folder.iterdir()] == ["moves.csv"]
    moves = pd.read_csv(folder / "moves.csv")
    between = (links["score"] >= 0.7) & (links["status"] == "ambiguous")
    assert len(moves) == between.sum()
    assert set(moves["reason"]) == {"decision"}
    assert set(zip(moves["old_status"], moves["new_status"], strict=True)) == {("ambiguous", "matched")}
    assert moves["mentions"].is_monotonic_decreasing
    assert "ambiguous" in ended.out


def test_an_output_without_a_run_is_refused(continued: Path, submit: Callable[..., object]) -> None:
    runs = continued / "tables" / "runs"
    runs.rename(continued.parent / "runs")
    ended = submit(
        main, "--folder", continued.parent / "preview", "--output", continued, "--taxonomy", SAMPLE / "taxonomy"
    )
    assert ended.code == 2
    assert "no run has succeeded here" in ended.err
