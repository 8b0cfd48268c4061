"""What is held out: by URI alone, as committed, and pairs that are what they say."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from skillsim.errors import TrainingError
from skillsim.esco import find_bundle, read_taxonomy
from training.splits import held_out
from training.splits.held_out import Concepts, check, evaluation_pairs, is_held_out, manifest

REAL = Path(__file__).parents[3] / "shared" / "data" / "esco"
SAMPLE = Path(str(files("skillsim") / "data" / "sample" / "taxonomy"))


@pytest.fixture(scope="module")
def sample() -> Concepts:
    return Concepts(read_taxonomy(find_bundle(SAMPLE)))


@pytest.mark.parametrize(
    ("uri", "out"),
    [
        ("http://data.europa.eu/esco/skill/ccd0a1d9-afda-43d9-b901-96344886e14d", False),
        ("urn:concept:0", False),
        ("urn:concept:14", True),
    ],
)
def test_a_uri_is_held_out_by_its_hash(uri: str, out: bool) -> None:
    assert is_held_out(uri) == out


def test_about_fifteen_in_a_hundred_are_held_out() -> None:
    assert 0.13 < sum(is_held_out(f"urn:{number}") for number in range(5_000)) / 5_000 < 0.17


@pytest.mark.skipif(not REAL.is_dir(), reason="ESCO is not beside the repository")
def test_esco_splits_as_was_committed() -> None:
    real = Concepts(read_taxonomy(find_bundle(REAL, "en", "1.1.1")))
    check(real)
    assert manifest(real) == json.loads(held_out.FILE.read_text())
    pairs = evaluation_pairs(real)
    kinds = pairs["kind"].value_counts(normalize=True)
    assert kinds["positive"] == pytest.approx(0.5, abs=0.01)
    assert kinds["random"] == pytest.approx(0.25, abs=0.01)


def test_a_split_that_is_not_the_committed_one_is_named(sample: Concepts, tmp_path: Path, monkeypatch) -> None:
    committed = manifest(sample)
    committed["pairs"] = {"rows": 1, "sha256": "0"}
    file = tmp_path / "held_out.json"
    file.write_text(json.dumps(committed))
    monkeypatch.setattr(held_out, "FILE", file)
    with pytest.raises(TrainingError, match="pairs of ESCO"):
        check(sample)


def test_a_taxonomy_of_which_nothing_is_held_out_is_an_error(sample: Concepts, monkeypatch) -> None:
    monkeypatch.setattr(held_out, "PERCENT", 0)
    with pytest.raises(TrainingError, match="holds no concepts out"):
        manifest(sample)


def test_pairs_are_of_held_out_concepts_and_what_they_say(sample: Concepts) -> None:
    pairs = evaluation_pairs(sample)
    holders: dict[str, set[str]] = {}
    for uri, labels in sample.labels.items():
        for text in labels:
            holders.setdefault(text, set()).add(uri)
    assert set(pairs["kind"]) == {"positive", "random", "sibling"}
    for row in pairs.itertuples():
        assert is_held_out(row.concept)
        assert row.concept in holders[row.a]
        assert row.right == (row.kind == "positive") == (row.concept in holders[row.b])
        if row.kind == "sibling":
            assert holders[row.b] & set(sample.siblings[row.concept])


def test_siblings_share_a_direct_parent(sample: Concepts) -> None:
    for uri, siblings in sample.siblings.items():
        expected = {
            o for o in sample.labels if o != uri and set(sample.parents.get(o, ())) & set(sample.parents.get(uri, ()))
        }
        assert set(siblings) == expected
