"""The card says what was measured, and refuses figures of another model."""

import json
from pathlib import Path
from typing import get_args

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from training.card import main
from training.pairs import LICENCES
from training.protocol import CUT
from training.recipe import Pairs

SOURCES = [
    {"pairs": "labels", "loss": "MultipleNegativesRanking", "noise": 0.3, "hard_negatives": True},
    {"pairs": "onet_products", "loss": "MultipleNegativesRanking", "noise": 0, "hard_negatives": False},
]
TRAINED = {
    "recipe": {"base": "builtin", "epochs": 2, "max_steps": None, "sources": SOURCES},
    "base": "all-minilm-l6-v2-fp32-0",
    "taxonomy": "1.1.1",
    "without_folds": [],
    "rows": {"labels": 72_168, "onet_products": 8_866},
    "steps": 1_478,
    "seconds_of_last_start": 2_100,
    "threads": 2,
    "left_out": 5_427,
}
SHIPPED, MEASURED = TRAINED | {"everything": True}, TRAINED | {"everything": False}


def scored(**values: float) -> dict[str, object]:
    gains = {name: {"value": 0.01, "low": -0.005, "high": 0.025} for name in values}
    return {
        "strings a second": 1_000.4,
        "megabytes": 91.0,
        "scores": {name: {"value": value} for name, value in values.items()},
        "less the first": gains,
    }


def written(folder: Path, shipped: object, measured: object, workrb: object = None, name: str = "measured/model"):  # type: ignore[no-untyped-def]
    """(how the command ended, the card's path)."""
    cuts = [{CUT: cut, f"{CUT}, found": found, "V uniform: acc@1": 0.4} for cut, found in ((0.61, 0.8), (0.554, 0.87))]
    scores = {"builtin": scored(auc=0.979, **cuts[0]), str(folder / name): scored(auc=0.989, **cuts[1])}
    for place, told in (("shipped", shipped), ("measured", measured)):
        (folder / place).mkdir()
        (folder / place / "training.json").write_text(json.dumps(told))
        (folder / place / "adapter.safetensors").write_bytes(b"x" * 4_640_000)
    (folder / "scores.json").write_text(json.dumps(scores))
    arguments = [str(folder / one) for one in ("shipped", "measured", "scores.json")]
    if workrb:
        (folder / "workrb.json").write_text(json.dumps(workrb))
        arguments += ["--workrb", str(folder / "workrb.json")]
    app = typer.Typer()
    app.command()(main)
    ended: Result = CliRunner().invoke(app, [*arguments, "--out", str(folder / "out" / "card.md")])
    return ended, folder / "out" / "card.md"


def test_what_was_measured_is_said(tmp_path: Path) -> None:
    of_both = {"builtin": 0.84, str(tmp_path / "measured/model"): 0.881}
    tasks = {"SkillNorm, held-out (10), map": of_both, "SkillNorm, all (20), map": of_both}
    ended, path = written(tmp_path, SHIPPED, MEASURED, tasks)
    assert ended.exit_code == 0, ended.output
    text = path.read_text()
    head = "| | all-MiniLM-L6-v2 | skillsim-small, held-out training |\n|---|---|---|\n"
    assert "4.6 MB beside" in text
    assert "| labels | 72,168 | MultipleNegativesRanking | 30% with noise, hard negatives | ESCO, CC BY 4.0 |\n" in text
    assert "| onet_products | 8,866 | MultipleNegativesRanking |  | O*NET" in text
    assert "Recipe: base builtin, epochs 2. 1,478 steps, 35 minutes on 2\ncores; 5,427 rows" in text
    assert f"{head}| auc | 0.979 | 0.989, +0.010 [-0.005, 0.025] |\n| strings a second | 1000 | 1000 |\n" in text
    assert f"{head}| V uniform: acc@1 | 0.400 | 0.400, +0.010 [-0.005, 0.025] |\n" in text
    assert "from a cosine of 0.55:" in text
    assert "87% of those of one concept" in text
    assert "The cut of all-MiniLM-L6-v2 is 0.61.\n" in text
    assert f"{head}| SkillNorm, held-out (10), map | 0.840 | 0.881 |\n" in text
    assert "all (20)" not in text


def test_without_workrb_nothing_is_said_of_it(tmp_path: Path) -> None:
    assert "WorkRB" not in written(tmp_path, SHIPPED, MEASURED)[1].read_text()


@pytest.mark.parametrize(
    ("shipped", "measured", "said"),
    [
        (SHIPPED, MEASURED | {"recipe": {"base": "builtin", "epochs": 3, "sources": []}}, "differ in recipe:"),
        (SHIPPED, MEASURED | {"base": "other", "without_folds": [1]}, "differ in base, without_folds:"),
        (MEASURED, MEASURED, "the training on everything first"),
        (SHIPPED, SHIPPED, "the training on everything first"),
        (SHIPPED, {}, "is here (KeyError('recipe'))"),
    ],
)
def test_figures_of_another_model_are_refused(tmp_path: Path, shipped: object, measured: object, said: str) -> None:
    ended, path = written(tmp_path, shipped, measured)
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.split())
    assert not path.exists()


def test_scores_without_the_held_out_training_are_refused(tmp_path: Path) -> None:
    ended, _ = written(tmp_path, SHIPPED, MEASURED, name="other/model")
    assert ended.exit_code == 2
    assert "none is of" in ended.output


def test_every_kind_of_pairs_has_a_licence() -> None:
    assert set(LICENCES) == set(get_args(Pairs))
