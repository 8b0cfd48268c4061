"""The decision on a pair, and which one a run takes."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.special import expit, logit

from skillsim.config import Config
from skillsim.errors import DeciderError
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.pair_features import FEATURES, Words
from skillsim.variants import SHIPPED, SHIPPED_FOR, Variants, choose_variants


def test_the_shipped_decision_tells_spellings_from_neighbours() -> None:
    variants = Variants.load(SHIPPED[BUILTIN])
    assert variants.model_id == resolve_model(BUILTIN).model_id
    pairs = [("ware house", "warehouse"), ("managing stocks", "stock management"), ("day shifts", "night shifts")]
    left, right = zip(*pairs, strict=True)
    scores = variants.score(left, right, np.array([0.8, 0.9, 0.8], np.float32))
    assert scores[:2].min() > variants.threshold > scores[2]
    assert variants.threshold > variants.keep


def test_texts_that_differ_in_opposites_are_never_one_skill() -> None:
    """Though the rest is the same, and whatever the cosine."""
    pairs = [
        ("quantitative data analysis", "qualitative data analysis"),
        ("reduce the noise level", "increase noise level"),
    ]
    left, right = zip(*pairs, strict=True)
    assert Variants.load(SHIPPED[BUILTIN]).score(left, right, np.ones(2, np.float32)).tolist() == [0.0, 0.0]


def config(decision: str = "auto", **clusters: object) -> Config:
    return Config.model_validate({"clusters": {"decision": decision, **clusters}})


def test_the_shipped_decision_holds_for_its_encoder_alone(tmp_path: Path) -> None:
    model_id = resolve_model(BUILTIN).model_id
    shipped = Variants.load(SHIPPED[BUILTIN])
    found, why = choose_variants(config(), model_id)
    assert found is not None
    assert (found.threshold, found.variants_id, why) == (shipped.threshold, shipped.variants_id, "")
    found, _ = choose_variants(config(threshold=0.95), model_id)
    assert found is not None
    assert (found.threshold, found.variants_id) == (0.95, shipped.variants_id)
    assert choose_variants(config(decision="none"), model_id) == (None, "")
    found, why = choose_variants(config(), "another model")
    assert found is None
    assert "for vectors of another model: fit one, by `python -m training.variants`" in why
    with pytest.raises(DeciderError, match="was not fitted on vectors of another model"):
        choose_variants(config(decision=str(SHIPPED[BUILTIN])), "another model")
    with pytest.raises(DeciderError, match=r"clusters\.decision .* No such file .* Give none, auto, or a file"):
        choose_variants(config(decision=str(tmp_path / "none")), model_id)


def test_a_decision_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ours.safetensors").write_bytes(SHIPPED[BUILTIN].read_bytes())
    found, _ = choose_variants(config(decision="~/ours.safetensors"), resolve_model(BUILTIN).model_id)
    assert found is not None
    assert found.variants_id == Variants.load(SHIPPED[BUILTIN]).variants_id


def test_labels_have_a_shipped_decision_of_their_own() -> None:
    """Other words for one deed are one skill, and what is turned or numbered otherwise is not."""
    model_id = resolve_model(BUILTIN).model_id
    found, _ = choose_variants(config(texts="labels"), model_id)
    shipped = Variants.load(SHIPPED_FOR["labels"][BUILTIN])
    assert found is not None
    assert (found.variants_id, found.rate) == (shipped.variants_id, shipped.rate)
    assert found.variants_id != Variants.load(SHIPPED[BUILTIN]).variants_id
    assert found.rate is not None
    set_by_hand, _ = choose_variants(config(texts="labels", threshold=0.9), model_id)
    assert set_by_hand is not None
    assert set_by_hand.threshold_among([0.5] * 900 + [0.99], np.ones(901)) == 0.9
    pairs = [
        ("carry out stock checks", "perform stock checks"),
        ("work day shifts", "work night shifts"),
        ("use software release 9", "use software release 12"),
    ]
    left, right = zip(*pairs, strict=True)
    scores = found.score(left, right, np.full(3, 0.9, np.float32))
    assert scores[0] > found.threshold > scores[1:].max()


def listed(rate: float, apart: float = 2.5, n: int = 200_000) -> np.ndarray:
    """Scores that are probabilities where half of the pairs are one skill, of a list with another rate."""
    random = np.random.default_rng(5)
    same = random.random(n) < rate
    return np.asarray(expit(apart * random.normal(np.where(same, apart / 2, -apart / 2), 1.0)))


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3])
def test_the_threshold_rises_where_duplicates_are_rarer(rate: float) -> None:
    """As Bayes has it of the true rate, by scores alone; and pairs may be counted by score."""
    variants = Variants({}, Words(), 0.6, 0.3, 0.6, "a model", rate=0.5)
    scores = listed(rate)
    found = variants.threshold_among(scores, np.ones(len(scores)))
    assert logit(found) == pytest.approx(logit(0.6) - logit(rate), abs=0.15)
    rounded, counts = np.unique(scores.round(3), return_counts=True)
    assert variants.threshold_among(rounded, counts) == pytest.approx(found, abs=0.01)


def test_a_list_without_duplicates_still_shows_what_is_most_alike() -> None:
    variants = Variants({}, Words(), 0.6, 0.3, 0.6, "a model", rate=0.5)
    assert variants.threshold_among(listed(0.0), np.ones(200_000)) == 0.99


def test_the_threshold_never_falls_and_stays_where_few_pairs_tell() -> None:
    variants = Variants({}, Words(), 0.6, 0.3, 0.6, "a model", rate=0.5)
    assert variants.threshold_among(listed(0.9), np.ones(200_000)) == pytest.approx(0.6)
    assert variants.threshold_among([], []) == pytest.approx(0.6)
    assert variants.threshold_among([0.35, 0.31], [1, 1]) < 0.65


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, "No such file"),
        ({}, "variants"),
        ({"variants": "{}"}, "features"),
        ({"variants": '{"features": ["cosine"]}'}, "other features"),
        ({"variants": json.dumps({"features": FEATURES})}, "tree_feature"),
    ],
)
def test_another_file_is_one_error(tmp_path: Path, told: dict[str, str] | None, said: str) -> None:
    if told is not None:
        save_file({"baseline": np.zeros(1)}, tmp_path / "v", metadata=told)
    with pytest.raises(DeciderError, match=rf"{said}.*python -m training\.variants"):
        Variants.load(tmp_path / "v")
