"""What a page of the map holds: the points, the library, and no text that would run."""

import json
import re
from pathlib import Path

import pytest

from skillsim.skill_map import COLOURS, OTHER, draw_map, map_chart
from tests.reports import HOSTILE, map_points

pytest.importorskip("altair", reason="the extra `map` is not installed")


def test_the_page_holds_all_points_and_runs_none_of_them(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    draw_map(map_points(50, HOSTILE), page)
    text = page.read_text(encoding="utf-8")
    assert "vegaEmbed=" in text.replace(" ", "")
    assert HOSTILE not in text
    assert not re.search(r"""(?:src|href)=["']https?:""", text)
    spec = json.loads(re.search(r"Object\.entries\((\{.*\})\)\)$", text, re.MULTILINE)[1])["map"]
    drawn = next(iter(spec["datasets"].values()))
    assert [row["representative"] for row in drawn][:2] == [HOSTILE, "skill 1"]
    assert len(drawn) == 50


def test_a_name_that_would_lie_on_a_larger_clusters_is_left_out() -> None:
    points = map_points(4).assign(
        x=[0, 0.01, 0, 5], y=[0, 0.01, 3, 5], representative=["Java", "J2EE", "SQL", "nursing"]
    )
    drawn = next(iter(map_chart(points)["datasets"].values()))
    assert [row["representative"] for row in drawn if row["named"]] == ["Java", "SQL", "nursing"]


def test_the_largest_groups_have_colours_and_the_rest_is_told_together() -> None:
    drawn = next(iter(map_chart(map_points(6_000))["datasets"].values()))
    assert len(drawn) == 6_000
    groups = {row["group"] for row in drawn}
    assert OTHER in groups
    assert len(groups) == len(COLOURS) + 1
