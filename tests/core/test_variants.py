"""The decision on a pair, and which one a run takes."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from skillsim.config import Config
from skillsim.errors import DeciderError
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.pair_features import FEATURES
from skillsim.variants import SHIPPED, Variants, choose_variants


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
    with pytest.raises(DeciderError, match="No such file"):
        choose_variants(config(decision=str(tmp_path / "none")), model_id)


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
