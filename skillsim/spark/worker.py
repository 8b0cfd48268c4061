"""What an executor's Python process keeps between batches: one encoder a model, one artefact an address."""

import os
from functools import lru_cache

from skillsim.artifacts import localise
from skillsim.config import EncoderConfig
from skillsim.encoder import TorchEncoder, load_encoder
from skillsim.errors import ModelError
from skillsim.memory import Memory
from skillsim.model_files import resolve_model
from skillsim.retrieval import LabelIndex


def encoder(config: EncoderConfig, model_id: str) -> TorchEncoder:
    """The encoder of this process, loaded once. Raises ModelError when its files are not the driver's."""
    return _encoder(config, model_id, _device(config.device))


@lru_cache(maxsize=2)
def _encoder(config: EncoderConfig, model_id: str, device: str) -> TorchEncoder:
    use_task_threads()
    model = resolve_model(config.model, config.precision, config.prompt, config.max_length)
    if model.model_id != model_id:
        raise ModelError(
            f"encoder.model '{config.model}' is {model.model_id} on this executor and {model_id} on the driver: "
            "install the same model on all machines, or give a path that they share."
        )
    return load_encoder(model, device, config.batch_tokens)


@lru_cache(maxsize=2)
def label_index(address: str) -> LabelIndex:
    """Opened where it lies, or from this host's copy of a URI. Raises ArtifactError."""
    use_task_threads()
    return LabelIndex.load(localise(address))


@lru_cache(maxsize=2)
def memory(address: str, index_address: str) -> Memory:
    """As `label_index`, bound to that index's concepts."""
    return Memory.load(localise(address), label_index(index_address).concept_row)


def use_task_threads() -> None:
    """As many torch threads as the task has CPUs: too many of both is ten times slower."""
    import torch
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is not None:
        torch.set_num_threads(max(1, context.cpus()))
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _device(wanted: str) -> str:
    """The GPU that Spark assigned to this task; where CUDA_VISIBLE_DEVICES is narrowed already, the first."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assigned = context.resources().get("gpu") if context is not None else None
    if wanted != "auto" or assigned is None:
        return wanted
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    narrowed = bool(visible) and len(visible.split(",")) == len(assigned.addresses)
    return "cuda:0" if narrowed else f"cuda:{assigned.addresses[0]}"
