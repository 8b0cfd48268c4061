"""The report of a run: one self-contained HTML page. What is shown comes as `ReportData`; this module draws it."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

ESCO_NOTICE = (
    "This service uses the ESCO classification of the European Commission. Labels are adapted: cleaned, "
    "deduplicated and matched to the texts of this data."
)


@dataclass(frozen=True)
class StatusRow:
    status: str
    mentions: int
    texts: int


@dataclass(frozen=True)
class ConceptRow:
    label: str
    uri: str
    mentions: int
    records: int


@dataclass(frozen=True)
class TextRow:
    text: str
    status: str
    nearest: str  # label of the best candidate, "" when there is none
    mentions: int
    records: int


@dataclass(frozen=True)
class ClusterRow:
    """A cluster that the taxonomy has no concept for, by its most frequent text."""

    representative: str
    group: str  # nearest to it, "" when there is none
    mentions: int
    mentions_before: int | None  # when mentions last changed; None for a new cluster
    records: int
    spellings: tuple[str, ...]  # others of its texts

    @property
    def growth(self) -> str:
        return "new" if self.mentions_before is None else f"{self.mentions - self.mentions_before:+,}"


@dataclass(frozen=True)
class ReportData:
    """All counts are of the whole namespace. Texts seen in fewer than `min_records` records are not in it."""

    facts: dict[str, str]
    records: int
    mentions: int
    statuses: tuple[StatusRow, ...]
    reasons: tuple[tuple[str, int], ...]  # of rejected mentions
    concepts: tuple[ConceptRow, ...]
    unlinked: tuple[TextRow, ...]
    clusters: tuple[ClusterRow, ...] | None  # None where the run made none
    stages: tuple[dict[str, object], ...]
    min_records: int

    @property
    def matched(self) -> int:
        return sum(row.mentions for row in self.statuses if row.status == "matched")

    @property
    def coverage(self) -> float:
        """Matched mentions of those that are not rejected, 0..1."""
        kept = sum(row.mentions for row in self.statuses if row.status != "rejected")
        return self.matched / kept if kept else 0.0


def render_report(data: ReportData) -> str:
    environment = Environment(
        loader=PackageLoader("skillsim", "data"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html.j2").render(data=data, esco_notice=ESCO_NOTICE)


def write_report(data: ReportData, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(render_report(data), encoding="utf-8")
    draft.replace(path)
