"""Recipes: the shipped ones read, and every mistake named with its key."""

from pathlib import Path

import pytest

from skillsim.errors import TrainingError
from training.recipe import RECIPES, read_recipe

GOOD = '[[sources]]\npairs = "labels"\nloss = "MultipleNegativesRanking"\n'


@pytest.mark.parametrize("file", sorted(RECIPES.glob("*.toml")), ids=lambda file: file.stem)
def test_a_shipped_recipe_can_be_read(file: Path) -> None:
    assert read_recipe(file).sources


def test_the_seeds_recipe_is_the_cards() -> None:
    seed = read_recipe(RECIPES / "seed.toml", base="elsewhere", max_steps=7)
    assert (seed.epochs, seed.batch, seed.learning_rate, seed.warmup_steps) == (5, 32, 2e-5, 100)
    assert [(source.pairs, source.loss) for source in seed.sources] == [("seed", "CosineSimilarity")]
    assert (seed.base, seed.max_steps, seed.lora_rank) == ("elsewhere", 7, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"epoch = 2\n{GOOD}", "unknown key 'epoch'; known here: base, seed, epochs"),
        (f"{GOOD}weight = 2\n", "unknown key 'sources.0.weight'; known here: pairs, loss"),
        (f"batch = 1\n{GOOD}", "batch = 1: Input should be greater than or equal to 2"),
        (GOOD.replace("MultipleNegativesRanking", "Triplet"), "sources.0.loss = 'Triplet'"),
        (GOOD.replace("labels", "graded"), "loss MultipleNegativesRanking does not take pairs graded"),
        (GOOD.replace("MultipleNegativesRanking", "CoSENT"), "loss CoSENT does not take pairs labels"),
        ("epochs = 1\n", "sources: Field required"),
        ("epochs = \n", "not valid TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(TrainingError) as raised:
        read_recipe(file)
    assert message in str(raised.value)
    assert "own.toml" in str(raised.value)


def test_a_recipe_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Shipped recipes: seed, skillsim"):
        read_recipe(tmp_path / "none.toml")
