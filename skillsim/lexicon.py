"""The skill lexicon: judged strings. They answer for the head of every feed and vote for what is like them.

A CSV that a steward reads, corrects and extends (data/lexicon/README.md says what its columns mean). A string with
several concepts has a row each, one without a concept a row with none. Everything is checked when it is read: a
lexicon that contradicts itself is refused, with the lines.
"""

import csv
import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from skillsim.errors import LexiconError
from skillsim.text import parse_mention

log = logging.getLogger(__name__)

Kind = Literal["skill", "title", "junk", "multi"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COLUMNS = (
    *("string", "language", "concept_uri", "match", "kind"),
    *("meaning", "origin", "taxonomy_version", "ambiguous"),
)
REQUIRED = ("string", "language", "concept_uri", "match", "kind")
BUILTIN = Path(str(files("skillsim") / "data" / "lexicon" / "lexicon.csv"))
NO_LEXICON = "none"
ENTRY = pa.struct([("kind", pa.string()), ("concepts", pa.list_(pa.string())), ("decides", pa.bool_())])
_MATCHES = ("exact", "broad")
_FLAGS = {"": False, "no": False, "false": False, "yes": True, "true": True}
_SHOWN = 5  # problems in one message


@dataclass(frozen=True)
class Entry:
    """What was judged of one text: `exact` concepts mean the same, `broad` ones a steward accepts too, best first."""

    string: str
    text: str
    text_key: str
    kind: Kind
    exact: tuple[str, ...]
    broad: tuple[str, ...]
    meaning: str  # of an acronym, product or piece of jargon, in plain words
    origin: str
    taxonomy_version: str  # that it was judged for
    ambiguous: bool  # has several senses: it votes, but does not decide

    @property
    def concepts(self) -> tuple[str, ...]:
        return self.exact + self.broad

    @property
    def decides(self) -> bool:
        """Whether the very text is decided by it; several senses or several skills leave that to the model."""
        return not self.ambiguous and self.kind != "multi"

    @property
    def verdict(self) -> tuple[object, ...]:
        """What two entries of one text can differ in."""
        return self.kind, self.exact, self.broad, self.ambiguous


@dataclass(frozen=True)
class Lexicon:
    """Entries of one language, by text_key; make one with `Lexicon.of`.

    `lexicon_id` is a content address: of what is decided by it (`within` asks for origins), so not of meanings;
    NO_LEXICON of an empty one.
    """

    language: str
    entries: Mapping[str, Entry]
    lexicon_id: str

    @staticmethod
    def of(language: str, entries: Mapping[str, Entry]) -> "Lexicon":
        rows = [[key, *entry.verdict, entry.origin] for key, entry in sorted(entries.items())]
        digest = hashlib.sha256(json.dumps([language, rows]).encode()).hexdigest()[:12]
        return Lexicon(language, entries, f"lexicon-{digest}" if entries else NO_LEXICON)

    def above(self, other: "Lexicon") -> tuple["Lexicon", list[str]]:
        """This lexicon and of `other` the texts it does not hold; and where the two differ, a line each."""
        differing = [
            f"{entry.string!r}: {_told(entry)} here, {_told(other.entries[key])} there"
            for key, entry in self.entries.items()
            if key in other.entries and entry.verdict != other.entries[key].verdict
        ]
        return Lexicon.of(self.language, {**other.entries, **self.entries}), differing

    def without(self, text_keys: Collection[str]) -> "Lexicon":
        """To score strings as if they had not been judged."""
        left_out = set(text_keys)
        return Lexicon.of(self.language, {key: entry for key, entry in self.entries.items() if key not in left_out})

    def succeeded(self, successors: Mapping[str, str]) -> "Lexicon":
        """With the successors of concepts in their place."""
        if not successors:
            return self
        entries = {}
        for key, entry in self.entries.items():
            exact = tuple(dict.fromkeys(successors.get(uri, uri) for uri in entry.exact))
            broad = dict.fromkeys(successors.get(uri, uri) for uri in entry.broad)
            entries[key] = replace(entry, exact=exact, broad=tuple(uri for uri in broad if uri not in exact))
        return Lexicon.of(self.language, entries)

    def within(self, concept_uris: Collection[str]) -> tuple["Lexicon", list[tuple[Entry, str]]]:
        """Without the concepts a taxonomy lacks, and what was left out: entries with the URI they point to.

        An entry that loses all its concepts goes, since it was never judged to have none. "No concept" was judged of
        one taxonomy: where this one lacks most of the concepts of an origin, it was another, and those entries of that
        origin go too. It is still the same lexicon, with its id.
        """
        known = set(concept_uris)
        wanted: dict[str, set[str]] = {}
        for entry in self.entries.values():
            wanted.setdefault(entry.origin, set()).update(entry.concepts)
        of_another = {origin for origin, uris in wanted.items() if len(uris - known) > len(uris) / 2}
        kept: dict[str, Entry] = {}
        missing: list[tuple[Entry, str]] = []
        for key, entry in self.entries.items():
            gone = [uri for uri in entry.concepts if uri not in known]
            missing += [(entry, uri) for uri in gone]
            has_none = not entry.concepts and entry.kind in ("skill", "multi")
            if (gone and len(gone) == len(entry.concepts)) or (has_none and entry.origin in of_another):
                continue
            exact, broad = (tuple(uri for uri in uris if uri in known) for uris in (entry.exact, entry.broad))
            kept[key] = replace(entry, exact=exact, broad=broad) if gone else entry
        return Lexicon(self.language, kept, self.lexicon_id), missing

    def table(self) -> pa.Table:
        """(text_key, entry), `entry` as ENTRY: what a decision needs of it."""
        keys = list(self.entries)
        return pa.table([pa.array(keys, pa.string()), self.column(keys)], ["text_key", "entry"])

    def column(self, text_keys: Sequence[str]) -> pa.StructArray:
        """ENTRY of each key, null where there is none."""
        found = (self.entries.get(key) for key in text_keys)
        return pa.array(
            [e and {"kind": e.kind, "concepts": e.concepts, "decides": e.decides} for e in found], type=ENTRY
        )


def _told(entry: Entry) -> str:
    said = entry.concepts[0] if entry.concepts else f"no concept ({entry.kind})"
    return f"{said}, ambiguous" if entry.ambiguous else said


def configured_lexicon(own: str | None, builtin: bool, language: str) -> Lexicon:
    """The customer's lexicon above the project's, either of them or none; where the two differ is logged."""
    ours = builtin_lexicon(language) if builtin else Lexicon.of(language, {})
    if not own:
        return ours
    both, differing = read_lexicon(own, language).above(ours)
    for line in differing:
        log.info("%s differs from the project's lexicon: %s", own, line)
    return both


@lru_cache(maxsize=4)
def builtin_lexicon(language: str = "en") -> Lexicon:
    """The project's own; empty in a language it has no entries in."""
    return read_lexicon(BUILTIN, language)


def read_lexicon(path: str | Path, language: str = "en") -> Lexicon:
    """The entries of one language. Raises LexiconError with the lines of what is wrong in any language."""
    rows_of: dict[tuple[str, str], list[_Row]] = {}
    problems: list[str] = []
    for row in _rows(Path(path), problems):
        rows_of.setdefault((row.language, row.text_key), []).append(row)
    entries: dict[str, Entry] = {}
    for (of_language, key), rows in rows_of.items():
        problem = _contradiction(rows)
        if problem:
            problems.append(problem)
        elif of_language == language:
            entries[key] = _entry(rows)
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise LexiconError(f"{path}: {'; '.join(problems[:_SHOWN])}{more}. Correct these lines.")
    return Lexicon.of(language, dict(sorted(entries.items())))


@dataclass(frozen=True)
class _Row:
    line: int
    string: str
    text: str
    text_key: str
    language: str
    concept_uri: str
    match: str
    kind: Kind
    meaning: str
    origin: str
    taxonomy_version: str
    ambiguous: bool


def _rows(path: Path, problems: list[str]) -> Iterator[_Row]:
    """Rows that are right in themselves; of the others a line each in `problems`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            lacking = [column for column in REQUIRED if column not in (reader.fieldnames or ())]
            if lacking:
                raise LexiconError(f"{path}: no column {', '.join(lacking)}. Its columns are {','.join(COLUMNS)}.")
            for values in reader:
                try:
                    yield _row(reader.line_num, {name: (values.get(name) or "").strip() for name in COLUMNS})
                except ValueError as problem:
                    problems.append(f"line {reader.line_num}: {problem}")
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise LexiconError(f"{path} cannot be read as CSV in UTF-8: {problem}.") from problem


def _row(line: int, values: dict[str, str]) -> _Row:
    string, uri, match, kind = (values[name] for name in ("string", "concept_uri", "match", "kind"))
    mention = parse_mention(string)
    if mention.text is None or mention.text_key is None:
        raise ValueError(f"{string!r} is no skill text ({mention.reason})")
    if kind not in KINDS:
        raise ValueError(f"{string!r} has kind {kind!r}, which is none of {', '.join(KINDS)}")
    if uri and not uri.startswith(("http://", "https://")):
        raise ValueError(f"{string!r} points to {uri!r}, which is no concept's URI")
    if uri and match not in _MATCHES:
        raise ValueError(f"{string!r} has match {match!r}, which is neither exact nor broad")
    if match and not uri:
        raise ValueError(f"{string!r} has match {match!r} and no concept")
    if uri and kind in ("title", "junk"):
        raise ValueError(f"{string!r} is of kind {kind} and has a concept")
    if values["ambiguous"].lower() not in _FLAGS:
        raise ValueError(f"{string!r} has ambiguous {values['ambiguous']!r}: write yes or leave it empty")
    return _Row(
        line,
        string,
        mention.text,
        mention.text_key,
        values["language"],
        uri,
        match,
        kind,
        values["meaning"],
        values["origin"],
        values["taxonomy_version"],
        _FLAGS[values["ambiguous"].lower()],
    )


def _contradiction(rows: list[_Row]) -> str | None:
    """What is wrong with the rows of one text, if anything."""
    lines = ", ".join(str(row.line) for row in rows)
    uris = [row.concept_uri for row in rows]
    if len(set(uris)) < len(uris):
        return f"lines {lines}: {rows[0].string!r} stands there twice with the same concept, or twice without one"
    if "" in uris and len(uris) > 1:
        return f"lines {lines}: {rows[0].string!r} has a concept and has none"
    if len({row.kind for row in rows}) > 1:
        return f"lines {lines}: {rows[0].string!r} is of several kinds"
    if len({row.ambiguous for row in rows}) > 1:
        return f"lines {lines}: {rows[0].string!r} is ambiguous and is not"
    return None


def _entry(rows: list[_Row]) -> Entry:
    first = rows[0]
    exact, broad = (tuple(row.concept_uri for row in rows if row.match == match) for match in _MATCHES)
    return Entry(
        first.string,
        first.text,
        first.text_key,
        first.kind,
        exact,
        broad,
        next((row.meaning for row in rows if row.meaning), ""),
        first.origin,
        first.taxonomy_version,
        first.ambiguous,
    )
