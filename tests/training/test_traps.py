"""What clusters must keep apart or join: as committed, and of the kinds that it says."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from rapidfuzz.distance import OSA

from skillsim.errors import TrainingError
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.lexicon import builtin_lexicon
from skillsim.text import parse_mention
from training.splits import traps
from training.splits.held_out import Concepts, is_held_out

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


def test_pairs_of_a_kind_are_of_that_kind(drawn: pd.DataFrame, sample: Concepts) -> None:
    of = {kind: list(zip(rows["a"], rows["b"], strict=True)) for kind, rows in drawn.groupby("kind")}
    assert of.keys() == traps.DRAWN.keys() - {"antonym"}  # the sample's held-out labels have none
    held_out = {labels[0] for uri, labels in sample.labels.items() if is_held_out(uri)}
    assert all({a, b} & held_out for kind in ("sibling", "typo", "run together") for a, b in of[kind])
    for a, b in of["sibling"]:
        assert 2 * len(set(a.split()) & set(b.split())) >= max(len(a.split()), len(b.split()))
    assert ("icd-10", "icd-9") in of["version"]
    assert all(re.sub(r"[0-9.]", "", a) == re.sub(r"[0-9.]", "", b) for a, b in of["version"])
    assert all(1 <= OSA.distance(a, b) <= 2 for a, b in of["typo"])
    letters = [[re.sub("[^a-z0-9+#]", "", text) for text in pair] for pair in of["punctuation"] + of["run together"]]
    assert all(a == b for a, b in letters)
    assert all(rows["same"].eq(traps.DRAWN[str(kind)][0]).all() for kind, rows in drawn.groupby("kind"))


@pytest.mark.parametrize(
    ("label", "turned"),
    [
        ("advise on internal audits", ["advise on external audits"]),
        ("external audits", ["internal audits"]),
        ("audits", []),
        ("internal", []),
        ("import export regulations", []),
    ],
)
def test_one_word_of_several_is_turned_into_its_opposite(sample: Concepts, label: str, turned: list[str]) -> None:
    assert [b for _, b in traps._antonyms(sample, {"urn:1": label})] == turned


def test_no_pair_stands_twice(sample: Concepts, drawn: pd.DataFrame) -> None:
    every = traps.traps(sample)
    assert every["origin"].value_counts()["drawn"] == len(drawn)
    assert every["same"].dtype == bool
    assert not every.apply(lambda row: frozenset((row["a"], row["b"])), axis=1).duplicated().any()


def test_no_pair_that_belongs_together_has_a_string_of_several_senses(sample: Concepts) -> None:
    ambiguous = {entry.text for entry in builtin_lexicon("en").entries.values() if entry.ambiguous}
    same = traps.traps(sample).query("same")
    assert not ambiguous & {*same["a"], *same["b"]}


@pytest.mark.skipif(not REAL.is_dir(), reason="ESCO is not beside the repository")
def test_from_esco_is_drawn_what_was_committed() -> None:
    real = Concepts(read_taxonomy(find_bundle(REAL, "en", "1.1.1")))
    traps.check(real)
    assert traps.manifest(real) == json.loads(traps.FILE.read_text())
    assert traps.traps(real)["same"].value_counts().min() >= 150


def test_pairs_that_are_not_the_committed_ones_are_an_error(sample: Concepts, tmp_path: Path, monkeypatch) -> None:
    committed = traps.manifest(sample) | {"typo": {"rows": 1, "sha256": "0"}}
    (tmp_path / "traps.json").write_text(json.dumps(committed))
    monkeypatch.setattr(traps, "FILE", tmp_path / "traps.json")
    with pytest.raises(TrainingError, match=r"traps.json: typo of ESCO.*python -m training.splits traps TAXONOMY"):
        traps.check(sample)
    (tmp_path / "traps.json").write_text(json.dumps(committed | {"taxonomy": "9 xx"}))
    traps.check(sample)
