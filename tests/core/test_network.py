"""A model's files to a network: a low-rank change is what its file says, and an export opens as any such folder."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from skillsim.encoder import load_encoder
from skillsim.errors import ModelError
from skillsim.model_files import BUILTIN_SHA256, ModelFiles, resolve_model
from skillsim.network import export_model, load_network, merge_adapter

LAYER = "encoder.layer.2.output.dense"
TEXTS = ["Electrical wiring", "Circuit troubleshooting", "Machine learning"]


def adapter(path: Path, base: str = "", **changes: np.ndarray) -> Path:
    random = np.random.default_rng(0)
    down = random.normal(size=(2, 1536)).astype(np.float16)
    up = random.normal(size=(384, 2)).astype(np.float16) / np.float16(4)
    save_file({f"{LAYER}.down": down, f"{LAYER}.up": up} | changes, path, metadata={"base": base} if base else None)
    return path


def test_a_layer_gets_the_product_and_no_other_layer_changes(builtin: ModelFiles, tmp_path: Path) -> None:
    plain = load_network(builtin, "cpu").transformers_model.state_dict()
    changed = load_network(builtin, "cpu")
    merge_adapter(changed, adapter(tmp_path / "a.safetensors"))
    tensors = load_file(tmp_path / "a.safetensors")
    product = tensors[f"{LAYER}.up"].astype(np.float32) @ tensors[f"{LAYER}.down"].astype(np.float32)
    for name, weight in changed.transformers_model.state_dict().items():
        expected = plain[name].numpy() + (product if name == f"{LAYER}.weight" else 0)
        np.testing.assert_allclose(weight.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.layer.99.output.dense.down": np.zeros((1, 1), np.float16)}, "layer encoder.layer.99.output.dense"),
        ({f"{LAYER}.down": np.zeros((2, 7), np.float16)}, f"layer {LAYER}"),
    ],
)
def test_another_models_change_is_refused(
    builtin: ModelFiles, tmp_path: Path, changes: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ModelError, match="does not fit") as raised:
        merge_adapter(load_network(builtin, "cpu"), adapter(tmp_path / "a.safetensors", **changes))
    assert message in str(raised.value)


def test_a_file_that_is_no_adapter_is_refused(builtin: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"{}")
    with pytest.raises(ModelError, match="not a readable adapter"):
        merge_adapter(load_network(builtin, "cpu"), tmp_path / "a.safetensors")


def test_a_change_of_the_built_in_model_is_a_model_by_the_name_of_its_file(builtin: ModelFiles, tmp_path: Path) -> None:
    one = resolve_model(str(adapter(tmp_path / "mine.safetensors", BUILTIN_SHA256)))
    assert one.model_id.startswith("mine-fp32-")
    merged = load_network(builtin, "cpu")
    merge_adapter(merged, tmp_path / "mine.safetensors")
    np.testing.assert_array_equal(load_network(one, "cpu").encode(TEXTS), merged.encode(TEXTS))
    export_model(one, tmp_path / "whole")
    whole = load_encoder(resolve_model(str(tmp_path / "whole")), "cpu").encode(TEXTS).vectors
    np.testing.assert_array_equal(load_encoder(one, "cpu").encode(TEXTS).vectors, whole)
    zero = {f"{LAYER}.up": np.zeros((384, 2), np.float16)}
    other = resolve_model(str(adapter(tmp_path / "mine.safetensors", BUILTIN_SHA256, **zero)))
    assert other.model_id != one.model_id


@pytest.mark.parametrize(("base", "said"), [("", "does not say what it changes"), ("0123", "changes weights 0123")])
def test_a_change_of_another_model_is_none_by_itself(tmp_path: Path, base: str, said: str) -> None:
    path = adapter(tmp_path / "a.safetensors", base)
    with pytest.raises(ModelError, match=f"{said}, and not the built-in model's.*whole model"):
        resolve_model(str(path))


@pytest.fixture
def copied(builtin: ModelFiles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(builtin.path, tmp_path / "copied"))


def keep(folder: Path, wanted: str, prefix: str = "") -> None:
    """Of a model's tensors, those whose names match, with a prefix."""
    tensors = load_file(folder / "model.safetensors")
    kept = {prefix + name: tensor for name, tensor in tensors.items() if re.search(wanted, name)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_weights_that_would_be_made_up_are_an_error(copied: Path) -> None:
    keep(copied, r"^(?!encoder\.layer\.(2\.output\.dense|3\.attention))")
    with pytest.raises(ModelError, match=r"no weights for encoder\.layer\.2\.output\.dense\.bias, .* and 9 more"):
        load_network(resolve_model(str(copied)), "cpu")


def test_a_prefix_that_the_library_does_not_know_is_an_error(copied: Path) -> None:
    keep(copied, "", "model.")
    with pytest.raises(ModelError, match=r"no weights for embeddings\.LayerNorm\.bias, .* more"):
        load_network(resolve_model(str(copied)), "cpu")


def test_weights_in_a_folder_of_their_own_are_found_and_missed(copied: Path) -> None:
    inner = copied / "0_Transformer"
    inner.mkdir()
    for file in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (copied / file).exists():
            (copied / file).rename(inner / file)
    modules = json.loads((copied / "modules.json").read_text())
    modules[0]["path"] = inner.name
    (copied / "modules.json").write_text(json.dumps(modules))
    load_network(resolve_model(str(copied)), "cpu")
    keep(inner, r"^(?!encoder\.layer\.2)")
    with pytest.raises(ModelError, match=r"no weights for encoder\.layer\.2"):
        load_network(resolve_model(str(copied)), "cpu")


@pytest.mark.parametrize(("wanted", "prefix"), [("^(?!pooler)", ""), ("", "bert.")])
def test_a_pooler_is_not_missed_and_a_prefix_is_understood(
    builtin: ModelFiles, copied: Path, wanted: str, prefix: str
) -> None:
    keep(copied, wanted, prefix)
    found = load_network(resolve_model(str(copied)), "cpu").encode(TEXTS)
    np.testing.assert_array_equal(found, load_network(builtin, "cpu").encode(TEXTS))


def test_an_export_overwrites_nothing(builtin: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(ModelError, match="is not empty"):
        export_model(builtin, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
