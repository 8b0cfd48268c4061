"""Texts to unit vectors.

Most of the speed on a CPU is in how batches are cut: skill strings have five tokens on average, so a batch of
a fixed number of strings is padded to its longest. Here texts are sorted by length and cut by a token budget
that keeps activations in the cache (`DEFAULT_BATCH_TOKENS`).
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skillsim.cpu_kernels import pack_linear_layers
from skillsim.errors import ModelError
from skillsim.model_files import ModelFiles

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float16]

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


def load_encoder(model: ModelFiles, device: str = "auto", batch_tokens: int | None = None) -> "TorchEncoder":
    """Load the weights. `device`: "cpu", "cuda", "cuda:N", or "auto" (a GPU when torch sees one)."""
    import torch
    from sentence_transformers import SentenceTransformer

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    options: dict[str, Any] = {"use_safetensors": True}
    if device == "cpu":
        # Flash attention costs three times what two small matrix products do on rows of five tokens.
        options["attn_implementation"] = "eager"
    try:
        network = SentenceTransformer(
            str(model.path), device=device, local_files_only=True, trust_remote_code=False, model_kwargs=options
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
