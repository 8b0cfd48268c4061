"""What the encoder does when a text, a device, a model or its loading fails, with the real built-in model."""

import copy
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import sentence_transformers
import torch

from skillsim import encoder as encoder_module
from skillsim.encoder import TorchEncoder, load_encoder
from skillsim.errors import ModelError
from skillsim.model_files import ModelFiles
from tests.core.vectors import cosines
from tests.fakes import Batch, faulty, raising

# One word each: all have the same number of tokens, so a budget is a number of rows.
WORDS = [
    "java",
    "nursing",
    "cooking",
    "driving",
    "sales",
    "music",
    "german",
    "biology",
    "java",
    "sales",
    "music",
    "nursing",
]
ROW = 3  # tokens


def tokens(encoder: TorchEncoder, text: str) -> list[int]:
    return encoder._tokenise([text])[0]


def test_words_have_the_length_that_these_tests_count_on(encoder: TorchEncoder) -> None:
    assert {len(row) for row in encoder._tokenise(WORDS)} == {ROW}


@pytest.mark.parametrize("full", [torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator"), MemoryError()])
def test_out_of_memory_halves_the_budget_and_loses_no_text(
    encoder: TorchEncoder, caplog: pytest.LogCaptureFixture, full: Exception
) -> None:
    broken = faulty(encoder, tokens=8 * ROW, fault=raising(full, lambda batch: len(batch) > 4))
    with caplog.at_level(logging.WARNING):
        encoded = broken.encode(WORDS[:8])
    assert encoded.failures == {}
    assert cosines(encoded.vectors, encoder.encode(WORDS[:8]).vectors).min() >= 0.9999
    assert broken.batch_tokens == 4 * ROW
    assert "out of memory on cpu" in caplog.text


def test_the_budget_is_halved_no_further_than_what_fits(encoder: TorchEncoder) -> None:
    """Three batches of a window are all too large: one halving is enough for them all."""
    full = torch.OutOfMemoryError("full")
    broken = faulty(encoder, tokens=4 * ROW, fault=raising(full, lambda batch: len(batch) > 2))
    encoded = broken.encode(WORDS)
    assert encoded.failures == {}
    assert cosines(encoded.vectors, encoder.encode(WORDS).vectors).min() >= 0.9999
    assert broken.batch_tokens == 2 * ROW


@pytest.mark.parametrize(("poison", "window"), [(0, 8_192), (6, 5), (11, 5)])
def test_a_poison_text_fails_alone_with_its_reason(
    encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch, poison: int, window: int
) -> None:
    monkeypatch.setattr(encoder_module, "_WINDOW", window)
    texts = [*WORDS[:poison], "poison", *WORDS[poison + 1 :]]
    bad = tokens(encoder, "poison")
    broken = faulty(encoder, tokens=8 * ROW, fault=raising(RuntimeError("bad row"), lambda batch: bad in batch))
    encoded = broken.encode(texts)
    assert encoded.failures == {poison: "text: RuntimeError: bad row"}
    assert not encoded.vectors[poison].any()
    others = [row for row in range(len(texts)) if row != poison]
    assert cosines(encoded.vectors[others], encoder.encode(texts).vectors[others]).min() >= 0.9999
    assert broken.batch_tokens == 8 * ROW


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("full"), "device: out of memory"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: 9 bytes"), "device: out of memory"),
        (MemoryError(), "device: out of memory"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED\nmore"),
            "device: RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED",
        ),
        (torch.AcceleratorError("CUDA error"), "device: AcceleratorError: CUDA error"),
        (ValueError("x" * 999), ("text: ValueError: " + "x" * 999)[:200]),
    ],
)
def test_a_text_that_never_passes_gets_a_reason(encoder: TorchEncoder, error: Exception, reason: str) -> None:
    broken = faulty(encoder, tokens=4 * ROW, fault=raising(error, lambda batch: True))
    encoded = broken.encode(["java", "nursing", "cooking"])
    assert encoded.failures == dict.fromkeys(range(3), reason)
    assert not encoded.vectors.any()
    assert broken.batch_tokens >= 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_a_failure(encoder: TorchEncoder, value: float) -> None:
    bad = tokens(encoder, "poison")
    broken = copy.copy(encoder)

    def forward(batch: Batch) -> np.ndarray:
        result = encoder._forward(batch).copy()
        result[[row == bad for row in batch], 7] = value
        return result

    broken._forward = forward  # type: ignore[method-assign]
    encoded = broken.encode(["java", "poison", "nursing"])
    assert encoded.failures == {1: "text: the model gave a vector that is not finite"}
    assert np.isfinite(encoded.vectors).all()
    assert encoded.vectors.any(axis=1).tolist() == [True, False, True]


def test_a_text_that_cannot_be_tokenised_fails_alone(encoder: TorchEncoder, caplog: pytest.LogCaptureFixture) -> None:
    encoded = encoder.encode([*WORDS, "a\ud800b"])
    assert list(encoded.failures) == [len(WORDS)]
    assert encoded.failures[len(WORDS)].startswith("text: TypeError")
    assert cosines(encoded.vectors[:-1], encoder.encode(WORDS).vectors).min() >= 0.9999
    assert "1 of 13 texts have no vector (the first: text: TypeError" in caplog.text


def test_a_model_that_fails_for_all_texts_is_an_error(encoder: TorchEncoder) -> None:
    def fault(batch: Batch) -> None:
        raise RuntimeError(f"shapes {len(batch[0])}x384 and 7x7 do not fit\nat line 1")

    broken = faulty(encoder, tokens=8 * ROW, fault=fault)
    texts = [*WORDS, "manage musculoskeletal injuries"]
    with pytest.raises(
        ModelError, match=r"all of 13 texts \(RuntimeError: shapes \dx384 .*Choose another encoder.model"
    ) as error:
        broken.encode(texts)
    assert "\n" not in str(error.value)
    assert len(broken.encode(texts[:8]).failures) == 8  # too few to tell


def test_a_device_that_fails_for_all_texts_is_left_for_another_time(encoder: TorchEncoder) -> None:
    broken = faulty(encoder, tokens=8 * ROW, fault=raising(MemoryError(), lambda batch: True))
    assert set(broken.encode(WORDS).failures.values()) == {"device: out of memory"}


# --- tokenising ahead -------------------------------------------------------------------------------------


def test_on_a_gpu_one_window_is_tokenised_ahead_and_no_more(
    encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "_WINDOW", 2)
    ahead, asked = copy.copy(encoder), []
    ahead._on_gpu = True
    ahead._tokenise = lambda texts: asked.append(list(texts)) or encoder._tokenise(texts)  # type: ignore[method-assign]
    windows = ahead._tokenised_windows(WORDS)
    starts = [next(windows)[0], next(windows)[0]]
    windows.close()
    assert starts == [0, 2]
    assert len(asked) <= 3
    asked.clear()
    assert [row for _, rows, _ in ahead._tokenised_windows(WORDS) for row in rows] == encoder._tokenise(WORDS)
    assert asked == [WORDS[start : start + 2] for start in range(0, len(WORDS), 2)]
    assert list(ahead._tokenised_windows([])) == []


# --- loading ----------------------------------------------------------------------------------------------


def test_a_gpu_that_is_not_there_is_named(builtin: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    for gpus, device in [(0, "cuda"), (0, "cuda:1"), (1, "cuda:1")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpus=gpus: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        with pytest.raises(ModelError, match=rf"encoder.device '{device}': torch sees {gpus} GPUs.*auto or cpu"):
            load_encoder(builtin, device)


def test_a_load_error_is_one_line_with_a_remedy(builtin: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such layer\nlong\nstory")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", fail)
    with pytest.raises(ModelError, match=r"\(ValueError: no such layer\)\. Save it again") as error:
        load_encoder(builtin, "cpu")
    assert "\n" not in str(error.value)


def test_a_static_model_is_refused(builtin: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    network = SimpleNamespace(tokenizer=object())
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", lambda *_, **__: network)
    with pytest.raises(ModelError, match=r"its tokenizer \(object\).*Give a transformer model"):
        load_encoder(builtin, "cpu")
