"""A report with something in every section, and what stands in the tables of a page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pandas as pd

from skillsim.audit import Audit, Group, compare
from skillsim.report import ClusterRow, ConceptRow, ReportData, RunRow, SourceRow, StatusRow, TextRow

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\" & </td>"
EMPTY = ReportData(
    run_id="20260302T093000-1",
    at=AT,
    facts={},
    sources=(),
    statuses=(),
    reasons=(),
    earlier=(),
    concepts=(),
    emerging=None,
    clusters=None,
    unlinked=(),
    review=(),
    points=pd.DataFrame({"x": []}),
    unplaced=0,
    audit=None,
    stages=(),
    min_records=1,
)


def map_points(n: int, name: str = "skill 0") -> pd.DataFrame:
    """Rows of SKILL_MAP; `name`: of the largest."""
    rows: dict[str, object] = {"representative": [name, *(f"skill {row}" for row in range(1, n))]}
    rows |= {"mentions": range(n, 0, -1), "x": [row % 7 / 7 for row in range(n)], "y": [row / n for row in range(n)]}
    rows |= {"status": ["nil"] * n, "concept_label": [None] * n, "group_label": [f"g{row % 20}" for row in range(n)]}
    return pd.DataFrame(rows)


def full_report(text: str = "Power BI", label: str = "Java") -> ReportData:
    """`text` is written by people, `label` comes from a taxonomy."""
    cluster = ClusterRow(text, ("power-bi", text), label, "data analysis", 1_500, 1_400, 9)
    new = replace(cluster, representative="vibe coding", spellings=(), concept="", mentions=12, mentions_before=None)
    rates = compare([Group(text, 400, 0.9, 0.09), Group("b", 300, 0.5, 0.25)])
    statuses = {"matched": 3, "ambiguous": 2, "nil": 1, "not_skill": 2, "rejected": 2}
    return replace(
        EMPTY,
        facts={"run": "20260302T093000-1", "taxonomy": label},
        sources=(SourceRow(text, 1_234, 10, 3, 2),),
        statuses=tuple(StatusRow(status, mentions, 1) for status, mentions in statuses.items()),
        reasons=(("empty", 1), ("number", 1)),
        earlier=(RunRow(AT - timedelta(days=7), {"matched": 1, "nil": 3, "rejected": 1}),),
        concepts=(ConceptRow(label, "http://data.europa.eu/esco/skill/1", 3, 2), ConceptRow("welding", "", 2, 2)),
        emerging=(cluster, new),
        clusters=(replace(cluster, concept=""), new),
        unlinked=None,
        review=(TextRow(text, (label, "business intelligence"), 2, 2), TextRow("forklifts", (), 1, 1)),
        points=map_points(60, text),
        unplaced=4,
        audit=Audit({"gender": {"any skill linked": rates}}, ("records without a group: 3",)),
        stages=({"stage": "links", "rows_in": 12_345, "rows_out": 6, "seconds": 1.25},),
        min_records=2,
    )


class Tables(HTMLParser):
    """Of a page: by the id of the heading a table is under, its rows of cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self._heading, self._cell = "", False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h2", "h3"):
            self._heading = dict(attrs).get("id") or self._heading
        elif tag == "tr":
            self.rows.setdefault(self._heading, []).append([])
        elif tag in ("td", "th"):
            self._cell = True
            self.rows[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[self._heading][-1][-1] += data
