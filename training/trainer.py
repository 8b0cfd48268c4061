"""sentence-transformers' trainer with the batches, the stop and the resumption that a recipe asks for."""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from peft import LoraConfig, TaskType
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from torch.utils.data import RandomSampler
from transformers import TrainerCallback, set_seed
from transformers.trainer_pt_utils import LengthGroupedSampler

from skillsim.errors import TrainingError
from skillsim.model_files import ModelFiles
from skillsim.network import ADAPTER_FILE, load_network, merge_adapter, save_adapter
from training.batches import NoFalseNegatives
from training.recipe import Recipe
from training.trained import FILE

# The layers of BERT and of MPNet that a low-rank change is trained for.
_LAYERS = ("query", "key", "value", "dense", "attn.q", "attn.k", "attn.v", "attn.o")
_LOGGED_STEPS = 50  # at most; ten times in a training of fewer than ten times as many


def train(
    recipe: Recipe, frames: dict[str, pd.DataFrame], base: ModelFiles, out: Path, learnt: Mapping[str, Any]
) -> dict[str, Any]:
    """Train on the frames of training.pairs.dataset, one a source, and write `out`.

    `learnt`: what the frames were made of, noted for those who read training.json (training.trained).
    Returns what out/training.json holds. Raises TrainingError where the loss is no number, or `out` is another's.
    """
    begun = _begin(recipe, frames, base, out)
    set_seed(recipe.seed)
    network = _load(base)
    length, network.max_seq_length = network.max_seq_length, recipe.max_length
    if recipe.lora_rank:
        _add_adapter(network, recipe)
    trainer = _Trainer(
        model=network,
        args=_settings(recipe, out),
        train_dataset={
            name: Dataset.from_pandas(frame.drop(columns="answers", errors="ignore"), preserve_index=False)
            for name, frame in frames.items()
        },
        loss={str(source.pairs): _loss(network, source.loss, recipe) for source in recipe.sources},
        callbacks=[_StopAtNan()],
    )
    trainer.like_lengths, trainer.samplers, trainer.answers = recipe.like_lengths, [], _answers(frames)
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=begun)
    seconds = time.perf_counter() - started
    network.max_seq_length = length
    if not all(bool(torch.isfinite(weight).all()) for weight in network.parameters()):
        raise TrainingError(f"after {trainer.state.global_step} steps weights are no numbers. Lower learning_rate.")
    _write_model(recipe, network, base, out, bool(learnt["everything"]))
    told = {
        "recipe": recipe.model_dump(),
        "base": base.model_id,
        **learnt,
        "rows": {name: len(frame) for name, frame in frames.items()},
        "steps": trainer.state.global_step,
        "seconds_of_last_start": round(seconds),
        "threads": torch.get_num_threads(),
        "left_out": sum(sampler.left_out for sampler in trainer.samplers),
        "losses": [(entry["step"], entry["loss"]) for entry in trainer.state.log_history if "loss" in entry],
    }
    (out / FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return told


def _settings(recipe: Recipe, out: Path) -> SentenceTransformerTrainingArguments:
    return SentenceTransformerTrainingArguments(
        output_dir=str(out / "checkpoints"),
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=recipe.warmup_steps,
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=2,
        logging_steps=min(_LOGGED_STEPS, max(1, (recipe.max_steps or 10 * _LOGGED_STEPS) // 10)),
        logging_nan_inf_filter=False,
        bf16=recipe.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to=["mlflow"] if find_spec("mlflow") else [],
        multi_dataset_batch_sampler="proportional",
    )


def _answers(frames: Mapping[str, pd.DataFrame]) -> dict[tuple[str, ...], frozenset[str]]:
    """Of each anchor and positive, in all sources."""
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for frame in frames.values():
        if "answers" in frame:
            for *pair, answers in frame[["anchor", "positive", "answers"]].itertuples(index=False):
                found[tuple(pair)] = found.get(tuple(pair), frozenset()) | set(answers)
    return found


class _Trainer(SentenceTransformerTrainer):
    """Batches without false negatives, of pairs that are each other's negatives; else, if wished, of like length."""

    answers: dict[tuple[str, ...], frozenset[str]]  # by anchor and positive, of all sources
    like_lengths: bool
    samplers: list[NoFalseNegatives]

    def get_batch_sampler(self, dataset: Any, *arguments: Any, **options: Any) -> Any:
        if "anchor" in dataset.column_names:
            positives = list(dataset["positive"])
            negatives = list(dataset["negative"]) if "negative" in dataset.column_names else positives
            texts = [frozenset(pair) for pair in zip(positives, negatives, strict=True)]
            answers = [self.answers[pair] for pair in zip(dataset["anchor"], positives, strict=True)]
            self.samplers.append(NoFalseNegatives(texts, answers, **options))
            return self.samplers[-1]
        if not self.like_lengths:
            return DefaultBatchSampler(RandomSampler(dataset, generator=options["generator"]), *arguments, **options)
        lengths = [len(a) + len(b) for a, b in zip(dataset["a"], dataset["b"], strict=True)]
        size = self.args.per_device_train_batch_size
        rows = LengthGroupedSampler(size, lengths=lengths, generator=options["generator"])
        return DefaultBatchSampler(rows, *arguments, **options)


class _StopAtNan(TrainerCallback):
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"step {state.global_step}: the loss is {loss}. Lower learning_rate, or raise warmup_steps."
            )


def _load(base: ModelFiles) -> Any:
    return load_network(base, "cuda" if torch.cuda.is_available() else "cpu")


def _begin(recipe: Recipe, frames: dict[str, pd.DataFrame], base: ModelFiles, out: Path) -> bool:
    """Whether there is a checkpoint to go on from. Raises TrainingError where it is another training's."""
    digest = hashlib.sha256(f"{recipe.model_dump_json()} {base.model_id}".encode())
    for name, frame in frames.items():
        # Negatives are mined, and another CPU may break a tie otherwise.
        told = frame.drop(columns=["answers", "negative"], errors="ignore")
        digest.update(f"{name} {told.to_csv(index=False)}".encode())
    mark = out / "begun"
    if mark.is_file() and mark.read_text(encoding="utf-8") != digest.hexdigest():
        raise TrainingError(
            f"{out} holds a training by another recipe, base or data. Name another --out, or remove it."
        )
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest.hexdigest(), encoding="utf-8")
    # A checkpoint that a kill cut off lacks the trainer's state, which is written last.
    for folder in (out / "checkpoints").glob("checkpoint-*"):
        if not (folder / "trainer_state.json").is_file():
            shutil.rmtree(folder)
    return any((out / "checkpoints").glob("checkpoint-*"))


def _add_adapter(network: Any, recipe: Recipe) -> None:
    names = [name for name, _ in network.transformers_model.named_modules() if name.startswith("encoder.")]
    targets = [name for name in names if any(name.endswith(f".{layer}") for layer in _LAYERS)]
    if not targets:
        raise TrainingError(f"base '{recipe.base}': no layer is named as BERT's or MPNet's are. Set lora_rank = 0.")
    network.add_adapter(
        LoraConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            target_modules=targets,
            r=recipe.lora_rank,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=0.0,
        )
    )
    for name, weight in network.named_parameters():  # a module after the transformer is not in the adapter's file
        weight.requires_grad_("lora_" in name)


def _loss(network: Any, name: str, recipe: Recipe) -> Any:
    if name == "MultipleNegativesRanking":
        return losses.MultipleNegativesRankingLoss(network, scale=recipe.scale)
    return {
        "CosineSimilarity": losses.CosineSimilarityLoss,
        "CoSENT": losses.CoSENTLoss,
        "AnglE": losses.AnglELoss,
    }[name](network)


def _write_model(recipe: Recipe, network: Any, base: ModelFiles, out: Path, everything: bool) -> None:
    """out/model; with an adapter, of the base and the saved adapter, so that both are one model to the last bit."""
    if recipe.lora_rank:
        save_adapter(network, base, out / ADAPTER_FILE, everything)
        network = _load(base)
        merge_adapter(network, out / ADAPTER_FILE)
    network.save_pretrained(str(out / "model"), create_model_card=False)
