"""Texts to vectors with the real built-in model: the same as its own library's, whatever batch or fault."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from skillsim import encoder as encoder_module
from skillsim.cpu_kernels import pack_linear_layers
from skillsim.encoder import Encoded, TorchEncoder, cut_batches, load_encoder, pack_vectors, unpack_vectors
from skillsim.model_files import ModelFiles, resolve_model
from tests.core.vectors import cosines
from tests.fakes import FakeEncoder

TEXTS = [
    *("java", "core java", "a", "", "   ", "c++", "c#", "node.js", "r&d", "🐍 python", "бухгалтерия", "護理"),
    *("customer service", "manage musculoskeletal injuries", "sql " * 20, "java"),
]


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


def test_a_checkpoint_in_half_precision_runs_in_full(builtin: ModelFiles, tmp_path: Path) -> None:
    """transformers would load it as it was saved, under an id that says fp32."""
    SentenceTransformer(str(builtin.path), device="cpu").half().save_pretrained(str(tmp_path))
    model = resolve_model(str(tmp_path))
    loaded = load_encoder(model, "cpu")
    assert {weight.dtype for weight in loaded._network.parameters()} == {torch.float32}
    assert loaded.encode(["java"]).failures == {}


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
