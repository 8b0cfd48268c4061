"""The files of an ESCO bundle on disk: which there are in a folder or a zip, and their bytes.

Archives are read member by member into memory: nothing is extracted, so a hostile path inside a zip has nowhere to go.
"""

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from skillsim.errors import TaxonomyError

LABEL_ROLES = ("skills", "skillGroups", "skillsHierarchy", "occupations")
RELATION_ROLES = ("broaderRelationsSkillPillar", "skillSkillRelations", "occupationSkillRelations")
ROLES = LABEL_ROLES + RELATION_ROLES

# The largest member of v1.1.1 is 21 MB; past this a zip is broken or a bomb.
MAX_MEMBER_BYTES = 256 * 1024**2

# What zipfile and its decompressors raise for bytes that are no zip, beside OSError and its kind.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(RuntimeError, ValueError, LookupError),  # encrypted, of a later zip version, not UTF-8, changed meanwhile
)

_ROLE_BY_NAME = {role.casefold(): role for role in ROLES}
_MEMBER_NAME = re.compile(rf"({'|'.join(ROLES)})(?:_([a-z]{{2,3}}(?:-[a-z]+)?))?\.csv", re.IGNORECASE)
_VERSION = re.compile(r"(?:(?<![a-z0-9])v|esco[\s_-]*)(\d+(?:\.\d+)+)", re.IGNORECASE)
GIVE = "give the official ESCO zips (CSV, one language and the language-free one), or a folder of them"


@dataclass(frozen=True)
class Member:
    """One CSV file of a bundle, in a folder or in a zip."""

    role: str
    language: str  # "" when its name says none
    version: str  # "" when no name says it
    container: Path
    name: str  # inside the container
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.container}: {self.name}"


def members_in_folder(folder: Path) -> list[Member]:
    """The files in a folder, and what the zips in it hold."""
    files = [child for child in children(folder) if child.is_file()]
    found = [member for child in files if (member := _as_member(folder, child.name))]
    for child in files:
        if child.suffix.casefold() == ".zip":
            found += members_in_zip(child)
    return found


def children(folder: Path) -> list[Path]:
    with reading(f"taxonomy folder {folder}", "let this user read it"):
        return sorted(folder.iterdir())


def members_in_zip(path: Path) -> list[Member]:
    return [member for name in names_in_zip(path) if (member := _as_member(path, name))]


def names_in_zip(path: Path) -> list[str]:
    what = f"taxonomy file {path} is not a zip archive or is a broken one and"
    with reading(what, f"download it again, or {GIVE}"), zipfile.ZipFile(path) as archive:
        return sorted(info.filename for info in archive.infolist() if not info.is_dir())


@contextmanager
def reading(what: object, remedy: str) -> Iterator[None]:
    """Whatever Python raises for a broken zip or an unreadable file as one error."""
    try:
        yield
    except _BROKEN as error:
        cause = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise TaxonomyError(f"{what} cannot be read ({cause}): {remedy}") from None


def _as_member(container: Path, name: str) -> Member | None:
    """The member with this name, or None for a file that is none of ours.

    The version is what the nearest folder or zip name says, from the inside out.
    """
    inner = PurePosixPath(name.replace("\\", "/"))
    if not (match := _MEMBER_NAME.fullmatch(inner.name)):
        return None
    absolute = container.absolute()
    places = [*reversed(inner.parts[:-1]), absolute.name, absolute.parent.name]
    version = next((said.group(1) for place in places if (said := _VERSION.search(place))), "")
    return Member(_ROLE_BY_NAME[match.group(1).casefold()], (match.group(2) or "").casefold(), version, container, name)


def read_member(member: Member) -> bytes:
    """A member's bytes, never more than the limit: the size a zip states is not to be trusted."""
    with reading(member, "download the bundle again"):
        if member.container.is_dir():
            with open(member.container / member.name, "rb") as file:
                data = file.read(MAX_MEMBER_BYTES + 1)
        else:
            with zipfile.ZipFile(member.container) as archive, archive.open(member.name) as file:
                data = file.read(MAX_MEMBER_BYTES + 1)
    if len(data) > MAX_MEMBER_BYTES:
        raise TaxonomyError(
            f"{member} is larger than {MAX_MEMBER_BYTES >> 20} MiB unpacked, which no ESCO file is: "
            f"download the bundle again"
        )
    return data
