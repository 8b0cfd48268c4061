"""Which device and how many threads a task gets."""

from types import SimpleNamespace

import pytest
import torch
from pyspark import TaskContext

from skillsim.config import EncoderConfig
from skillsim.errors import ModelError
from skillsim.spark import worker


def in_a_task(monkeypatch: pytest.MonkeyPatch, gpus: list[str] | None, cpus: int = 1) -> None:
    resources = {"gpu": SimpleNamespace(addresses=gpus)} if gpus else {}
    context = SimpleNamespace(resources=lambda: resources, cpus=lambda: cpus)
    monkeypatch.setattr(TaskContext, "get", classmethod(lambda cls: context))


@pytest.mark.parametrize(
    ("wanted", "gpus", "visible", "device"),
    [
        ("auto", ["3"], None, "cuda:3"),
        ("auto", ["3"], "3", "cuda:0"),
        ("auto", ["1"], "0,1,2", "cuda:1"),
        ("auto", None, None, "auto"),
        ("cpu", ["3"], None, "cpu"),
    ],
    ids=["address", "narrowed already", "sees all", "no gpu scheduled", "asked for cpu"],
)
def test_the_device_is_the_one_spark_assigned(
    wanted: str, gpus: list[str] | None, visible: str | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_task(monkeypatch, gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert worker._device(wanted) == device


def test_torch_uses_the_cpus_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    in_a_task(monkeypatch, None, cpus=3)
    try:
        worker.use_task_threads()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_another_model_than_the_drivers_is_refused() -> None:
    with pytest.raises(ModelError, match="install the same model on all machines"):
        worker.encoder(EncoderConfig(), "all-minilm-l6-v2-fp32-000000000000")
