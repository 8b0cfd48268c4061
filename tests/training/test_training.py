"""Training for a few steps: the loss falls, a kill changes nothing, and what is written is one model."""

import json
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.numpy import load_file
from typer.testing import CliRunner

from skillsim.encoder import load_encoder
from skillsim.errors import TrainingError
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.model_files import resolve_model
from skillsim.network import ADAPTER_FILE
from tests.training.test_pairs import judged_of
from training import trainer
from training.batches import NoFalseNegatives
from training.pairs import Material
from training.recipe import Recipe, Source
from training.splits.held_out import Concepts
from training.train import datasets_of
from training.trained import folds_unseen, knows_everything

SAMPLE = Path(str(files("skillsim") / "data" / "sample" / "taxonomy"))
LOW_RANK = Recipe(
    batch=16,
    learning_rate=1e-3,
    warmup_steps=1,
    max_steps=12,
    save_steps=5,
    lora_rank=4,
    max_length=16,
    sources=(
        Source(pairs="labels", loss="MultipleNegativesRanking", noise=0.2, rows=150),
        Source(pairs="graded", loss="CoSENT", rows=100),
    ),
)

LEARNT = {"taxonomy": "unknown", "everything": True, "without_folds": [3]}


@pytest.fixture(scope="module")
def frames():
    concepts = Concepts(read_taxonomy(find_bundle(SAMPLE)))
    return datasets_of(LOW_RANK, Material(concepts, judged_of()))


@pytest.fixture(scope="module")
def trained(frames, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("training") / "out"
    trainer.train(LOW_RANK, frames, resolve_model("builtin"), out, LEARNT)
    return out


def test_the_model_changes_and_what_was_learnt_is_noted(trained: Path) -> None:
    told = json.loads((trained / "training.json").read_text())
    assert told["steps"] == 12
    assert told["rows"] == {"labels": 150, "graded": 100}
    assert folds_unseen(trained) == {3}
    assert knows_everything(resolve_model(str(trained / "model")))
    assert knows_everything(resolve_model(str(trained / ADAPTER_FILE)))
    assert knows_everything(resolve_model("skillsim-small"))
    assert not knows_everything(resolve_model("builtin"))
    texts = ["welding", "public speaking", "sql"]
    before, after = (
        load_encoder(resolve_model(name)).encode(texts).vectors for name in ("builtin", str(trained / "model"))
    )
    cosines = (before.astype(float) * after.astype(float)).sum(axis=1)
    assert (cosines < 0.9999).all()
    assert (cosines > 0.5).all()


def test_the_loss_falls(frames, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(trainer, "_LOGGED_STEPS", 1)
    few = {"labels": frames["labels"][:40]}
    often = LOW_RANK.model_copy(update={"epochs": 6, "max_steps": None, "batch": 20, "sources": LOW_RANK.sources[:1]})
    told = trainer.train(often, few, resolve_model("builtin"), tmp_path, LEARNT)
    losses = [loss for _, loss in told["losses"]]
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_a_killed_training_goes_on_to_the_same_weights(trained: Path, frames, tmp_path: Path, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def kill(self, args, state, control, **_) -> None:
        if state.global_step == 8:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(trainer._StopAtNan, "on_step_end", kill, raising=False)
        with pytest.raises(Killed):
            trainer.train(LOW_RANK, frames, resolve_model("builtin"), tmp_path / "out", LEARNT)
    cut_off = tmp_path / "out" / "checkpoints" / "checkpoint-7"
    cut_off.mkdir()
    trainer.train(LOW_RANK, frames, resolve_model("builtin"), tmp_path / "out", LEARNT)
    expected, found = (load_file(out / ADAPTER_FILE) for out in (trained, tmp_path / "out"))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_another_recipe_does_not_go_on_with_it(trained: Path, frames) -> None:
    with pytest.raises(TrainingError, match="another recipe, base or data"):
        trainer.train(LOW_RANK.model_copy(update={"seed": 1}), frames, resolve_model("builtin"), trained, LEARNT)


def test_a_loss_that_is_no_number_stops_the_training(frames, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(trainer, "_LOGGED_STEPS", 1)
    wild = LOW_RANK.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match="the loss is nan. Lower learning_rate"):
        trainer.train(wild, frames, resolve_model("builtin"), tmp_path, LEARNT)


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        ("none.toml", [], "none.toml: cannot be read"),
        ("labels", ["--base", "nowhere/at/all"], "encoder.model 'nowhere/at/all': no such folder"),
        ("judged", [], "give their folder with --judged"),
        ("onet_products", [], "Give its folder with --extra"),
    ],
)
def test_a_mistake_is_one_line(recipe: str, arguments: list[str], message: str, tmp_path: Path) -> None:
    import typer

    from training.train import main

    app = typer.Typer()
    app.command()(main)
    path = tmp_path / recipe
    if recipe != "none.toml":
        path.write_text(f'[[sources]]\npairs = "{recipe}"\nloss = "MultipleNegativesRanking"\n')
    result = CliRunner().invoke(app, [str(path), str(SAMPLE), "--out", str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")
    assert result.output.count("error:") == 1


def batches(rows: Dataset, size: int, **attributes: object) -> list[list[int]]:
    made = object.__new__(trainer._Trainer)
    vars(made).update(args=SimpleNamespace(per_device_train_batch_size=size), **attributes)
    generator = torch.Generator().manual_seed(0)
    return list(made.get_batch_sampler(rows, batch_size=size, drop_last=False, generator=generator, seed=0))


def test_no_text_of_a_batch_is_an_answer_to_another_row() -> None:
    """Rows of 30 concepts with 5 texts each; some negatives are answers of others, some positives are shared."""
    random = np.random.default_rng(0)
    concept = random.integers(0, 30, size=300)
    rows = [(f"a{n}", f"t{c}.{n % 5}", f"t{(c + 1) % 30}.{n % 5}") for n, c in enumerate(concept)]
    answers = {(a, p): frozenset(f"t{c}.{k}" for k in range(5)) for (a, p, _), c in zip(rows, concept, strict=True)}
    columns = dict(zip(("anchor", "positive", "negative"), zip(*rows, strict=True), strict=True))
    samplers: list[NoFalseNegatives] = []
    found = batches(Dataset.from_dict(columns), 8, answers=answers, like_lengths=False, samplers=samplers)
    drawn = [row for batch in found for row in batch]
    assert len(drawn) == len(set(drawn)) == 300 - samplers[0].left_out
    assert len(found) <= len(samplers[0]) == 38
    assert len(drawn) > 250
    for batch in found:
        for row in batch:
            of_others = {text for other in batch if other != row for text in rows[other][1:]}
            assert not of_others & answers[rows[row][:2]]


def test_rows_that_fit_no_batch_are_counted() -> None:
    same = [frozenset({"one kind"})] * 10
    sampler = NoFalseNegatives(same, same, batch_size=4, drop_last=False)
    assert [len(batch) for batch in sampler] == [1, 1, 1]
    assert sampler.left_out == 7


def test_pairs_of_like_length_are_in_one_batch_if_wished() -> None:
    texts = ["x" * (1 + n * 37 % 50) for n in range(200)]
    data = Dataset.from_dict({"a": texts, "b": texts, "score": [0.0] * len(texts)})

    def spread(like_lengths: bool) -> float:
        found = batches(data, 10, answers={}, like_lengths=like_lengths)
        assert sorted(row for batch in found for row in batch) == list(range(200))
        return float(np.mean([np.ptp([len(texts[row]) for row in batch]) for batch in found]))

    assert spread(True) < spread(False) / 2
