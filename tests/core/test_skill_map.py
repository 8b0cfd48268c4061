"""What a page of the map holds: the points, the library, and no text that would run."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from skillsim.skill_map import MOST_GROUPS, OTHER, draw_map, map_chart

pytest.importorskip("altair", reason="the extra `map` is not installed")
EVIL = "</script><script>alert(1)</script>"


def points(n: int) -> pd.DataFrame:
    rows = {"representative": [EVIL, *(f"skill {row}" for row in range(1, n))], "mentions": range(n, 0, -1)}
    rows |= {name: [0.5] * n for name in ("x", "y", "pca_x", "pca_y")}
    rows |= {"status": ["nil"] * n, "concept_label": [None] * n, "group_label": [f"g{row % 20}" for row in range(n)]}
    return pd.DataFrame(rows)


def test_the_page_holds_all_points_and_runs_none_of_them(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    draw_map(points(50), page)
    text = page.read_text(encoding="utf-8")
    assert EVIL not in text
    assert not re.search(r"""(?:src|href)=["']https?:""", text)
    spec = json.loads(re.search(r'vegaEmbed\("#map", (\{.*\}), \{actions', text)[1])
    drawn = next(iter(spec["datasets"].values()))
    assert [row["representative"] for row in drawn][:2] == [EVIL, "skill 1"]
    assert len(drawn) == 50


def test_the_largest_groups_have_colours_and_the_rest_is_told_together() -> None:
    drawn = next(iter(map_chart(points(6_000))["datasets"].values()))
    assert len(drawn) == 6_000
    groups = {row["group"] for row in drawn}
    assert OTHER in groups
    assert len(groups) == MOST_GROUPS + 1
