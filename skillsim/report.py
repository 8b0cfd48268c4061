"""The report of a run: one self-contained HTML page. What is shown comes as `ReportData`; this module draws it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from skillsim.audit import Audit
from skillsim.charts import coverage_chart, growth_chart, impact_chart, status_chart
from skillsim.pages import Spec, render_page, write_page
from skillsim.skill_map import map_chart

ESCO_NOTICE = (
    "This service uses the ESCO classification of the European Commission. Labels are adapted: cleaned, "
    "deduplicated and matched to the texts of this data."
)

MEANINGS = {
    "matched": "linked to a concept, sure enough to use",
    "ambiguous": "a concept is near: a person should look",
    "nil": "a skill that the taxonomy does not seem to have",
    "not_skill": "a job title, junk, or a curator's word",
    "rejected": "no skill text",
}


def coverage(mentions: Mapping[str, int]) -> float:
    """Matched mentions of those that are not rejected, 0..1; `mentions`: by status."""
    kept = sum(count for status, count in mentions.items() if status != "rejected")
    return mentions.get("matched", 0) / kept if kept else 0.0


@dataclass(frozen=True)
class StatusRow:
    status: str
    mentions: int
    texts: int


@dataclass(frozen=True)
class RunRow:
    """A run as it ended."""

    at: datetime
    statuses: dict[str, int]  # mentions, over the whole table

    @property
    def mentions(self) -> int:
        return sum(self.statuses.values())

    @property
    def coverage(self) -> float:
        return coverage(self.statuses)


@dataclass(frozen=True)
class SourceRow:
    source: str
    records: int
    mentions: int
    matched: int
    rejected: int

    @property
    def coverage(self) -> float:
        return coverage({"matched": self.matched, "others": self.mentions - self.matched - self.rejected})


@dataclass(frozen=True)
class ConceptRow:
    label: str
    uri: str
    mentions: int
    records: int


@dataclass(frozen=True)
class TextRow:
    text: str
    nearest: tuple[str, ...]  # labels of the best candidates
    mentions: int
    records: int


@dataclass(frozen=True)
class ClusterRow:
    representative: str
    spellings: tuple[str, ...]  # others of its texts
    concept: str  # what most of it is linked to, "" where the taxonomy lacks it
    group: str  # nearest to it, "" when there is none
    mentions: int
    mentions_before: int | None  # when mentions last changed; None for a new cluster
    records: int

    @property
    def growth(self) -> str:
        return "new" if self.mentions_before is None else f"{self.mentions - self.mentions_before:+,}"


@dataclass(frozen=True)
class ReportData:
    """All counts are of the whole namespace. Texts seen in fewer than `min_records` records are not in it."""

    run_id: str
    at: datetime
    facts: dict[str, str]
    sources: tuple[SourceRow, ...]
    statuses: tuple[StatusRow, ...]
    reasons: tuple[tuple[str, int], ...]  # of rejected mentions
    earlier: tuple[RunRow, ...]  # runs, the oldest first
    concepts: tuple[ConceptRow, ...]
    emerging: tuple[ClusterRow, ...] | None  # None where there is nothing to compare with
    clusters: tuple[ClusterRow, ...] | None  # that have no concept; None where the run made no clusters
    unlinked: tuple[TextRow, ...] | None  # without a concept, where there are no clusters
    review: tuple[TextRow, ...]  # ambiguous
    points: pd.DataFrame  # rows of SKILL_MAP; empty where no map was made
    unplaced: int  # clusters as large that the map does not have
    audit: Audit | None
    stages: tuple[dict[str, object], ...]
    min_records: int

    @property
    def records(self) -> int:
        return sum(row.records for row in self.sources)

    @property
    def now(self) -> RunRow:
        return RunRow(self.at, {row.status: row.mentions for row in self.statuses})

    @property
    def runs(self) -> tuple[RunRow, ...]:
        return (*self.earlier, self.now)

    @property
    def change(self) -> float | None:
        """Of coverage since the run before."""
        return self.now.coverage - self.earlier[-1].coverage if self.earlier else None


def render_report(data: ReportData) -> str:
    """Without the extra `map` without charts: the tables are there, and their bars."""
    charts = draw_charts(data) if find_spec("altair") and find_spec("vl_convert") else None
    return render_page("report.html.j2", charts, data=data, meanings=MEANINGS, esco_notice=ESCO_NOTICE)


def draw_charts(data: ReportData) -> dict[str, Spec]:
    """By the id of the element each is drawn in; none without data."""
    charts = {}
    if data.statuses:
        charts["chart-status"] = status_chart(data.statuses)
    if data.earlier:
        charts["chart-coverage"] = coverage_chart(data.runs)
    if data.emerging:
        charts["chart-growth"] = growth_chart(data.emerging)
    if len(data.points):
        charts["chart-map"] = map_chart(data.points)
    for place, outcomes in enumerate(data.audit.found.values() if data.audit else ()):
        charts[f"chart-impact-{place}"] = impact_chart(outcomes)
    return charts


def write_report(data: ReportData, path: Path) -> None:
    write_page(render_report(data), path)
