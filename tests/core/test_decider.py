"""The fitted decision: its trees walked one by one, its file, and when it gives way to the plain score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.config import Config, load_config
from skillsim.decider import (
    NIL_THRESHOLD,
    SHIPPED,
    THRESHOLD,
    FittedDecider,
    FittedFor,
    PlainDecider,
    choose_decider,
    probabilities,
)
from skillsim.errors import DeciderError
from skillsim.esco import Bundle, find_bundle
from skillsim.lexicon import KINDS
from skillsim.model_files import resolve_model
from skillsim.signals import CONTEXT, SIGNALS, Pool
from tests.fakes import fitted_file, tree_parameters


def random_pool(sizes: list[int], seed: int) -> Pool:
    random = np.random.default_rng(seed)
    text = np.repeat(np.arange(len(sizes)), sizes)
    signals = random.normal(size=(len(text), len(SIGNALS))).astype(np.float32)
    context = random.normal(size=(len(sizes), len(CONTEXT))).astype(np.float32)
    return Pool(text, np.arange(len(text)), signals, context, np.concatenate([[0], np.cumsum(sizes)]))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 99))
def test_a_pairs_probability_is_what_its_leaves_add_up_to(sizes: list[int], seed: int) -> None:
    found, p = random_pool(sizes, seed), tree_parameters(seed)
    probability, kinds = probabilities(p, found)
    rows = np.concatenate([found.signals, found.context[found.text]], axis=1)
    for row, got in zip(rows, probability, strict=True):
        total = float(p["baseline"])
        for tree in range(len(p["tree_feature"])):
            node = 0
            while p["tree_left"][tree, node] != node:
                goes_left = row[p["tree_feature"][tree, node]] <= p["tree_threshold"][tree, node]
                node = p["tree_left" if goes_left else "tree_right"][tree, node]
            total += p["tree_value"][tree, node]
        assert got == pytest.approx(1 / (1 + np.exp(-total)), abs=1e-6)
    weight = np.exp(found.context @ p["kind_weight"])
    np.testing.assert_allclose(kinds, weight / weight.sum(axis=1, keepdims=True), rtol=1e-4)


# --- its file ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(sample_path: Path) -> Bundle:
    return find_bundle(sample_path)


@pytest.fixture
def fitted_for(bundle: Bundle) -> FittedFor:
    return FittedFor(resolve_model("builtin").model_id, "en", bundle.family, Config().retrieval.top_k, True)


def chosen(bundle: Bundle, *settings: str) -> tuple[object, list[str]]:
    return choose_decider(load_config(None, settings), bundle, resolve_model("builtin").model_id)


def test_a_file_that_holds_for_the_run_decides_under_its_thresholds_or_those_given(
    tmp_path: Path, bundle: Bundle, fitted_for: FittedFor
) -> None:
    wanted = f"linking.decider={fitted_file(tmp_path / 'd.safetensors', fitted_for)}"
    decider, reasons = chosen(bundle, wanted)
    assert isinstance(decider, FittedDecider)
    assert reasons == []
    assert (decider.threshold, decider.nil_threshold, decider.calibrated) == (0.6, 0.1, True)
    other, _ = chosen(bundle, wanted, "linking.threshold=0.7")
    again, _ = chosen(bundle, wanted)
    assert other.threshold == 0.7  # type: ignore[attr-defined]
    assert decider.decider_id == again.decider_id != other.decider_id  # type: ignore[attr-defined]
    assert np.array_equal(decider.parameters["tree_value"], tree_parameters()["tree_value"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_id": "other"}, "model_id is .*, fitted for other"),
        ({"language": "de"}, "language is en, fitted for de"),
        ({"family": "http://other"}, "family is https://skillsim.example/skill, fitted for http://other"),
        ({"top_k": 7}, "top_k is 30, fitted for 7"),
        ({"builtin_lexicon": False}, "builtin_lexicon is True"),
        ({"signals_version": 0}, "signals_version is 1, fitted for 0"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_by_name(
    tmp_path: Path, bundle: Bundle, fitted_for: FittedFor, change: dict[str, object], said: str
) -> None:
    path = fitted_file(tmp_path / "d.safetensors", replace(fitted_for, **change))  # type: ignore[arg-type]
    with pytest.raises(DeciderError, match=said):
        chosen(bundle, f"linking.decider={path}")


def test_the_projects_own_gives_way_and_says_why(bundle: Bundle) -> None:
    decider, (reason,) = chosen(bundle)
    assert decider == PlainDecider(THRESHOLD, NIL_THRESHOLD)
    assert "family is https://skillsim.example/skill, fitted for http://data.europa.eu/esco/skill" in reason
    assert "python -m training.decider" in reason
    assert chosen(bundle, "linking.decider=plain", "linking.threshold=0.9") == (PlainDecider(0.9, NIL_THRESHOLD), [])


def test_of_the_projects_own_the_one_for_the_runs_encoder_decides(
    tmp_path: Path, bundle: Bundle, fitted_for: FittedFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(fitted_for, model_id="other")
    paths = {
        "builtin": fitted_file(tmp_path / "a.safetensors", fitted_for, (0.6, 0.1)),
        "other": fitted_file(tmp_path / "b.safetensors", other, (0.7, 0.1)),
    }
    monkeypatch.setattr("skillsim.decider.SHIPPED", paths)
    config = load_config(None, [])
    thresholds = [choose_decider(config, bundle, of.model_id)[0].threshold for of in (fitted_for, other)]
    assert thresholds == [0.6, 0.7]
    plain, (reason,) = choose_decider(config, bundle, "third")
    assert isinstance(plain, PlainDecider)
    assert "model_id is third, fitted for" in reason


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_another_file_is_no_decision(tmp_path: Path, bundle: Bundle, content: bytes | None) -> None:
    path = tmp_path / "d.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeciderError, match="is no fitted decision"):
        chosen(bundle, f"linking.decider={path}")


def test_thresholds_out_of_order_are_refused(bundle: Bundle) -> None:
    with pytest.raises(DeciderError, match="nil_threshold 0.5 is above linking.threshold 0.3"):
        chosen(bundle, "linking.threshold=0.3")


@pytest.mark.parametrize("model", list(SHIPPED))
def test_the_shipped_files_are_of_this_code(model: str) -> None:
    decider = FittedDecider.load(SHIPPED[model])
    assert decider.fitted_for == FittedFor(
        resolve_model(model).model_id, "en", "http://data.europa.eu/esco/skill", Config().retrieval.top_k, True
    )
    assert decider.parameters["tree_feature"].max() < len(SIGNALS) + len(CONTEXT)
    assert decider.parameters["kind_weight"].shape == (len(CONTEXT), len(KINDS))
    assert 0 < decider.nil_threshold < decider.threshold < 1
