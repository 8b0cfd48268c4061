"""The card says what was measured, and refuses figures of another model."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from training.card import card, main

SOURCE = {"pairs": "labels", "loss": "MultipleNegativesRanking", "noise": 0.3, "hard_negatives": True}
TRAINED = {
    "recipe": {"base": "builtin", "epochs": 2, "sources": [SOURCE]},
    "base": "all-minilm-l6-v2-fp32-0",
    "taxonomy": "1.1.1",
    "rows": {"labels": 72_168},
    "steps": 1_478,
    "seconds_of_last_start": 2_100,
    "threads": 2,
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


SCORES = {
    "builtin": scored(auc=0.979, **{"definitely related from": 0.61, "definitely related, found": 0.8}),
    "out/model": scored(auc=0.989, **{"definitely related from": 0.554, "definitely related, found": 0.87}),
}


def test_what_was_measured_is_said() -> None:
    text = card(SHIPPED, MEASURED, SCORES, {"SkillNorm": {"builtin": 0.84, "out/model": 0.881}}, 4_640_000)
    assert "4.6 MB beside" in text
    assert "| labels, a share of 0.3 with noise, hard negatives | 72,168 | MultipleNegativesRanking | ESCO," in text
    assert "epochs 2; 1478 steps in 35 minutes on\n2 cores" in text
    assert "| | builtin | out/model |\n|---|---|---|\n| auc | 0.979 | 0.989, +0.010 [-0.005, 0.025] |\n" in text
    assert "from a cosine of 0.55:" in text
    assert "87% of those of one concept" in text
    assert "builtin 0.61." in text
    assert "| | builtin | out/model |\n|---|---|---|\n| SkillNorm | 0.840 | 0.881 |\n" in text
    assert "WorkRB" not in card(SHIPPED, MEASURED, SCORES, {}, 1)


@pytest.mark.parametrize(
    ("shipped", "measured", "said"),
    [
        (SHIPPED, MEASURED | {"recipe": {"base": "builtin", "epochs": 3, "sources": []}}, "differ in recipe or base"),
        (SHIPPED, MEASURED | {"base": "other"}, "differ in recipe or base"),
        (MEASURED, MEASURED, "the training on everything first"),
        (SHIPPED, SHIPPED, "the training on everything first"),
    ],
)
def test_figures_of_another_model_are_refused(
    tmp_path: Path, shipped: dict[str, object], measured: dict[str, object], said: str
) -> None:
    for name, told in (("shipped", shipped), ("measured", measured)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training.json").write_text(json.dumps(told))
        (tmp_path / name / "adapter.safetensors").write_bytes(b"")
    (tmp_path / "scores.json").write_text(json.dumps(SCORES))
    app = typer.Typer()
    app.command()(main)
    paths = [str(tmp_path / name) for name in ("shipped", "measured", "scores.json")]
    result = CliRunner().invoke(app, [*paths, "--out", str(tmp_path / "card.md")])
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "card.md").exists()
