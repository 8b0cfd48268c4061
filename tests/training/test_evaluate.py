"""Encoders side by side on the command line, on the sample taxonomy."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from skillsim.model_files import resolve_model
from skillsim.network import export_model
from training.evaluate import main

SAMPLE = str(files("skillsim") / "data" / "sample" / "taxonomy")


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(main)
    return made


def test_a_copy_of_a_model_gains_nothing_over_it(app: typer.Typer, tmp_path: Path) -> None:
    copy, out = tmp_path / "model", tmp_path / "scores.json"
    export_model(resolve_model("builtin"), copy)
    (tmp_path / "training.json").write_text('{"everything": true}')
    result = CliRunner().invoke(app, [SAMPLE, "builtin", str(copy), "--draws", "10", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "was trained on everything" in result.output
    told = json.loads(out.read_text())
    assert told["builtin"]["scores"]["auc"]["value"] > 0.7
    assert told["builtin"]["megabytes"] == pytest.approx(told[str(copy)]["megabytes"], rel=0.01)
    gains = told[str(copy)]["less the first"]
    assert gains.keys() == told["builtin"]["scores"].keys()
    assert all(abs(gain["value"]) < 0.01 for gain in gains.values())


def test_a_mistake_is_one_line(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, [SAMPLE, "/no/such/model"])
    assert result.exit_code == 2
    assert result.output.startswith("error: encoder.model '/no/such/model': no such folder")
