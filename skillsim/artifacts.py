"""Files of many megabytes that are made once and that all processes of a host map into memory, one copy a host.

An artefact is a folder of files and, written last, their manifest: without one it is half-written and counts as
absent. Its address is an absolute path, at which it is used in place, or a URI, from which it is copied to this host.
"""

import hashlib
import json
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir, mkdtemp

import platformdirs
import pyarrow as pa
from filelock import FileLock
from pyarrow.fs import FileSystem, LocalFileSystem

from skillsim.errors import ArtifactError
from skillsim.model_files import first_line

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_UNUSED_DAYS = 30
_CHUNK = 4 << 20
_DRAFT = ".artifact-"
_DRAFT_S = 86_400  # nothing here takes a day to write


def seal(folder: Path) -> None:
    """Write the manifest of a folder's files: it is an artefact from now on."""
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = {"size": path.stat().st_size, "sha256": digest}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")


def write(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make an artefact atomically, whole or not at all: `fill` writes its files into an empty folder.

    One that is there is kept; what another process makes meanwhile has the same content and is kept too.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{_DRAFT}*"):  # by a process that was killed
        with suppress(FileNotFoundError):  # another process may be at it too
            if left.stat().st_mtime < time.time() - _DRAFT_S:
                shutil.rmtree(left, ignore_errors=True)
    draft = Path(mkdtemp(prefix=_DRAFT, dir=folder.parent))
    try:
        draft.chmod(0o755)
        fill(draft)
        seal(draft)
        if folder.is_dir() and not (folder / MANIFEST).is_file():
            shutil.rmtree(folder)  # a copy that was cut short
        if not folder.is_dir():
            os.rename(draft, folder)
    except OSError:
        if not (folder / MANIFEST).is_file():  # else another process was quicker
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def make(address: str, fill: Callable[[Path], None]) -> None:
    """As `write`, at a path or a URI."""
    if Path(address).is_absolute():
        write(Path(address), fill)
        return
    with TemporaryDirectory(prefix="skillsim-") as scratch:
        write(Path(scratch, "artifact"), fill)
        publish(Path(scratch, "artifact"), address)


def is_artifact(address: str) -> bool:
    """Whether a whole one is there. Raises ArtifactError where the address cannot be looked up from here."""
    return _find(address) is not None


def publish(folder: Path, address: str) -> None:
    """Copy an artefact to a path or URI, its manifest last. Raises ArtifactError where it cannot be written."""
    store, path = _open_store(address)
    names = sorted((file.name for file in folder.iterdir()), key=lambda name: (name == MANIFEST, name))
    try:
        if isinstance(store, LocalFileSystem):  # object stores have no folders
            store.create_dir(path)
        for name in names:
            with (
                (folder / name).open("rb") as source,
                store.open_output_stream(f"{path}/{name}", compression=None) as target,
            ):
                shutil.copyfileobj(source, target, _CHUNK)
    except OSError as error:
        raise ArtifactError(
            f"output.artifacts_path: {address} cannot be written from here ({first_line(error)}). {_REMEDY}"
        ) from error


def localise(address: str, cache: Path | None = None) -> Path:
    """The artefact's folder on this host: the path itself, or a copy of the URI that all its processes share.

    `cache` holds the copies; by default it is the user's cache folder, or one in the temp folder where that cannot be
    written. Raises ArtifactError when the artefact is absent or not what its manifest says.
    """
    source = _find(address)
    if source is None:
        raise ArtifactError(
            f"{address}: no such artefact, or half of one (no {MANIFEST}), as seen from this machine. Run again; on a "
            "cluster, output.artifacts_path must name what driver and executors all reach."
        )
    if Path(address).is_absolute():
        for name, (size, _) in source.files.items():
            if not _has_size(Path(address, name), size):
                raise _damaged(address, name)
        return Path(address)
    copies = (cache or host_cache()) / "artifacts"
    copy = copies / f"{Path(source.path).name}-{source.digest[:12]}"
    if not _is_whole(copy, source):
        copies.mkdir(parents=True, exist_ok=True)
        with FileLock(copies / ".lock"):
            if not _is_whole(copy, source):
                _fetch(source, copy)
                _remove_unused(copies)
    return copy


def host_cache() -> Path:
    """The user's cache folder; where there is none to write to, a folder in the temp folder that is only theirs."""
    with suppress(RuntimeError):  # of a user without a home; older platformdirs give a path below "~" back
        folder = Path(platformdirs.user_cache_dir("skillsim"))
        if folder.is_absolute() and _is_writable(folder):
            return folder
    folder = Path(gettempdir(), f"skillsim-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700 or not stat.S_ISDIR(found.st_mode):
        raise ArtifactError(
            f"{folder} can be written by others, so nothing is cached there: remove it, or set XDG_CACHE_HOME to a "
            "folder of this user."
        )
    return folder


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class _Artifact:
    """`files`: name -> (bytes, SHA-256); `digest` is the manifest's own."""

    address: str
    store: FileSystem
    path: str
    files: dict[str, tuple[int, str]]
    digest: str


def _find(address: str) -> _Artifact | None:
    store, path = _open_store(address)
    try:
        with store.open_input_stream(f"{path}/{MANIFEST}", compression=None) as stream:
            content = stream.read()
        files = json.loads(content)["files"]
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"output.artifacts_path: {address} cannot be read from here ({first_line(error)}). {_REMEDY}"
        ) from error
    known = {Path(name).name: (entry["size"], entry["sha256"]) for name, entry in files.items()}
    return _Artifact(address, store, path, known, hashlib.sha256(content).hexdigest())


_REMEDY = (
    "Give a folder that driver and executors share, or a URI of s3, gs, abfs, hdfs or file that pyarrow can open on "
    "all of them (with credentials of its own, not Spark's)."
)


def _open_store(address: str) -> tuple[FileSystem, str]:
    """The file system of an address and the path in it."""
    if Path(address).is_absolute():
        return LocalFileSystem(), address
    scheme, _, rest = address.partition(":")
    if scheme.lower() == "file":  # the name as written, as for Hadoop; pyarrow would have it percent-encoded
        return LocalFileSystem(), f"/{rest.lstrip('/')}"
    try:
        return FileSystem.from_uri(f"s3:{rest}" if scheme.lower() in ("s3a", "s3n") else address)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"output.artifacts_path: {address} cannot be opened ({first_line(error)}). {_REMEDY}"
        ) from error


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _is_whole(copy: Path, source: _Artifact) -> bool:
    """Marks it as used, too."""
    if not copy.is_dir():
        return False
    os.utime(copy)
    return all(_has_size(copy / name, size) for name, (size, _) in source.files.items())


def _fetch(source: _Artifact, copy: Path) -> None:
    """The caller holds the lock: a draft that is there was left by a process that died."""
    draft = copy.parent / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    log.info("copying %s to %s, once", source.address, copy)
    try:
        draft.mkdir()
        for name, expected in source.files.items():
            if _copy(source, name, draft / name) != expected:
                raise _damaged(source.address, name)
        shutil.rmtree(copy, ignore_errors=True)
        draft.rename(copy)
    except OSError as error:
        raise ArtifactError(
            f"{source.address} cannot be copied to {copy.parent} ({first_line(error)}): see that this machine reads "
            "the one and has room for the other; XDG_CACHE_HOME moves the latter."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(source: _Artifact, name: str, target: Path) -> tuple[int, str]:
    """Bytes copied, and their SHA-256."""
    size, digest = 0, hashlib.sha256()
    try:
        stream = source.store.open_input_stream(f"{source.path}/{name}", compression=None)
    except FileNotFoundError:
        raise _damaged(source.address, name) from None
    with stream, target.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            size += file.write(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def _damaged(address: str, name: str) -> ArtifactError:
    return ArtifactError(f"{address}/{name} is not the file that {MANIFEST} names. Delete {address} and run again.")


def _remove_unused(copies: Path) -> None:
    """A process that still maps one keeps its pages."""
    for folder in copies.glob("[!.]*"):
        if folder.stat().st_mtime < time.time() - _UNUSED_DAYS * 86_400:
            log.info("removing %s, unused for %d days", folder, _UNUSED_DAYS)
            shutil.rmtree(folder, ignore_errors=True)
