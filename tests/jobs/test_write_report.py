"""The report written anew, with the outcomes of groups of people."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.write_report import main
from tests.jobs.test_audit_fairness import people
from tests.reports import Tables

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def test_the_report_has_the_outcomes_of_groups(continued: Path, submit: Callable[..., object], tmp_path: Path) -> None:
    told = people(continued)
    told["gender"] = ["b" if row % 3 else "a" for row in range(len(told))]
    path = tmp_path / "groups.csv"
    told.iloc[:-2].to_csv(path, index=False)
    (continued / "report.html").unlink()
    ended = submit(main, "--output", continued, "--groups", path, "--group", "gender")
    assert (ended.code, ended.err) == (0, "")
    page = (continued / "report.html").read_text(encoding="utf-8")
    shown = {(row[0], row[1]): row[2:4] for row in Tables(page).rows["impact"][1:]}
    for group, rows in told.iloc[:-2].groupby("gender"):
        assert shown["any skill linked", group] == [str(len(rows)), f"{rows['linked'].mean():.3f}"]
    assert "records without a group: 2." in page
    elsewhere = tmp_path / "report.html"
    assert submit(main, "--output", continued, "--page", elsewhere).code == 0
    assert "no groups were given" in elsewhere.read_text(encoding="utf-8")
    refused = submit(main, "--output", continued, "--groups", path)
    assert (refused.code, "or neither" in refused.err) == (2, True)
