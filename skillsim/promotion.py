"""Curators' decisions as rows of a lexicon, where they also vote for texts like theirs and travel to other outputs."""

import csv
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from skillsim.lexicon import COLUMNS, Entry, Lexicon, read_lexicon
from skillsim.overrides import Override
from skillsim.text import parse_mention

ORIGIN = "curator"


@dataclass(frozen=True)
class Promoted:
    """`rows`: as COLUMNS, of the decisions that the lexicon lacks; `known`: how many it has; `left_out`: a line of each
    that it contradicts, or that no lexicon holds."""

    rows: tuple[dict[str, str], ...]
    known: int
    left_out: tuple[str, ...]


def promote(
    overrides: Sequence[Override], lexicon: Lexicon, concept_uris: Collection[str], taxonomy_version: str
) -> Promoted:
    """`overrides`: those in force for all feeds; one for a single feed says nothing of others, and is left out.

    Of a decision on a cluster its representative alone is promoted: a lexicon is not searched for what is forgotten.
    What is "not a skill" becomes junk: which kind of no skill it is, a curator does not say.
    """
    rows, known, left_out = [], 0, []
    of_all = (one for one in overrides if one.source is None and one.representative in (None, one.raw))
    for one in sorted(of_all, key=lambda one: one.text_key):
        entry = lexicon.entries.get(one.text_key)
        said = f"{one.raw!r} is {one.concept_uri or one.verdict} by {one.decided_by}"
        if parse_mention(one.raw).text_key != one.text_key:
            left_out.append(f"{said}, and too long for a lexicon")
        elif one.concept_uri is not None and one.concept_uri not in concept_uris:
            left_out.append(f"{said}, a concept that the taxonomy lacks")
        elif entry is None:
            rows.append(_row(one, lexicon.language, taxonomy_version))
        elif _agree(one, entry):
            known += 1
        else:
            left_out.append(f"{said}, and otherwise in the lexicon")
    return Promoted(tuple(rows), known, tuple(left_out))


def _row(one: Override, language: str, taxonomy_version: str) -> dict[str, str]:
    return {
        "string": one.raw,
        "language": language,
        "concept_uri": one.concept_uri or "",
        "match": "exact" if one.concept_uri else "",
        "kind": "junk" if one.verdict == "not_skill" else "skill",
        "meaning": one.why,
        "origin": ORIGIN,
        "taxonomy_version": taxonomy_version,
        "ambiguous": "",
    }


def _agree(one: Override, entry: Entry) -> bool:
    kinds = ("title", "junk") if one.verdict == "not_skill" else ("skill",)
    concepts = (one.concept_uri,) if one.concept_uri else ()
    return entry.decides and entry.kind in kinds and entry.concepts[:1] == concepts


def own_lexicon(path: Path, language: str) -> Lexicon:
    """What is there; empty where nothing is. Raises LexiconError as read_lexicon does."""
    return read_lexicon(path, language) if path.exists() else Lexicon.of(language, {})


def add_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """To the end of a lexicon's file, in its columns and line ends; whole or not at all."""
    there = path.read_bytes().decode("utf-8") if path.exists() else ""
    end = "\r\n" if "\r\n" in there else "\n"
    header = next(csv.reader(there.removeprefix("\ufeff").splitlines()), list(COLUMNS))
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, header, restval="", extrasaction="ignore", lineterminator=end)
        if there:
            lines.write(there if there.endswith("\n") else there + end)
        else:
            writer.writeheader()
        writer.writerows(rows)
    os.replace(draft, path)
