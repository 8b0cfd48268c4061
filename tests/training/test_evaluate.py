"""Encoders side by side on the command line, on the sample taxonomy."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from skillsim.model_files import resolve_model
from skillsim.network import export_model
from training.evaluate import Evaluated, _to_run, main

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
    result = CliRunner().invoke(app, [SAMPLE, "builtin", f"copy={copy}", "--draws", "10", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "copy was trained on everything" in result.output
    told = json.loads(out.read_text())
    assert told["builtin"]["scores"]["auc"]["value"] > 0.7
    assert told["builtin"]["megabytes"] == pytest.approx(told["copy"]["megabytes"], rel=0.01)
    gains = told["copy"]["less the first"]
    assert gains.keys() == told["builtin"]["scores"].keys()
    assert all(abs(gain["value"]) < 0.01 for gain in gains.values())

    shutil.rmtree(copy)
    again = [SAMPLE, "builtin", "copy", "--draws", "10", "--known", str(out), "--out", str(tmp_path / "again.json")]
    result = CliRunner().invoke(app, again)
    assert result.exit_code == 0, result.output
    assert result.output.count("(in an earlier call)") == 2
    assert "copy was trained on everything" in result.output
    assert json.loads((tmp_path / "again.json").read_text()) == told

    result = CliRunner().invoke(app, [SAMPLE, "builtin", "--draws", "11", "--known", str(out)])
    assert result.exit_code == 2
    assert "other --draws" in result.output
    out.with_suffix(".npz").unlink()
    result = CliRunner().invoke(app, [SAMPLE, "builtin", "--draws", "10", "--known", str(out)])
    assert result.exit_code == 2
    assert "scores.json and its .npz cannot be read" in result.output


def test_other_weights_of_a_known_title_are_run(tmp_path: Path) -> None:
    known = {"m": Evaluated("all-minilm-l6-v2-fp32-0", False, 1, 1, {})}
    title, model = _to_run("m=builtin", known)
    assert title == "m"
    assert model == resolve_model("builtin")
    same = {"m": Evaluated(resolve_model("builtin").model_id, False, 1, 1, {})}
    assert _to_run("m=builtin", same) == ("m", None)


def test_a_mistake_is_one_line(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, [SAMPLE, "/no/such/model"])
    assert result.exit_code == 2
    assert result.output.startswith("error: encoder.model '/no/such/model': no such folder")
