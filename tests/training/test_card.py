"""The card says what was measured, and refuses figures of another model."""

import json
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from skillsim.model_files import SMALL_ADAPTER, resolve_model
from training.card import OURS, SEED, main
from training.evaluate import Evaluated, save
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
OVER_SEED = ("spearman", "sibling auc", "synonym mrr", "job to skills map")
SHIPPED, MEASURED = TRAINED | {"everything": True}, TRAINED | {"everything": False}


def scored(model_id: str, auc: float, cut: float, found: float) -> Evaluated:
    """An interval of .015 around its AUC; all other scores without one."""
    values = {CUT: cut, f"{CUT}, found": found, "V uniform: acc@1": 0.4}
    values |= {f"{key}{suffix}": auc - 0.1 for key in OVER_SEED for suffix in ("", ", noisy")}
    drawn = {key: (np.full(41, value), 100) for key, value in values.items()}
    drawn["auc"] = np.concatenate([[auc], auc + np.linspace(-1, 1, 41) * (auc - 0.979)]), 100
    return Evaluated(model_id, False, 1_000.4, 91.0, drawn)


def written(folder: Path, shipped: object, measured: object, workrb: object, ours: str = OURS, seed: bool = False):  # type: ignore[no-untyped-def]
    """(how the command ended, the card's path)."""
    for place, told in (("shipped", shipped), ("measured", measured)):
        (folder / place).mkdir()
        (folder / place / "training.json").write_text(json.dumps(told))
    (folder / "shipped" / SMALL_ADAPTER.name).write_bytes(b"x" * 4_640_000)
    adapter = folder / "measured" / "adapter.safetensors"
    shutil.copy(SMALL_ADAPTER, adapter)
    found = {"MiniLM": scored("base", 0.979, 0.61, 0.8)} | ({SEED: scored("seed", 0.984, 0.7, 0.8)} if seed else {})
    found[ours] = scored(resolve_model(str(adapter)).model_id, 0.989, 0.554, 0.87)
    save(folder / "measured" / "encoders.json", found, "asked")
    (folder / "measured" / "workrb.json").write_text(json.dumps(workrb))
    options = [f"--{one}={folder / one}" for one in ("shipped", "measured")]
    app = typer.Typer()
    app.command()(main)
    ended: Result = CliRunner().invoke(app, [*options, "--out", str(folder / "out" / "card.md")])
    return ended, folder / "out" / "card.md"


def test_what_was_measured_is_said(tmp_path: Path) -> None:
    of_both = {"MiniLM": 0.84, OURS: 0.881}
    tasks = {"SkillNorm, held-out (10), map": of_both, "SkillNorm, all (20), map": of_both}
    ended, path = written(tmp_path, SHIPPED, MEASURED, tasks)
    assert ended.exit_code == 0, ended.output
    text = path.read_text()
    head = "| | MiniLM | skillsim-small, held-out training |\n|---|---|---|\n"
    assert "4.6 MB beside" in text
    assert "| labels | 72,168 | MultipleNegativesRanking | 30% with noise, hard negatives | ESCO, CC BY 4.0 |\n" in text
    assert "| onet_products | 8,866 | MultipleNegativesRanking |  | O*NET" in text
    assert "Recipe: base builtin, epochs 2. 1,478 steps, 35 minutes on 2\ncores; 5,427 rows" in text
    assert "| auc | 0.979 | 0.989, +0.010 [0.001, 0.020] |\n| strings a second | 1000 | 1000 |\n" in text
    assert f"{head}| V uniform: acc@1 | 0.400 | 0.400, +0.000 [0.000, 0.000] |\n" in text
    assert "from a cosine of 0.55:" in text
    assert "87% of those of one concept" in text
    assert "The cut of MiniLM is 0.61.\n" in text
    assert f"{head}| SkillNorm, held-out (10), map | 0.840 | 0.881 |\n" in text
    assert "all (20)" not in text
    assert "less the seed" not in text


def test_the_seed_is_what_ours_is_held_to(tmp_path: Path) -> None:
    ended, path = written(tmp_path, SHIPPED, MEASURED, {}, seed=True)
    assert ended.exit_code == 0, ended.output
    assert "| sibling auc | +0.005 [0.005, 0.005] | +0.005 [0.005, 0.005] |\n" in path.read_text()
    assert "The cut of MiniLM is 0.61, of seed's recipe is 0.70.\n" in path.read_text()


def test_the_card_that_ships_says_what_is_measured(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    ended = CliRunner().invoke(app, ["--out", str(tmp_path / "card.md")])
    assert ended.exit_code == 0, ended.output
    assert (tmp_path / "card.md").read_text() == SMALL_ADAPTER.with_name("README.md").read_text()


def test_without_workrb_nothing_is_said_of_it(tmp_path: Path) -> None:
    assert "WorkRB" not in written(tmp_path, SHIPPED, MEASURED, {})[1].read_text()


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
    ended, path = written(tmp_path, shipped, measured, {})
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.split())
    assert not path.exists()


def test_scores_without_the_held_out_training_are_refused(tmp_path: Path) -> None:
    ended, _ = written(tmp_path, SHIPPED, MEASURED, {}, ours="another")
    assert ended.exit_code == 2
    assert "the scores are of MiniLM, another: none is of adapter-fp32-" in ended.output


def test_every_kind_of_pairs_has_a_licence() -> None:
    assert set(LICENCES) == set(get_args(Pairs))
