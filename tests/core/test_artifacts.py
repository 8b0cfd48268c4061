"""Artefacts at paths and `file:` URIs: whole or absent, checked when copied, copied once a host."""

import logging
import os
import pwd
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest

from skillsim import artifacts
from skillsim.artifacts import MANIFEST, host_cache, is_artifact, localise, publish, seal, write
from skillsim.errors import ArtifactError
from skillsim.retrieval import LabelIndex

CONTENT = {"labels.parquet": b"labels", "matrix.npy": bytes(range(256)) * 40_000, "titles.parquet": b""}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    seal(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path, built: Path) -> Path:
    """Holds the published artefact `index`."""
    publish(built, f"file:{tmp_path}/store/index")
    return tmp_path / "store"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}


def copies_in(cache: Path) -> set[str]:
    return {path.name for path in (cache / "artifacts").iterdir()} - {".lock"}


def log_of_copies(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("copying")]


# --- there and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index", "ä 100%20 index"])
def test_a_uri_is_copied_once_and_a_path_never(
    built: Path, tmp_path: Path, cache: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store" / name
    caplog.set_level(logging.INFO)
    assert not is_artifact(f"file:{path}")
    publish(built, f"file:{path}")
    assert content_of(path) == CONTENT
    assert localise(str(path), cache) == path
    assert not cache.exists()
    copies = {localise(uri, cache) for uri in (f"file:{path}", f"file://{path}", f"FILE:{path}")}
    assert content_of(copies.pop()) == CONTENT
    assert not copies
    assert len(log_of_copies(caplog)) == 1


def test_published_to_a_path_it_is_used_there(built: Path, tmp_path: Path) -> None:
    address = str(tmp_path / "deep" / "index")
    publish(built, address)
    assert content_of(localise(address)) == CONTENT


def test_other_content_at_the_address_is_another_copy(store: Path, built: Path, cache: Path) -> None:
    uri = f"file:{store}/index"
    before = localise(uri, cache)
    (built / MANIFEST).unlink()
    (built / "labels.parquet").write_bytes(b"LABELS")
    seal(built)
    publish(built, uri)
    assert (localise(uri, cache) / "labels.parquet").read_bytes() == b"LABELS"
    assert (before / "labels.parquet").read_bytes() == b"labels"


WORKER = """
import logging, sys
from pathlib import Path
from skillsim.artifacts import localise
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
print("ready", flush=True)
input()
localise(sys.argv[1], Path(sys.argv[2]))
"""


def test_processes_that_want_it_at_once_copy_it_once(store: Path, cache: Path) -> None:
    command = [sys.executable, "-c", WORKER, f"file:{store}/index", str(cache)]
    workers = [subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) for _ in range(3)]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("\n")
        worker.stdin.flush()
    said, errors = zip(*(worker.communicate(timeout=60) for worker in workers), strict=True)
    assert errors == ("", "", "")
    assert "".join(said).count("copying") == 1
    (name,) = copies_in(cache)
    assert content_of(cache / "artifacts" / name) == CONTENT


# --- damage -----------------------------------------------------------------------------------------------


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def corrupt(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[5] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, corrupt, Path.unlink])
def test_a_damaged_source_is_one_error_that_names_the_file(
    store: Path, cache: Path, damage: Callable[[Path], None]
) -> None:
    damage(store / "index" / "matrix.npy")
    uri = f"file:{store}/index"
    with pytest.raises(ArtifactError, match=f"^{uri}/matrix.npy is not .* Delete {uri} and run again.$"):
        localise(uri, cache)
    assert copies_in(cache) == set()


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_damage_is_seen_in_place_too(store: Path, damage: Callable[[Path], None]) -> None:
    damage(store / "index" / "matrix.npy")
    with pytest.raises(ArtifactError, match="index/matrix.npy is not the file"):
        localise(f"{store}/index")


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_a_damaged_copy_is_fetched_again(store: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    copy = localise(f"file:{store}/index", cache)
    damage(copy / "matrix.npy")
    assert localise(f"file:{store}/index", cache) == copy
    assert content_of(copy) == CONTENT


def test_the_draft_of_a_process_that_died_is_in_nobodys_way(store: Path, cache: Path) -> None:
    (cache / "artifacts" / ".draft").mkdir(parents=True)
    (cache / "artifacts" / ".draft" / "foreign").touch()
    assert content_of(localise(f"file:{store}/index", cache)) == CONTENT
    assert len(copies_in(cache)) == 1


def test_an_upload_that_was_cut_short_is_absent(built: Path, tmp_path: Path, cache: Path) -> None:
    uri = f"file:{tmp_path}/store/index"
    (tmp_path / "store" / "index" / "titles.parquet").mkdir(parents=True)  # the last file cannot be written
    with pytest.raises(ArtifactError, match="cannot be written from here"):
        publish(built, uri)
    assert (tmp_path / "store" / "index" / "matrix.npy").exists()
    for half_manifest in (None, b"", (built / MANIFEST).read_bytes()[:50]):
        if half_manifest is not None:
            (tmp_path / "store" / "index" / MANIFEST).write_bytes(half_manifest)
        assert not is_artifact(uri)
        with pytest.raises(ArtifactError, match="half of one .* Run again"):
            localise(uri, cache)


def test_an_index_is_saved_over_a_copy_that_was_cut_short(index: LabelIndex, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "matrix.npy").write_bytes(b"half")
    write(tmp_path / "index", index.save)
    assert is_artifact(str(tmp_path / "index"))
    np.testing.assert_array_equal(LabelIndex.load(tmp_path / "index").matrix, index.matrix)


# --- stores -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["dbfs:/x/index", "wasbs://c@a/index", "s3://a b/index"])
def test_a_store_that_pyarrow_does_not_know_is_refused(uri: str) -> None:
    with pytest.raises(ArtifactError, match=f"^output.artifacts_path: {uri} cannot be opened .* s3, gs, abfs"):
        is_artifact(uri)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot be read from here"):
        is_artifact(f"{tmp_path}/file/index")


def test_hadoops_name_of_s3_is_pyarrows() -> None:
    stores = [artifacts._open_store(f"{scheme}://bucket/x?region=eu-west-1") for scheme in ("s3", "s3a", "S3A")]
    assert [(store.type_name, path) for store, path in stores] == [("s3", "bucket/x")] * 3


# --- the cache --------------------------------------------------------------------------------------------


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The system's temp folder, on a host whose user has no home to write to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # where HOME is unset: a user id without an entry
    (tmp_path / "temp").mkdir()
    return tmp_path / "temp"


def test_the_users_cache_folder_is_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert host_cache() == tmp_path / "skillsim"


@pytest.mark.parametrize("home", ["/dev/null", None])
def test_without_a_home_it_is_a_private_temp_folder(
    store: Path, temp: Path, home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home is None:
        monkeypatch.delenv("HOME")
    copy = localise(f"file:{store}/index")
    private = temp / f"skillsim-{os.getuid()}"
    assert copy.parent == private / "artifacts"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert localise(f"file:{store}/index") == copy


@pytest.mark.parametrize("planted", ["open", "link"])
def test_a_temp_folder_that_others_could_write_is_refused(temp: Path, planted: str) -> None:
    folder = temp / f"skillsim-{os.getuid()}"
    if planted == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        (temp / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(temp / "elsewhere")
    with pytest.raises(ArtifactError, match="set XDG_CACHE_HOME"):
        host_cache()


def test_copies_unused_for_a_month_leave_when_another_comes(built: Path, store: Path, cache: Path) -> None:
    uris = [f"file:{store}/{name}" for name in ("unused", "used", "index")]
    publish(built, uris[0])
    publish(built, uris[1])
    old = [localise(uri, cache) for uri in uris[:2]]
    for folder in old:
        os.utime(folder, times=(time.time() - 31 * 86_400,) * 2)
    assert localise(uris[1], cache) == old[1]
    new = localise(uris[2], cache)
    assert copies_in(cache) == {old[1].name, new.name}


# --- memory -----------------------------------------------------------------------------------------------


def test_matrix_and_ngrams_are_mapped(index: LabelIndex) -> None:
    lexical = index.ngrams._transposed
    for array in (index.matrix, lexical.data, lexical.indices, lexical.indptr):
        while not isinstance(array, np.memmap):
            array = array.base
            assert isinstance(array, np.ndarray), "read into memory"
