"""Curators' decisions as rows of a lexicon, where they also vote for texts like theirs and travel to other outputs."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skillsim.lexicon import COLUMNS, Lexicon, read_lexicon
from skillsim.overrides import Override

ORIGIN = "curator"


@dataclass(frozen=True)
class Promoted:
    """`rows`: as COLUMNS, of the decisions that the lexicon lacks; `known`: how many it has; `differing`: a line of
    each that it contradicts, which stays as it is."""

    rows: tuple[dict[str, str], ...]
    known: int
    differing: tuple[str, ...]


def promote(overrides: Sequence[Override], lexicon: Lexicon, taxonomy_version: str) -> Promoted:
    """`overrides`: those in force for all feeds; one for a single feed says nothing of others, and is left out.

    What is "not a skill" becomes junk: which kind of no skill it is, a curator does not say.
    """
    rows, known, differing = [], 0, []
    for one in sorted((one for one in overrides if one.source is None), key=lambda one: one.text_key):
        entry = lexicon.entries.get(one.text_key)
        kinds = ("title", "junk") if one.verdict == "not_skill" else ("skill",)
        if entry is None:
            row = {
                "string": one.raw,
                "language": lexicon.language,
                "concept_uri": one.concept_uri or "",
                "match": "exact" if one.concept_uri else "",
                "kind": kinds[-1],
                "meaning": one.why,
                "origin": ORIGIN,
                "taxonomy_version": taxonomy_version,
                "ambiguous": "",
            }
            rows.append(row)
        elif (
            entry.decides
            and entry.kind in kinds
            and entry.concepts[:1] == ((one.concept_uri,) if one.concept_uri else ())
        ):
            known += 1
        else:
            said = one.concept_uri or one.verdict
            differing.append(f"{one.raw!r} is {said} by {one.decided_by}, and otherwise in the lexicon")
    return Promoted(tuple(rows), known, tuple(differing))


def own_lexicon(path: Path, language: str) -> Lexicon:
    """What is there; empty where nothing is. Raises LexiconError as read_lexicon does."""
    return read_lexicon(path, language) if path.exists() else Lexicon.of(language, {})


def add_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """To the end of a lexicon's file, in its columns; whole or not at all."""
    there = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    header = next(csv.reader(there.splitlines()), list(COLUMNS))
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, header, restval="", extrasaction="ignore")
        if there:
            lines.write(there if there.endswith("\n") else f"{there}\n")
        else:
            writer.writeheader()
        writer.writerows(rows)
    os.replace(draft, path)
