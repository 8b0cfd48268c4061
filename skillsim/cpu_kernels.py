"""Faster linear layers on a CPU: oneDNN with weights packed once, where this torch has it.

torch's own Linear calls MKL, which packs the weight and copies the bias at every call: for the few hundred rows of a
batch of skill strings that is a fifth of the time (tests/benchmarks/encoder.py measures the whole). The operator is the
one torch.compile emits for a frozen Linear; it is no public API, so it is checked against the layer it replaces.
"""

import logging
from typing import Any

log = logging.getLogger(__name__)

# Largest difference to torch's Linear on unit-scale input; measured 4e-6.
TOLERANCE = 1e-4
_ROWS = 768  # the batch size that the packing is tuned for; any other works


def pack_linear_layers(network: Any) -> int:
    """Replace every float32 `Linear` of a CPU network in place; returns how many, 0 where torch cannot."""
    import torch

    class PackedLinear(torch.nn.Module):
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.bias = layer.bias
            self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _ROWS)

        def forward(self, rows: Any) -> Any:
            return torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")

    def packed(layer: Any) -> Any:
        probe = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(0))
        try:
            replacement = PackedLinear(layer)
            error = (replacement(probe) - layer(probe)).abs().max().item()
        except (AttributeError, RuntimeError) as problem:
            log.info("packed linear layers are not to be had here: %s", str(problem).splitlines()[0])
            return None
        return replacement if error <= TOLERANCE else None

    replaced = 0
    with torch.inference_mode():
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is torch.nn.Linear and child.weight.dtype == torch.float32:
                    replacement = packed(child)
                    if replacement is None:
                        return replaced
                    setattr(parent, name, replacement)
                    replaced += 1
    return replaced
