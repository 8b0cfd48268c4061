"""A fitted decision in the job: the links of one machine, and another lexicon costs neither vectors nor candidates."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skillsim.config import Config, load_config
from skillsim.decider import FittedFor
from skillsim.esco import find_bundle
from skillsim.model_files import resolve_model
from skillsim.normaliser import Normaliser
from tests.fakes import fitted_file
from tests.spark.conftest import SAMPLE, Run, stage_rows
from tests.spark.identity import assert_same_tables, read

pytestmark = [pytest.mark.spark, pytest.mark.delta]

CONCEPTS = "https://skillsim.example/skill"


def lexicon(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["string,language,concept_uri,match,kind", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    """A decision of random trees that holds for the sample, with a lexicon of three rows."""
    family = find_bundle(SAMPLE / "taxonomy").family
    fitted_for = FittedFor(resolve_model("builtin").model_id, "en", family, Config().retrieval.top_k, False)
    words = lexicon(
        tmp_path / "words.csv",
        f"java ee,en,{CONCEPTS}/java,exact,skill",
        "nurse in charge,en,,,title",
        "teem work,en,,,skill",
    )
    decider = fitted_file(tmp_path / "decider.safetensors", fitted_for, (0.02, 0.005))
    return [f"linking.decider={decider}", "linking.builtin_lexicon=false", f"linking.lexicon={words}"]


@pytest.mark.slow
def test_links_are_those_of_one_machine_and_another_lexicon_costs_no_model(
    tmp_path: Path, settings: list[str], job: Callable[..., Run], records: list[str]
) -> None:
    run = job(tmp_path / "out", records[:60], *settings)
    assert run.summary.ids.decider_id.startswith("fitted-")
    links = read(run.root, "links")
    skills = read(run.root, "normalised_skills").query("text_key.notna()").drop_duplicates("text_key")
    assert links["calibrated"].any()
    assert links["kind"].notna().all()
    config = load_config(None, ["input.separators=default", *settings])
    normaliser = Normaliser.from_esco(SAMPLE / "taxonomy", config=config, cache=tmp_path / "cache")
    expected = normaliser.link(skills["text"].tolist()).set_index(skills["text_key"].to_numpy())
    for link in links.to_dict("records"):
        one = expected.loc[link["text_key"]]
        same = ("status", "reason", "concept_uri", "method", "group_uri")
        if not any(abs(link["score"] - at) < 1e-4 for at in (0.02, 0.005)):
            assert [link[name] for name in same] == [one[name] for name in same], link
        assert link["score"] == pytest.approx(one["score"], abs=1e-3)

    with Path(settings[-1].partition("=")[2]).open("a", encoding="utf-8") as words:
        words.write(f"java ee,en,{CONCEPTS}/sql,broad,skill\nmicrosoft words,en,,,junk\n")
    again = job(tmp_path / "out", records[:60], *settings)
    assert stage_rows(again, "candidates") == 0
    assert stage_rows(again, "embeddings") <= 1  # the new string of the lexicon
    assert again.summary.ids.lexicon_id != run.summary.ids.lexicon_id
    fresh = job(tmp_path / "fresh", records[:60], *settings)
    assert_same_tables(again.root, fresh.root, ties=2, thresholds=(0.02, 0.005))
