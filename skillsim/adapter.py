"""A low-rank change of a model's layers (LoRA, arXiv:2106.09685): a small file that turns one model into another.

For each changed layer the file holds `LAYER.down` (rank, inputs) and `LAYER.up` (outputs, rank), float16, scaled; the
layer's weight becomes weight + up @ down. LAYER is the module's name within the transformer.
"""

from pathlib import Path
from typing import Any

from skillsim.errors import ModelError

ADAPTER_FILE = "adapter.safetensors"


def save_adapter(network: Any, path: Path) -> None:
    """Write the change that peft trained in a sentence-transformers `network`."""
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, layer in network.transformers_model.named_modules():
        if hasattr(layer, "lora_A") and "default" in layer.lora_A:
            down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight * layer.scaling["default"]
            for part, tensor in (("down", down), ("up", up)):
                tensors[f"{name}.{part}"] = tensor.detach().to("cpu", torch.float16).contiguous()
    save_file(tensors, path)


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
