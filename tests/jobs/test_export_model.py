"""A model as a plain folder, on the command line."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from jobs.export_model import main
from skillsim.model_files import resolve_model

Submit = Callable[..., SimpleNamespace]


def test_a_folder_is_written_once(tmp_path: Path, submit: Submit) -> None:
    ended = submit(main, tmp_path / "model")
    assert ended.code == 0
    assert resolve_model("builtin").model_id in ended.out
    assert resolve_model(str(tmp_path / "model")).path == tmp_path / "model"
    again = submit(main, tmp_path / "model")
    assert again.code == 2
    assert "is not empty" in again.err


def test_a_model_that_is_not_to_be_had_is_one_line(tmp_path: Path, submit: Submit) -> None:
    ended = submit(main, tmp_path / "model", "--model", "/no/such/folder")
    assert ended.code == 2
    assert "encoder.model '/no/such/folder': no such folder" in ended.err
