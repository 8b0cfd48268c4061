"""Find an ESCO bundle on disk, fingerprint it and read its CSV files, without unpacking anything.

ESCO is downloaded as zips ("ESCO dataset - v1.1.1 - classification - en - csv.zip" with the labels of one
language, "... -  - csv.zip" with the relations of all), and kept by people in every form: one zip, a folder
of zips, unpacked folders. Members are known by their file name alone, so all of these are one case: a list
of members, each with a role ("skills"), a language ("" for the relation files of most versions) and the
version its folder or zip is named after. `skillsim.esco_files` lists and reads them.
"""

import csv
import hashlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from skillsim.errors import TaxonomyError
from skillsim.esco_files import (
    GIVE,
    MAX_MEMBER_BYTES,
    RELATION_ROLES,
    ROLES,
    Member,
    children,
    members_in_folder,
    members_in_zip,
    names_in_zip,
    read_member,
    reading,
)
from skillsim.text import TEXT_RULES_VERSION

ESCO_RULES_VERSION = 1  # raise it when a bundle of the same bytes would give other tables
UNKNOWN = "unknown"
WITHDRAWN = {"obsolete", "deprecated"}  # status of a concept that is in use no more


@dataclass(frozen=True)
class Bundle:
    """A located bundle, not parsed yet.

    `taxonomy_id` is a fingerprint of the members' bytes, the language and the rules that clean them: the
    same content has the same id wherever and in whichever form it lies, and any other label has another.
    """

    taxonomy_id: str
    language: str
    version: str
    members: tuple[Member, ...]

    def member(self, role: str) -> Member | None:
        return next((member for member in self.members if member.role == role), None)

    @cached_property
    def concept_uris(self) -> frozenset[str]:
        """Of the concepts that are in use."""
        rows = read_rows(self, "skills", ["conceptUri"], ["status"], [])
        return frozenset(uri.strip() for _, (uri, status) in rows if status.strip().casefold() not in WITHDRAWN)

    @cached_property
    def family(self) -> str:
        """What the URIs of its concepts begin with, the same in all versions of a taxonomy; "" without concepts."""
        namespaces = Counter(uri.rpartition("/")[0] for uri in self.concept_uris)
        return namespaces.most_common(1)[0][0] if namespaces else ""


def find_bundle(path: str | Path, language: str = "en", version: str | None = None) -> Bundle:
    """Locate the bundle of one language and version at `path`: a zip, a folder of zips, or unpacked.

    Only `skills_<language>.csv` must be there; `read_taxonomy` notes what the absence of another file costs.
    """
    path, language = Path(path).expanduser(), language.strip().casefold()
    with reading(f"taxonomy {path}", "let this user read it"):
        there = path.exists()
    if not there:
        raise TaxonomyError(f"taxonomy {path} does not exist: {GIVE}")
    found = _scan(path, language)
    version, members = _one_version(found, path, language, version)
    chosen = [member for role in ROLES if (member := _pick(members, role, language))]
    if not chosen or chosen[0].role != "skills":
        raise TaxonomyError(_no_skills(found, path, language))
    return Bundle(_fingerprint(chosen, language), language, version, tuple(chosen))


def read_rows(
    bundle: Bundle, role: str, required: Iterable[str], optional: Iterable[str], notes: list[str]
) -> list[tuple[int, tuple[str, ...]]]:
    """The file with this role as (row number, cells of the wanted columns, required ones first).

    The header is row 1. An optional column that is missing reads as "", other columns are ignored, so later
    versions of ESCO can add some. No rows when the bundle has no such file.
    """
    member = bundle.member(role)
    if member is None:
        return []
    data = read_member(member)
    if _sha256(data) != member.digest:
        raise TaxonomyError(f"{member} changed while it was being read: start again once it is in place")
    try:
        csv.field_size_limit(max(csv.field_size_limit(), MAX_MEMBER_BYTES))
        # Strict, since otherwise one quote left open swallows the rest of the file without a word.
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = next(rows, [])
        places = [_place(header, name, member) for name in required]
        places += [_place(header, name, None) for name in optional]
        kept, ragged = [], 0
        for number, row in enumerate(rows, start=2):
            if row:
                ragged += len(row) != len(header)
                kept.append((number, tuple(row[i] if 0 <= i < len(row) else "" for i in places)))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaxonomyError(
            f"{member} is not UTF-8 (line {line}, byte {error.start}): save it as UTF-8, or use the file as downloaded"
        ) from None
    except csv.Error as error:
        raise TaxonomyError(
            f"{member} is not a readable CSV file (line {rows.line_num}: {error}): use it as downloaded"
        ) from None
    if ragged:
        notes.append(f"{role}: {ragged} rows have fewer or more cells than the header, padded or cut")
    return kept


def _place(header: list[str], name: str, member: Member | None) -> int:
    """Where a column stands, by name whatever its case; -1 for an optional one (no member) that lacks."""
    names = [cell.strip().casefold() for cell in header]
    if name.casefold() in names:
        return names.index(name.casefold())
    if member is None:
        return -1
    there = ", ".join(header) if header else "none, the file is empty"
    raise TaxonomyError(
        f"{member} has no column {name} (columns: {there[:200]}): use the comma-separated file as downloaded"
    )


def _scan(path: Path, language: str) -> list[Member]:
    """Every member in reach, before any choice of version or language.

    In a folder, its files and zips and those of its folders. Beside one zip, the zip that completes it counts too:
    same version by name, and holding what it lacks.
    """
    if path.is_dir():
        found = members_in_folder(path)
        for child in children(path):
            if child.is_dir() and os.access(child, os.R_OK | os.X_OK):  # not a volume's lost+found
                found += members_in_folder(child)
        return found
    found = members_in_zip(path)
    has_skills = any(member.role == "skills" for member in found)
    versions = {member.version for member in found if member.version}
    roles = set() if versions else {member.role for member in found}  # without a version only what is lacking
    for sibling in sorted(path.absolute().parent.glob("*.[zZ][iI][pP]")):
        if sibling.name == path.name or not zipfile.is_zipfile(sibling):
            continue
        try:
            there = members_in_zip(sibling)
        except TaxonomyError:
            if "esco" in sibling.name.casefold():
                raise
            continue  # some other download
        others = [member for member in there if member.version in (versions or {""}) and member.role not in roles]
        of_language = {member.language for member in others if member.role == "skills"}
        if (has_skills and not of_language) or (not has_skills and language in of_language):
            found += others
    return found


def _one_version(found: list[Member], path: Path, language: str, version: str | None) -> tuple[str, list[Member]]:
    """The members of one version. Those whose version no name says belong to it when it is the only one."""
    skills = [member for member in found if member.role == "skills"]
    ours = [member for member in skills if member.language == language] or skills or found
    known = sorted({member.version for member in ours if member.version})
    asked = (version or "").strip().casefold().removeprefix("v")
    if asked and known and asked not in known:
        raise TaxonomyError(
            f"taxonomy {path} holds version {', '.join(known)}, not {asked}: "
            f"set taxonomy.version to one of them, or add the zips of {asked}"
        )
    if not asked and len(known) > 1:
        raise TaxonomyError(
            f"taxonomy {path} holds several versions ({', '.join(known)}): "
            f"choose one, as in --set taxonomy.version={known[-1]}"
        )
    chosen = asked or (known[0] if known else "")
    wanted = {chosen, ""} if len(known) <= 1 else {chosen}
    return chosen or UNKNOWN, [member for member in found if member.version in wanted]


def _pick(members: list[Member], role: str, language: str) -> Member | None:
    """The one file with this role, with its digest: in our language, or for relations in none.

    Copies of the same content are one file; different contents are refused, since which one is meant cannot
    be known.
    """
    languages = (language, "") if role in RELATION_ROLES else (language,)
    for wanted in languages:
        same = [member for member in members if member.role == role and member.language == wanted]
        read = [(member, _sha256(read_member(member))) for member in same]
        if len({digest for _, digest in read}) > 1:
            raise TaxonomyError(
                f"{role} is there more than once with different content "
                f"({'; '.join(str(member) for member in same)}): keep one"
            )
        if read:
            member, digest = read[0]
            return Member(role, wanted, member.version, member.container, member.name, digest)
    return None


def _no_skills(found: list[Member], path: Path, language: str) -> str:
    wanted = f"taxonomy {path} holds no skills_{language}.csv"
    there = sorted({member.language for member in found if member.role == "skills" and member.language})
    if there:
        return (
            f"{wanted} but skills in another language ({', '.join(there)}): "
            f"set taxonomy.language={there[0]}, or add the zip of {language}"
        )
    if found:
        names = sorted({PurePosixPath(member.name).name for member in found})
        return f"{wanted}, only {', '.join(names)}: add the zip of its language beside it"
    names = [child.name for child in children(path)] if path.is_dir() else names_in_zip(path)
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "nothing"
    return f"{wanted} and no other ESCO file (found: {shown}): {GIVE}"


def _fingerprint(members: list[Member], language: str) -> str:
    parts = [f"esco rules {ESCO_RULES_VERSION}", f"text rules {TEXT_RULES_VERSION}", f"language {language}"]
    parts += [f"{member.role} {member.digest}" for member in members]
    return _sha256("\n".join(parts).encode())[:16]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
