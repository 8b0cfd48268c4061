"""The report: what it says, that it is one safe page by itself, and that it is written whole."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from skillsim import pages
from skillsim.report import ESCO_NOTICE, ReportData, coverage, render_report, write_report
from tests.reports import EMPTY, HOSTILE, Tables, full_report

FULL = full_report()


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra `map` is not installed."""
    for name in ("altair", "vl_convert"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("skillsim.report.find_spec", lambda name: None)


@pytest.fixture
def small_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundling the real one takes seconds."""
    pytest.importorskip("altair", reason="the extra `map` is not installed")
    monkeypatch.setattr(pages, "chart_library", lambda: "/* library */")


def visible(page: str) -> str:
    """The text of the page without its tags, scripts and style."""
    hidden = r"<style>.*?</style>|<script>.*?</script>|<[^>]+>"
    return re.sub(r"\s+", " ", re.sub(hidden, " ", page, flags=re.DOTALL))


def charts_of(page: str) -> dict[str, dict[str, object]]:
    return json.loads(re.search(r"Object\.entries\((\{.*\})\)\)$", page, re.MULTILINE)[1])


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({}, 0.0),
        ({"rejected": 5}, 0.0),
        ({"matched": 5}, 1.0),
        ({"matched": 1, "rejected": 99}, 1.0),
        ({"matched": 1, "nil": 2, "not_skill": 1}, 0.25),
        (FULL.now.statuses, 3 / 8),
    ],
)
def test_coverage_is_of_the_mentions_that_are_not_rejected(statuses: dict[str, int], expected: float) -> None:
    assert coverage(statuses) == pytest.approx(expected)


@pytest.mark.usefixtures("small_library")
def test_the_page_says_what_the_data_says() -> None:
    page = render_report(FULL)
    said, tables = visible(page), Tables(page).rows
    for part in ("37.5% of what could be read", "+12.5 points", "10 mentions", "+5 since", "1,234 records"):
        assert part in said
    assert tables["coverage"][1][:4] == ["matched", "3", "30.0%", "1"]
    assert tables["history"][1:] == [
        ["2026-03-02 09:30 UTC", "10", "3", "37.5%"],
        ["2026-02-23 09:30 UTC", "5", "1", "25.0%"],
    ]
    assert tables["skills"][1][:3] == ["Java", "3", "2"]
    assert tables["emerging"][1:] == [
        ["Power BI", "power-bi, Power BI", "Java", "1,400", "1,500", "+100", "9"],
        ["vibe coding", "", "no", "0", "12", "new", "9"],
    ]
    assert tables["missing"][1][:5] == ["Power BI", "power-bi, Power BI", "data analysis", "1,500", "9"]
    assert tables["review"][1][:4] == ["Power BI", "Java · business intelligence", "2", "2"]
    assert [row[:2] for row in tables["rejected"][1:]] == [["empty", "1"], ["number", "1"]]
    assert tables["feeds"][1] == ["Power BI", "1,234", "10", "37.5%", "2", "20.0%"]
    assert tables["impact"][2][:5] == ["any skill linked", "b", "300", "0.500", "0.56"]
    assert tables["impact"][2][6] == "below four fifths"
    assert "records without a group: 3." in said
    assert tables["stages"][1][:3] == ["links", "12,345", "6"]
    assert "at least 2 records" in said
    assert "60 skills; 4 others" in said


@pytest.mark.usefixtures("small_library")
def test_charts_are_drawn_of_what_there_is() -> None:
    places = ["status", "coverage", "growth", "map", "impact-0"]
    page = render_report(FULL)
    assert set(charts_of(page)) == {f"chart-{place}" for place in places}
    for place in charts_of(page):
        assert f'id="{place}"' in page
    only_new = replace(FULL, earlier=(), emerging=(), points=FULL.points[:0], audit=None)
    assert list(charts_of(render_report(only_new))) == ["chart-status"]


@pytest.mark.usefixtures("without_charts")
def test_without_the_extra_there_are_tables_and_bars_and_how_to_get_charts() -> None:
    page = render_report(FULL)
    assert "pip install 'skillsim[map]'" in page.replace("&#39;", "'")
    assert "vegaEmbed" not in page
    assert page.count('class="bar"') >= 5 + 2 + 2 + 2 + 2
    assert Tables(page).rows["skills"][1][0] == "Java"


@pytest.mark.usefixtures("small_library")
def test_nothing_is_a_page_too() -> None:
    page = render_report(EMPTY)
    said = visible(page)
    assert "0.0% of what could be read" in said
    assert "vegaEmbed" not in page
    assert "at least" not in said
    assert said.count(" none ") == 6
    for missing in ("the first run", "clusters.decision=auto", "No map was made", "no groups were given"):
        assert missing in said
    later = visible(render_report(replace(EMPTY, clusters=(), unlinked=None)))
    assert "no mentions of an earlier day" in later


@pytest.mark.usefixtures("small_library")
@pytest.mark.parametrize("data", [EMPTY, FULL], ids=["empty", "full"])
def test_the_page_loads_nothing_and_has_the_esco_notice(data: ReportData) -> None:
    page = render_report(data)
    assert ESCO_NOTICE in visible(page)
    assert "default-src 'none'" in page
    for loading in (r"\bsrc(set)?\s*=", r"\bhref\s*=(?!\"#)", r"<link", r"<iframe", r"@import", r"url\("):
        assert not re.search(loading, page.casefold()), loading


@pytest.mark.usefixtures("small_library")
def test_texts_of_the_data_are_escaped_wherever_they_stand() -> None:
    plain, page = render_report(FULL), render_report(full_report(HOSTILE, HOSTILE))
    assert page.count("<script>") == plain.count("<script>")
    assert page.count("</script>") == plain.count("</script>")
    assert "<img" not in page
    assert page.count("</td>") == plain.count("</td>")
    shown = Tables(page).rows
    assert shown["review"][1][0] == shown["skills"][1][0] == shown["feeds"][1][0] == HOSTILE
    drawn = charts_of(page)["chart-growth"]["data"]["values"]
    assert drawn[0]["skill"] == HOSTILE


@pytest.mark.usefixtures("without_charts")
def test_the_page_is_written_whole_and_replaces_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    write_report(EMPTY, path)
    write_report(replace(FULL, facts={"Straße": "護理"}), path)
    assert "護理" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
