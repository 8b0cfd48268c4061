"""A model as a plain folder, on the command line."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from jobs.export_model import main
from skillsim.encoder import load_encoder
from skillsim.model_files import resolve_model

Submit = Callable[..., SimpleNamespace]
TEXTS = ["Electrical wiring", "Circuit troubleshooting", "Machine learning"]


@pytest.mark.parametrize("name", ["builtin", "skillsim-small"])
def test_the_seeds_quick_start_opens_what_is_exported(tmp_path: Path, submit: Submit, name: str) -> None:
    ended = submit(main, tmp_path / "model", "--model", name)
    assert ended.code == 0
    assert resolve_model(name).model_id in ended.out
    opened = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(TEXTS, normalize_embeddings=True)
    ours = load_encoder(resolve_model(name), "cpu").encode(TEXTS).vectors.astype(np.float32)
    assert (opened * ours).sum(axis=1).min() >= 0.9999


def test_a_folder_is_written_once(tmp_path: Path, submit: Submit) -> None:
    assert submit(main, tmp_path / "model").code == 0
    assert resolve_model(str(tmp_path / "model")).path == tmp_path / "model"
    again = submit(main, tmp_path / "model")
    assert again.code == 2
    assert "is not empty" in again.err


def test_a_model_that_is_not_to_be_had_is_one_line(tmp_path: Path, submit: Submit) -> None:
    ended = submit(main, tmp_path / "model", "--model", "/no/such/folder")
    assert ended.code == 2
    assert "encoder.model '/no/such/folder': no such folder" in ended.err
