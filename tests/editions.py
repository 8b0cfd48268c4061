"""Another edition of a taxonomy: its CSV files with concepts removed, renamed, split and merged, and labels moved."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "skills_en.csv"


@dataclass(frozen=True)
class Edits:
    """Concept URIs; of `merged` and `moved` pairs the first gives its labels, or one of them, to the second."""

    removed: Sequence[str] = ()
    renamed: Sequence[str] = ()
    split: Sequence[str] = ()
    merged: Sequence[tuple[str, str]] = ()
    moved: Sequence[tuple[str, str]] = ()

    @staticmethod
    def of(concepts: Sequence[str]) -> "Edits":
        """Seven a round: removed, renamed, split, merged into another, a label moved to another."""
        rounds = [concepts[start : start + 7] for start in range(0, len(concepts) // 7 * 7, 7)]
        columns = list(zip(*rounds, strict=True))
        merged, moved = (list(zip(columns[i], columns[i + 1], strict=True)) for i in (3, 5))
        return Edits(columns[0], columns[1], columns[2], merged, moved)

    @property
    def gone(self) -> set[str]:
        return {*self.removed, *self.split, *(uri for uri, _ in self.merged)}


def edit(folder: Path, edits: Edits) -> None:
    """Change the CSV in `folder`."""
    with (folder / NAME).open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        rows = {row["conceptUri"]: row for row in reader}
    for uri in edits.renamed:
        rows[uri]["altLabels"] += "\n" + rows[uri]["preferredLabel"]
        rows[uri]["preferredLabel"] += " and the like"
    for uri in edits.split:
        labels = [rows[uri]["preferredLabel"], *rows[uri]["altLabels"].splitlines()]
        for number, part in enumerate((labels[::2], labels[1::2])):
            first, others = f"{part[0]} ({number})", "\n".join(part)
            new = {"conceptUri": f"{uri}-{number}", "preferredLabel": first, "altLabels": others}
            rows[f"{uri}-{number}"] = rows[uri] | new
    for uri, into in edits.merged:
        rows[into]["altLabels"] += "\n" + "\n".join([rows[uri]["preferredLabel"], rows[uri]["altLabels"]])
    for uri, to in edits.moved:
        label, *rest = rows[uri]["altLabels"].splitlines()
        rows[uri]["altLabels"] = "\n".join(rest)
        rows[to]["altLabels"] += "\n" + label
    for uri in edits.gone:
        del rows[uri]
    with (folder / NAME).open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(rows.values())
