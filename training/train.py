"""Fine-tune an encoder by a recipe:

    python -m training.train training/recipes/skillsim.toml TAXONOMY --extra FOLDER --out DIR

Writes DIR/model, a sentence-transformers folder, DIR/training.json (recipe, rows of each source, losses, seconds) and,
where the recipe trains a low-rank change, DIR/adapter.safetensors: the model is the base and that change. Held-out
concepts and occupations (training.splits.held_out) are not learnt from unless --everything says so, strings of V and
their near-duplicates never. A training that was killed is taken up again by the same command.
"""

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from rich.console import Console

from skillsim.encoder import load_encoder
from skillsim.errors import TrainingError
from skillsim.model_files import resolve_model
from training.command import one_line_errors
from training.judged import read_judged
from training.pairs import Material, dataset
from training.recipe import Recipe, read_recipe
from training.splits import FOLDS, near_duplicates, with_folds
from training.splits.held_out import Concepts, read_checked
from training.trained import knows_everything


def learnable(rows: pd.DataFrame, without_folds: Collection[int] = ()) -> pd.DataFrame:
    """Judged strings (training.splits.with_folds) without those of V, their near-duplicates, and the folds."""
    if unknown := set(without_folds) - set(range(FOLDS)):
        raise TrainingError(f"--without-fold {min(unknown)}: folds are 0 to {FOLDS - 1}.")
    near = near_duplicates(rows["text"].tolist())
    of_validation = near[:, rows["validation"].to_numpy()].sum(axis=1).A1 > 0
    dropped = of_validation | rows["fold"].isin(list(without_folds)).to_numpy() | (rows["status"] == "disputed")
    return rows[~dropped].reset_index(drop=True)


def datasets_of(recipe: Recipe, material: Material) -> dict[str, pd.DataFrame]:
    """The rows of each source, by its name."""
    names = [source.pairs for source in recipe.sources]
    if len(set(names)) < len(names):
        raise TrainingError(f"the recipe names a source twice: {', '.join(names)}. Set draws instead.")
    return {source.pairs: dataset(material, source, recipe.seed) for source in recipe.sources}


def run(
    recipe: Recipe,
    concepts: Concepts,
    out: Path,
    judged: Path | None = None,
    extra: Path | None = None,
    without_folds: Collection[int] = (),
    everything: bool = False,
) -> dict[str, Any]:
    """For notebooks: one training, by the command's options. Returns what training.json holds."""
    model = resolve_model(recipe.base)
    if judged is None and any(source.pairs == "judged" for source in recipe.sources):
        raise TrainingError("the recipe learns from judged strings: give their folder with --judged.")
    strings = learnable(with_folds(read_judged(judged)), without_folds) if judged else NO_STRINGS
    mines = any(source.hard_negatives for source in recipe.sources)
    encoder = load_encoder(model) if mines else None
    frames = datasets_of(recipe, Material(concepts, strings, extra, everything, encoder))
    learnt = {
        "taxonomy": concepts.taxonomy.version,
        "everything": everything or knows_everything(model),
        "without_folds": list(without_folds),
    }
    return _trainer()(recipe, frames, model, out, learnt)


def main(
    recipe_file: Path,
    taxonomy: Path,
    out: Path = typer.Option(..., help="folder for the model; an interrupted training there is taken up again"),
    judged: Path = typer.Option(None, help="folder of the judged strings"),
    extra: Path = typer.Option(None, help="folder of the other sources"),
    base: str = typer.Option(None, help="instead of the recipe's"),
    max_steps: int = typer.Option(None, help="instead of the recipe's"),
    without_fold: list[int] = typer.Option([], help="judged strings of this fold are not learnt from; repeatable"),
    everything: bool = typer.Option(False, help="learn from held-out concepts too, to ship"),
    version: str = typer.Option(None, help="of the taxonomy, where the folder holds several"),
    language: str = typer.Option("en", help="of its labels"),
) -> None:
    """Train by RECIPE_FILE on TAXONOMY."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    console = Console()
    with one_line_errors(console):
        recipe = read_recipe(recipe_file, base, max_steps)
        concepts = read_checked(taxonomy, language, version)
        told = run(recipe, concepts, out, judged, extra, without_fold, everything)
    console.print(f"{out}/model: {told['steps']} steps over {told['rows']}, {told['seconds_of_last_start']} s")


def _trainer() -> Callable[..., dict[str, Any]]:
    """Imported late: it takes seconds, and a mistake in the options is told before."""
    try:
        from training.trainer import train
    except ImportError as error:
        raise TrainingError(
            f"training needs what is not installed ({error}): pip install 'skillsim[train]'."
        ) from error
    return train


NO_STRINGS = pd.DataFrame(columns=["text", "text_key", "status", "kind", "accepted", "meaning"])


if __name__ == "__main__":
    typer.run(main)
