"""The report: what it says, that it is one safe page by itself, and that it is written whole."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from skillsim.report import (
    ESCO_NOTICE,
    ClusterRow,
    ConceptRow,
    ReportData,
    StatusRow,
    TextRow,
    render_report,
    write_report,
)

EMPTY = ReportData(
    facts={},
    records=0,
    mentions=0,
    statuses=(),
    reasons=(),
    concepts=(),
    unlinked=(),
    clusters=None,
    stages=(),
    min_records=1,
)
FULL = ReportData(
    facts={"source": "jobs", "taxonomy": "ESCO 1.1.1"},
    records=1_234,
    mentions=10,
    statuses=(
        StatusRow("matched", 3, 2),
        StatusRow("ambiguous", 2, 2),
        StatusRow("nil", 1, 1),
        StatusRow("not_skill", 2, 1),
        StatusRow("rejected", 2, 0),
    ),
    reasons=(("empty", 1), ("number", 1)),
    concepts=(ConceptRow("Java", "http://data.europa.eu/esco/skill/1", 3, 2),),
    unlinked=(TextRow("vibe coding", "nil", "computer programming", 1, 1),),
    clusters=(
        ClusterRow("Power BI", "data visualisation", 1_500, 1_400, 9, ("powerbi", "power-bi")),
        ClusterRow("vibe coding", "", 2, None, 2, ()),
    ),
    stages=({"stage": "embed", "rows_in": 12_345, "rows_out": 6, "seconds": 1.25},),
    min_records=2,
)
HOSTILE = "<script>alert(1)</script><img src=x onerror='y'>\" & </td>"


def visible(page: str) -> str:
    """The text of the page without its tags and style."""
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))


@pytest.mark.parametrize(
    ("statuses", "coverage"),
    [
        ((), 0.0),
        ((StatusRow("rejected", 5, 0),), 0.0),
        ((StatusRow("matched", 5, 1),), 1.0),
        ((StatusRow("matched", 1, 1), StatusRow("rejected", 99, 0)), 1.0),
        ((StatusRow("matched", 1, 1), StatusRow("nil", 2, 1), StatusRow("not_skill", 1, 1)), 0.25),
        (FULL.statuses, 3 / 8),
    ],
)
def test_coverage_is_of_the_mentions_that_are_not_rejected(statuses: tuple[StatusRow, ...], coverage: float) -> None:
    assert replace(EMPTY, statuses=statuses).coverage == pytest.approx(coverage)


def test_the_page_says_what_the_data_says() -> None:
    said = visible(render_report(FULL))
    for part in (
        *("source: jobs · taxonomy: ESCO 1.1.1", "1,234 records", "10 mentions", "37.5% of the readable"),
        *("matched 3 30.0% 2", "rejected 2 20.0% 0", "empty 1, number 1", "Java 3 2"),
        *("Power BI powerbi, power-bi data visualisation 1,500 +100 9", "vibe coding 2 new 2"),
        *("vibe coding nil computer programming 1 1", "at least 2 records", "embed 12,345 6 1."),
    ):
        assert part in said


def test_nothing_is_a_page_too() -> None:
    said = visible(render_report(EMPTY))
    assert "0.0% of the readable mentions" in said
    assert said.count(" none ") == 2
    assert "at least" not in said
    assert "taxonomy lacks" not in said
    assert visible(render_report(replace(EMPTY, clusters=()))).count(" none ") == 3


@pytest.mark.parametrize("data", [EMPTY, FULL], ids=["empty", "full"])
def test_the_esco_notice_stands_on_every_page(data: ReportData) -> None:
    assert ESCO_NOTICE in visible(render_report(data))
    assert "This service uses the ESCO classification of the European Commission." in ESCO_NOTICE


@pytest.mark.parametrize("data", [EMPTY, FULL], ids=["empty", "full"])
def test_the_page_loads_nothing(data: ReportData) -> None:
    page = render_report(data).casefold()
    for loading in (r"\bsrc(set)?\s*=", r"\bhref\s*=", r"<script", r"<link", r"<iframe", r"@import", r"url\("):
        assert not re.search(loading, page), loading


def test_texts_of_the_data_are_escaped_wherever_they_stand() -> None:
    data = replace(
        FULL,
        facts={HOSTILE: HOSTILE},
        statuses=(StatusRow(HOSTILE, 10, 1),),
        reasons=((HOSTILE, 1),),
        concepts=(ConceptRow(HOSTILE, HOSTILE, 1, 1),),
        unlinked=(TextRow(HOSTILE, HOSTILE, HOSTILE, 1, 1),),
        clusters=(ClusterRow(HOSTILE, HOSTILE, 1, 1, 1, (HOSTILE,)),),
        stages=({"stage": HOSTILE, "rows_in": 1, "rows_out": 1, "seconds": 0.0},),
    )
    page = render_report(data)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 13
    assert 'title="&lt;script' in page
    assert page.count("</td>") == render_report(FULL).count("</td>") - 4 * 5 - 6  # four statuses and a cluster fewer


def test_the_page_is_written_whole_and_replaces_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    write_report(EMPTY, path)
    write_report(replace(FULL, facts={"Straße": "護理"}), path)
    assert "Straße: 護理" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
