"""What follows a concept that a new version of the taxonomy lacks, as a steward writes it down.

A CSV with the columns concept_uri and successor_uri. A concept with one successor was renamed or merged, and what was
decided for it holds for the successor; one with several was split, and each decision on it has to be made again.
"""

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from skillsim.errors import TaxonomyError

COLUMNS = ("concept_uri", "successor_uri")


def read_successors(path: str | Path | None) -> dict[str, tuple[str, ...]]:
    """Successors of each concept, in the file's order; none without a file.

    Raises TaxonomyError with the lines of what is wrong.
    """
    if not path:
        return {}
    named = f"taxonomy.successors {path}"
    found: dict[str, list[str]] = {}
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            if lacking := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise TaxonomyError(f"{named}: no column {', '.join(lacking)}. Its columns are {','.join(COLUMNS)}.")
            for row in reader:
                uri, successor = ((row[column] or "").strip() for column in COLUMNS)
                if not uri or not successor or uri == successor:
                    raise TaxonomyError(f"{named}, line {reader.line_num}: two different URIs are wanted.")
                if successor not in found.setdefault(uri, []):
                    found[uri].append(successor)
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise TaxonomyError(f"{named} cannot be read as CSV in UTF-8: {problem}.") from problem
    return {uri: tuple(successors) for uri, successors in found.items()}


def sole_successors(successors: Mapping[str, tuple[str, ...]], known: Collection[str]) -> dict[str, str]:
    """Of the concepts that are not `known`: the known one that each has become, through all versions between.

    Without those that were split, that end at no known concept, or that go round in a circle.
    """
    found = {}
    for uri in successors:
        passed, now = {uri}, uri
        while now not in known and len(successors.get(now, ())) == 1:
            (now,) = successors[now]
            if now in passed:
                break
            passed.add(now)
        if uri not in known and now in known:
            found[uri] = now
    return found
