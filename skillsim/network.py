"""A model's files to a sentence-transformers network, and back.

A low-rank training (LoRA, arXiv:2106.09685) keeps what it changed as a file of some megabytes. It holds for each
changed layer `LAYER.down` (rank, inputs) and `LAYER.up` (outputs, rank), float16 and scaled, where LAYER is its name
within the transformer; the layer's weight becomes weight + up @ down. Its metadata has the hash of what it changes.
"""

import json
from pathlib import Path
from typing import Any

from skillsim.errors import ModelError
from skillsim.model_files import BASE, EVERYTHING, ModelFiles, first_line, weights_identity

ADAPTER_FILE = "adapter.safetensors"


def load_network(model: ModelFiles, device: str) -> Any:
    """The SentenceTransformer, in float32. Raises ModelError where its files are not one, or static embeddings."""
    import torch
    from sentence_transformers import SentenceTransformer

    # By default transformers would compute in the checkpoint's precision, which model_id does not name.
    options: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32}
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
            f"({type(error).__name__}: {first_line(error)}). "
            "Save it again with sentence-transformers' save_pretrained()."
        ) from error
    if not callable(network.tokenizer):
        raise ModelError(
            f"encoder.model '{model.name}': its tokenizer ({type(network.tokenizer).__name__}) is not one of "
            "transformers', as in static embedding models. Give a transformer model."
        )
    if lacking := _made_up(model, network):
        raise ModelError(
            f"encoder.model '{model.name}': {model.path} has no weights for {', '.join(lacking[:3])}"
            f"{f' and {len(lacking) - 3} more' if len(lacking) > 3 else ''}. Save or download the model again."
        )
    if model.adapter:
        merge_adapter(network, model.adapter)
    return network


def _made_up(model: ModelFiles, network: Any) -> list[str]:
    """Parameters that no file holds: transformers draws them at random and only warns. A pooler's are not used."""
    from safetensors import safe_open

    held: set[str] = set()
    for file in model.path.rglob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            held |= set(tensors.keys())
    transformer = network.transformers_model
    prefix = transformer.base_model_prefix
    names = [name for name, _ in transformer.named_parameters() if not name.startswith("pooler.")]
    if all(name in held or f"{prefix}.{name}" in held for name in names):
        return []
    # Some architectures rename what they load: ask the library, which reads the files once more.
    modules = model.path / "modules.json"
    folder = json.loads(modules.read_text(encoding="utf-8"))[0]["path"] if modules.is_file() else ""
    _, told = type(transformer).from_pretrained(
        model.path, subfolder=folder, output_loading_info=True, use_safetensors=True, local_files_only=True
    )
    return sorted(name for name in told["missing_keys"] if not name.startswith("pooler."))


def export_model(model: ModelFiles, folder: Path) -> None:
    """Write a plain sentence-transformers folder. Raises ModelError where the folder holds files."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is not empty: name a folder that is, or a new one.")
    load_network(model, "cpu").save_pretrained(str(folder), create_model_card=False)


def save_adapter(network: Any, base: ModelFiles, path: Path, everything: bool) -> None:
    """Write the change that peft trained in a sentence-transformers `network`, which was loaded from `base`.

    `everything`: whether the training held nothing out, so that the protocol's figures are no measure of it.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, layer in network.transformers_model.named_modules():
        if hasattr(layer, "lora_A") and "default" in layer.lora_A:
            down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight * layer.scaling["default"]
            for part, tensor in (("down", down), ("up", up)):
                tensors[f"{name}.{part}"] = tensor.detach().to("cpu", torch.float16).contiguous()
    save_file(tensors, path, metadata={BASE: weights_identity(base), EVERYTHING: str(everything)})


def merge_adapter(network: Any, path: Path) -> None:
    """Change the layers of a sentence-transformers `network` in place.

    Raises ModelError where the file is not readable, or is another model's.
    """
    import torch
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except Exception as error:
        raise ModelError(
            f"{path} is not a readable adapter ({error}). Reinstall skillsim, or train it again."
        ) from error
    with torch.no_grad():
        for name in sorted({key.rpartition(".")[0] for key in tensors}):
            try:
                weight = network.transformers_model.get_submodule(name).weight
                weight += tensors[f"{name}.up"].float().to(weight) @ tensors[f"{name}.down"].float().to(weight)
            except (AttributeError, KeyError, RuntimeError) as error:
                raise ModelError(f"{path} does not fit the model it is to change: layer {name} ({error}).") from error
