"""A recipe: everything that decides which weights a training gives, in one TOML file (training/recipes)."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skillsim.errors import TrainingError
from skillsim.model_files import BUILTIN, Precision

Loss = Literal["CosineSimilarity", "CoSENT", "AnglE", "MultipleNegativesRanking"]
Pairs = Literal[
    "labels",
    "seed",
    "graded",
    "occupations",
    "descriptions",
    "judged",
    "github_aliases",
    "onet_products",
    "skillskape",
]
GRADED: tuple[Pairs, ...] = ("seed", "graded")  # pairs with a score; the others are an anchor and what belongs to it


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """One kind of pair (training.pairs says what each is), and what is done with it."""

    pairs: Pairs
    loss: Loss
    noise: float = Field(0, ge=0, le=1, description="share of the anchors, or of the first of two, that get noise")
    draws: int = Field(1, ge=1, description="how often each row is drawn, with other noise and another positive")
    rows: int | None = Field(None, ge=1, description="so many rows at most, drawn at random")
    hard_negatives: bool = Field(False, description="a label of a near concept, mined with the base, as third column")

    @model_validator(mode="after")
    def _fits(self) -> "Source":
        if (self.loss != "MultipleNegativesRanking") != (self.pairs in GRADED):
            raise ValueError(f"loss {self.loss} does not take pairs {self.pairs}")
        if self.draws > 1 and self.pairs == "seed":
            raise ValueError("pairs seed are drawn once")
        if self.hard_negatives and self.loss != "MultipleNegativesRanking":
            raise ValueError("hard_negatives are for MultipleNegativesRanking")
        return self


class Recipe(_Section):
    """A base, its sources and how it is trained."""

    base: str = Field(BUILTIN, min_length=1, description="as encoder.model of the job")
    seed: int = 0
    epochs: int = Field(1, ge=1)
    batch: int = Field(32, ge=2, description="pairs")
    learning_rate: float = Field(2e-5, gt=0)
    warmup_steps: int = Field(100, ge=0)
    weight_decay: float = Field(0, ge=0)
    max_steps: int | None = Field(None, ge=1, description="stop there, whatever the epochs")
    max_length: int = Field(32, ge=8, description="tokens of a text while training")
    precision: Precision = Field("fp32", description="bf16: 1.6 times as fast on a CPU with AVX512-BF16 or AMX")
    like_lengths: bool = Field(False, description="batches of pairs with scores hold such of like length: less padding")
    scale: float = Field(20, gt=0, description="of cosines in MultipleNegativesRanking: 1 / temperature")
    lora_rank: int = Field(0, ge=0, description="0: all weights are trained; else a low-rank change of each layer's")
    lora_alpha: int = Field(32, gt=0)
    save_steps: int = Field(200, ge=1, description="between two checkpoints")
    sources: tuple[Source, ...] = Field(min_length=1)


def read_recipe(path: Path, base: str | None = None, max_steps: int | None = None) -> Recipe:
    """Raises TrainingError that names the file and the key. `base`, `max_steps`: instead of the file's."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in RECIPES.glob("*.toml")))
        raise TrainingError(f"{path}: cannot be read ({error.strerror}). Shipped recipes: {known}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: not valid TOML: {error}.") from error
    given = {"base": base, "max_steps": max_steps}
    try:
        return Recipe.model_validate(data | {key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise TrainingError("; ".join(_describe(path, problem) for problem in error.errors())) from error


def _describe(path: Path, problem) -> str:  # type: ignore[no-untyped-def]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        model = Source if problem["loc"][0] == "sources" else Recipe
        return f"{path}: unknown key '{key}'; known here: {', '.join(model.model_fields)}"
    given = "" if problem["type"] in ("missing", "value_error") else f" = {problem['input']!r}"
    return f"{path}: {key}{given}: {problem['msg'].removeprefix('Value error, ')}"


RECIPES = Path(__file__).parent / "recipes"
