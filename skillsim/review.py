"""The round trip of undecided texts through a curator's spreadsheet: the most valuable first, decisions taken back.

A row shows a text with its best three concepts. Into `decision` goes 1, 2 or 3 for one of these, `concept` with the
URI or the preferred label of another in the column `concept`, `nil` where the taxonomy has none, or `not a skill`; what
is left empty stays undecided. With `yes` in `for_cluster` it is decided for all texts of the row's cluster, as the
cluster is when the sheet comes back; a text's own row wins over that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from skillsim.errors import ReviewError
from skillsim.overrides import Override, key_of

SHOWN = 3
_OF_CANDIDATE = ("label", "uri", "score")
COLUMNS = (
    *("text", "source", "mentions", "records", "status", "explanation", "confidence"),
    *(f"{what}_{place}" for place in range(1, SHOWN + 1) for what in _OF_CANDIDATE),
    *("cluster", "decision", "for_cluster", "concept", "why"),
)
FILLED = ("decision", "for_cluster", "concept", "why")  # by the curator
_NOT_A_SKILL = {"not a skill", "not_skill", "not skill"}
_NIL = {"nil", "no concept"}
_YES_OR_NO = {"yes": True, "y": True, "x": True, "true": True, "no": False, "n": False, "false": False, "": False}


def uncertainty(confidence: pd.Series) -> pd.Series:
    """1 at a confidence of one half, 0 at none and at full: where a decision teaches most. Without one, 1."""
    return (1 - (2 * confidence - 1).abs()).clip(0, 1).fillna(1.0)


def review_sheet(texts: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The `rows` texts with the most mentions times uncertainty, as COLUMNS; ties by text.

    `texts`: text, mentions, records, status, explanation, confidence (probability, or score while uncalibrated), top
    (list of concept_uri, concept_label, score), and cluster where there is one.
    """
    value = texts["mentions"] * uncertainty(texts["confidence"])
    chosen = texts.assign(value=value).sort_values(["value", "text"], ascending=[False, True]).head(rows)
    sheet = chosen.reindex(columns=list(COLUMNS))
    for place in range(1, SHOWN + 1):
        found = [top[place - 1] if top is not None and len(top) >= place else {} for top in chosen["top"]]
        for what, name in zip(_OF_CANDIDATE, ("concept_label", "concept_uri", "score"), strict=True):
            sheet[f"{what}_{place}"] = [candidate.get(name) for candidate in found]
    sheet[list(FILLED)] = ""
    sheet["source"] = ""
    return sheet.reset_index(drop=True)


def write_sheet(sheet: pd.DataFrame, path: Path) -> None:
    """As UTF-8 CSV that Excel opens, or as .xlsx; a cell that a spreadsheet would run as a formula is quoted."""
    safe = sheet.map(_not_a_formula)
    if path.suffix.lower() == ".xlsx":
        safe.to_excel(path, index=False)
    else:
        safe.to_csv(path, index=False, encoding="utf-8-sig")


def _not_a_formula(value: object) -> object:
    """OWASP, CSV injection: a leading =, +, -, @, tab or return makes a formula of a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def read_sheet(path: Path) -> pd.DataFrame:
    """A sheet that comes back. Raises ReviewError where it cannot be read or lacks a column."""
    try:
        if path.suffix.lower() == ".xlsx":
            sheet = pd.read_excel(path, dtype=str, keep_default_na=False)
        else:
            sheet = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, ImportError) as problem:
        raise ReviewError(f"{path} cannot be read as a review sheet: {problem}.") from problem
    needed = ("text", *FILLED[:1], *(f"uri_{place}" for place in range(1, SHOWN + 1)))
    if lacking := [name for name in needed if name not in sheet.columns]:
        raise ReviewError(f"{path}: no column {', '.join(lacking)}. Give the sheet that was exported, filled in.")
    sheet["text"] = [
        text[1:] if text.startswith("'") and _not_a_formula(text[1:]) == text else text for text in sheet["text"]
    ]
    return sheet.reindex(columns=list(COLUMNS), fill_value="")


@dataclass(frozen=True)
class Taken:
    """What a sheet says: decisions, and rows that cannot be taken, each with its line and why."""

    overrides: tuple[Override, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Cluster:
    """Texts that mean one skill; the representative is one of them."""

    representative: str
    texts: tuple[str, ...]


def keys_of_clusters(sheet: pd.DataFrame) -> set[str]:
    """text_key of the rows that ask for a decision on their cluster."""
    asked = (text for text, cell in zip(sheet["text"], sheet["for_cluster"], strict=True) if cell.strip())
    return {key for text in asked if (key := key_of(text))}


def take_decisions(
    sheet: pd.DataFrame, concepts: Mapping[str, str], clusters: Mapping[str, Cluster], by: str, at: datetime
) -> Taken:
    """`concepts`: preferred label by URI; `clusters`: by text_key. Two rows that decide one text differently are both
    problems."""
    uri_of_label = _unique_labels(concepts)
    rows_of: dict[tuple[str, str | None], list[tuple[int, Override]]] = {}
    problems: list[str] = []
    for line, row in enumerate(sheet.to_dict("records"), start=2):
        cells = {str(name): str(value) for name, value in row.items()}
        if not cells["decision"].strip():
            continue
        try:
            of_row = _for_cluster(cells, clusters, _override(cells, concepts, uri_of_label, by, at))
        except ReviewError as problem:
            problems.append(f"row {line}: {problem}")
        else:
            for override in of_row:
                rows_of.setdefault((override.text_key, override.source), []).append((line, override))
    taken, differing = [], dict[tuple[int, ...], str]()
    for rows in rows_of.values():
        own = [(line, one) for line, one in rows if one.representative is None]
        lines, overrides = zip(*(own or rows), strict=True)
        if len({(one.verdict, one.concept_uri) for one in overrides}) == 1:
            taken.append(overrides[0])
        else:
            differing.setdefault(lines, overrides[0].raw)  # of a cluster the first text
    for lines, raw in differing.items():
        problems.append(f"rows {', '.join(map(str, lines))} decide {raw!r} differently: keep one.")
    return Taken(tuple(taken), tuple(problems))


def _for_cluster(row: Mapping[str, str], clusters: Mapping[str, Cluster], override: Override) -> list[Override]:
    """The override, or one of each text of its cluster."""
    said = _YES_OR_NO.get(row["for_cluster"].strip().casefold())
    if said is None:
        raise ReviewError(f"{row['text']!r}: for_cluster {row['for_cluster']!r} is not yes or empty.")
    if not said:
        return [override]
    cluster = clusters.get(override.text_key)
    if cluster is None:
        raise ReviewError(f"{row['text']!r} is in no cluster now: leave for_cluster empty.")
    return [replace(override, raw=text, representative=cluster.representative) for text in cluster.texts]


def _unique_labels(concepts: Mapping[str, str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for uri, label in concepts.items():
        key = label.strip().casefold()
        found[key] = None if key in found else uri
    return found


def _override(
    row: Mapping[str, str], concepts: Mapping[str, str], uri_of_label: Mapping[str, str | None], by: str, at: datetime
) -> Override:
    decision, source = row["decision"].strip().casefold(), row["source"].strip() or None
    common = {"raw": row["text"], "source": source, "decided_by": by, "decided_at": at, "why": row["why"].strip()}
    if decision in _NOT_A_SKILL:
        return Override(verdict="not_skill", concept_uri=None, **common)  # type: ignore[arg-type]
    if decision in _NIL:
        return Override(verdict="nil", concept_uri=None, **common)  # type: ignore[arg-type]
    if decision.removesuffix(".0") in map(str, range(1, SHOWN + 1)):
        named = row[f"uri_{decision.removesuffix('.0')}"].strip()
    elif decision == "concept":
        named = row["concept"].strip()
    else:
        raise ReviewError(
            f"{row['text']!r}: decision {row['decision']!r} is not 1, 2, 3, concept, nil or 'not a skill'."
        )
    uri = named if named in concepts else uri_of_label.get(named.casefold())
    if uri is None:
        raise ReviewError(f"{row['text']!r}: {named!r} is no concept's URI, and no preferred label of one concept.")
    return Override(verdict="concept", concept_uri=uri, **common)  # type: ignore[arg-type]
