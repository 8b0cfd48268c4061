"""What clusters must keep apart or join: as committed, and of the kinds that it says."""

import json
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from skillsim.errors import TrainingError
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.text import parse_mention
from training.splits import traps
from training.splits.held_out import Concepts

REAL = Path(__file__).parents[3] / "shared" / "data" / "esco"
SAMPLE = Path(str(files("skillsim") / "data" / "sample" / "taxonomy"))


@pytest.fixture(scope="module")
def sample() -> Concepts:
    return Concepts(read_taxonomy(find_bundle(SAMPLE)))


@pytest.fixture(scope="module")
def drawn(sample: Concepts) -> pd.DataFrame:
    return traps.drawn(sample)


def test_the_written_pairs_are_clean_texts_and_each_stands_once() -> None:
    written = pd.read_csv(traps.WRITTEN, dtype=str)
    assert (written["same"] == "yes").sum() >= 75
    assert (written["same"] == "no").sum() >= 75
    assert set(written["same"]) == {"yes", "no"}
    texts = [*written["a"], *written["b"]]
    assert [parse_mention(text).text for text in texts] == texts
    assert not written.apply(lambda row: frozenset((row["a"], row["b"])), axis=1).duplicated().any()
    assert (written["a"] != written["b"]).all()


def test_pairs_of_a_kind_are_of_that_kind(drawn: pd.DataFrame) -> None:
    of = {kind: list(zip(rows["a"], rows["b"], strict=True)) for kind, rows in drawn.groupby("kind")}
    assert ("icd-10", "icd-9") in of["numbers"]
    assert ("front end", "frontend") in of["spellings"]
    assert all(a.replace(" ", "") != b.replace(" ", "") for a, b in of["numbers"])
    assert all(sorted(a) != sorted(b) or abs(len(a) - len(b)) <= 1 for a, b in of["typos"])
    for a, b in of["siblings"]:
        longer = max(len(a.split()), len(b.split()))
        assert 2 * len(set(a.split()) & set(b.split())) >= longer
    same = drawn.groupby("kind")["same"].agg(["min", "max"])
    assert same.loc[["siblings", "numbers"]].to_numpy().max() == 0
    assert same.loc[["spellings", "typos", "run together"]].to_numpy().min() == 1


def test_written_and_drawn_come_together(sample: Concepts, drawn: pd.DataFrame) -> None:
    every = traps.traps(sample)
    assert len(every) == len(drawn) + len(pd.read_csv(traps.WRITTEN))
    assert every["same"].dtype == bool


@pytest.mark.skipif(not REAL.is_dir(), reason="ESCO is not beside the repository")
def test_from_esco_is_drawn_what_was_committed() -> None:
    real = Concepts(read_taxonomy(find_bundle(REAL, "en", "1.1.1")))
    traps.check(real)
    assert traps.manifest(real) == json.loads(traps.FILE.read_text())
    assert traps.traps(real)["same"].value_counts().min() >= 150


def test_pairs_that_are_not_the_committed_ones_are_an_error(sample: Concepts, tmp_path: Path, monkeypatch) -> None:
    committed = traps.manifest(sample) | {"sha256": "0"}
    (tmp_path / "traps.json").write_text(json.dumps(committed))
    monkeypatch.setattr(traps, "FILE", tmp_path / "traps.json")
    with pytest.raises(TrainingError, match=r"traps.json.*not those that were committed"):
        traps.check(sample)
    (tmp_path / "traps.json").write_text(json.dumps(committed | {"taxonomy": "9 xx"}))
    traps.check(sample)
