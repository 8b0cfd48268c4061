"""Texts to unit vectors.

Most of the speed on a CPU is in how batches are cut: skill strings have five tokens on average, so a batch of
a fixed number of strings is padded to its longest. Here texts are sorted by length and cut by a token budget
that keeps activations in the cache (`DEFAULT_BATCH_TOKENS`).
"""

import logging
import re
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
from skillsim.model_files import ModelFiles, first_line
from skillsim.network import load_network

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float16]
Tokens = list[list[int]]

# tests/benchmarks/encoder.py --sweep prints it; 512 to 2,048 is one plateau (training/LOG.md).
DEFAULT_BATCH_TOKENS = 768
# A GPU starves on small batches; 64k tokens of a 12-layer base model stay under 8 GB in bf16.
DEFAULT_BATCH_TOKENS_GPU = 65_536
# Texts tokenised at a time: enough to sort well, little enough to bound memory.
_WINDOW = 8_192
# Where more texts than this all fail alike, the model is to blame.
_CHANCE = 8


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

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda"):
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (torch.device(device).index or 0) >= gpus:
            raise ModelError(f"encoder.device '{device}': torch sees {gpus} GPUs here. Set it to auto or cpu.")
    network = load_network(model, device)
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
        """Vectors of `texts`, in their order. A text does not raise, see `Encoded.failures`; a broken model does."""
        import torch

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float16)
        failures: dict[int, str] = {}
        autocast = torch.autocast(
            "cuda" if self._on_gpu else "cpu", dtype=torch.bfloat16, enabled=self._precision == "bf16"
        )
        with torch.inference_mode(), autocast:
            for start, tokens, untokenised in self._tokenised_windows(texts):
                failures |= {start + row: reason for row, reason in untokenised.items()}
                self._encode_window(tokens, start, vectors, failures)
        self._judge(failures, len(texts))
        return Encoded(vectors, failures)

    def _judge(self, failures: dict[int, str], texts: int) -> None:
        """Raise where the failures are the model's, else log how many there are."""
        if not failures:
            return
        reason = next(iter(failures.values()))
        alike = {re.sub(r"\d+", "", failure) for failure in failures.values()}  # messages name tensor sizes
        if len(failures) == texts > _CHANCE and len(alike) == 1 and reason.startswith("text: "):
            raise ModelError(
                f"model {self.model_id} fails for all of {texts} texts ({reason.removeprefix('text: ')}). "
                "Choose another encoder.model, or save this one again."
            )
        log.warning("%d of %d texts have no vector (the first: %s)", len(failures), texts, reason)

    def _tokenised_windows(self, texts: Sequence[str]) -> Iterator[tuple[int, Tokens, dict[int, str]]]:
        """(first row, token ids, failures) of each window; on a GPU the next window is tokenised meanwhile."""
        windows = ((start, texts[start : start + _WINDOW]) for start in range(0, len(texts), _WINDOW))
        if not self._on_gpu:
            for start, window in windows:
                yield start, *self._tokenise_each(window)
            return
        with ThreadPoolExecutor(max_workers=1) as ahead:
            submitted = ((start, ahead.submit(self._tokenise_each, window)) for start, window in windows)
            current = next(submitted, None)
            while current:
                following = next(submitted, None)
                start, tokenised = current
                yield start, *tokenised.result()
                current = following

    def _tokenise_each(self, texts: Sequence[str]) -> tuple[Tokens, dict[int, str]]:
        """Token ids of each text, and why it has none: one that fails is found by halving."""
        try:
            return self._tokenise(texts), {}
        except Exception as error:
            if len(texts) == 1:
                return [[]], {0: _reason(error)}
        middle = len(texts) // 2
        (left, left_failures), (right, right_failures) = map(self._tokenise_each, (texts[:middle], texts[middle:]))
        return left + right, left_failures | {middle + row: reason for row, reason in right_failures.items()}

    def _tokenise(self, texts: Sequence[str]) -> Tokens:
        encoded = self._network.tokenizer(
            [self._prompt + text for text in texts],
            truncation=True,
            max_length=self._max_length,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return encoded["input_ids"]

    def _encode_window(self, tokens: Tokens, start: int, vectors: Vectors, failures: dict[int, str]) -> None:
        """All batches of a window. One that fails is cut again, down to the single text that is to blame."""
        import torch

        def cut(rows: list[int]) -> deque[list[int]]:
            batches = cut_batches([len(tokens[row]) for row in rows], self.batch_tokens)
            return deque([rows[place] for place in batch] for batch in batches)

        pending = cut([row for row in range(len(tokens)) if start + row not in failures])
        while pending:
            rows = pending.popleft()
            try:
                result = self._forward([tokens[row] for row in rows])
            except Exception as error:
                if self._on_gpu and _out_of_memory(error):
                    torch.cuda.empty_cache()
                if len(rows) == 1:
                    failures[start + rows[0]] = _reason(error)
                elif _out_of_memory(error):
                    self.batch_tokens = len(rows) * max(len(tokens[row]) for row in rows) // 2
                    log.warning("out of memory on %s: batches of %d tokens from here", self._device, self.batch_tokens)
                    pending = cut([row for batch in (rows, *pending) for row in batch])
                else:
                    middle = len(rows) // 2
                    pending.extendleft((rows[middle:], rows[:middle]))
            else:
                for row, vector in zip(rows, result, strict=True):
                    if np.isfinite(vector).all():
                        vectors[start + row] = vector
                    else:
                        failures[start + row] = "text: the model gave a vector that is not finite"

    def _forward(self, batch: Tokens) -> npt.NDArray[np.float32]:
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

    if _out_of_memory(error):
        return "device: out of memory"
    of_device = isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)
    return f"{'device' if of_device else 'text'}: {type(error).__name__}: {first_line(error)}"[:200]


def _out_of_memory(error: Exception) -> bool:
    """On a CPU torch raises a plain RuntimeError that only its message tells apart."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in str(error) or "bad_alloc" in str(error))
    )


def vectors_of(encoder: Encoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """(n, dimension) float32, unit length. Raises ValueError for a text that has no vector."""
    encoded = encoder.encode(texts)
    if encoded.failures:
        row, reason = next(iter(encoded.failures.items()))
        raise ValueError(f"{texts[row]!r} has no vector ({reason}): leave it out")
    return encoded.vectors.astype(np.float32)


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
