"""Another version of the taxonomy: only what it touches is decided again, and nothing points to what is gone."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from skillsim.config import Config, load_config
from skillsim.decider import FittedFor
from skillsim.esco import find_bundle
from skillsim.model_files import resolve_model
from skillsim.overrides import Override
from skillsim.schemas import Table
from skillsim.spark.overrides import store_overrides
from skillsim.spark.plan import plan_run
from skillsim.spark.preview import preview
from skillsim.spark.tables import Tables
from skillsim.text import text_key
from tests.editions import Edits, edit
from tests.fakes import fitted_file
from tests.spark.conftest import SAMPLE, Run, stage_rows
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]

COMPARED = ["status", "concept_uri", "concept_label"]


@pytest.fixture
def concepts(finished: Run) -> list[str]:
    """Seven that texts are linked to, to be edited."""
    matched = read(finished.root, "links").query("status == 'matched' and method == 'hybrid'")
    labels = read(finished.root, "taxonomy_labels").query("kind == 'alternative'")["concept_uri"].value_counts()
    found = [uri for uri in matched["concept_uri"].drop_duplicates() if labels.get(uri, 0) >= 2]
    assert len(found) >= 7
    return found[:7]


def edition(folder: Path, edits: Edits) -> str:
    """The setting that names an edited copy of the sample's taxonomy."""
    folder.mkdir()
    for file in (SAMPLE / "taxonomy").glob("*.csv"):
        (folder / file.name).write_bytes(file.read_bytes())
    edit(folder, edits)
    return f"taxonomy.path={folder}"


def links_of(run: Run) -> pd.DataFrame:
    links = read(run.root, "links")
    return links[links["taxonomy_id"] == run.summary.ids.taxonomy_id].set_index("text_key")


@pytest.mark.slow
def test_only_what_an_upgrade_touches_is_decided_again(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str], concepts: list[str], tmp_path: Path
) -> None:
    edits = Edits.of(concepts)
    other = edition(tmp_path / "edited", edits)
    run = job(continued, records[:200], other)
    before, after = links_of(finished), links_of(run)
    assert set(after.index) == set(before.index)
    decided = after["run_id"] == run.summary.run_id
    assert stage_rows(run, "links") == decided.sum()
    assert 0 < decided.sum() < len(after) * 0.8  # seven of 174 concepts are among the thirty candidates of many texts
    assert (after.loc[~decided, "run_id"] == finished.summary.run_id).all()

    candidates = read(continued, "candidates").query("taxonomy_id == @run.summary.ids.taxonomy_id")
    named = {one["concept_uri"] for column in (after["top"], candidates["candidates"]) for row in column for one in row}
    assert edits.gone.isdisjoint(named | set(after["concept_uri"].dropna()))
    assert set(before.index[before["concept_uri"].isin(set(concepts))]) <= set(after.index[decided])

    fresh = links_of(job(tmp_path / "fresh", records[:200], other))
    for column in COMPARED:
        assert after[column].fillna("").to_dict() == fresh[column].fillna("").to_dict(), column
    assert (after["score"] - fresh["score"]).abs().max() < 0.02  # n-grams weigh a little otherwise among other labels

    differs = pd.concat([before[name].fillna("") != after[name].fillna("") for name in COMPARED], axis=1).any(axis=1)
    changes = read(continued, "link_changes").set_index("text_key")
    assert set(changes.index) == set(before.index[differs])
    assert (changes["since_run_id"] == finished.summary.run_id).all()
    assert (changes["run_id"] == run.summary.run_id).all()
    removed = changes["old_concept_uri"].isin(edits.gone)
    assert ((changes["reason"] == "concept removed") == removed).all()
    assert {"concept removed", "concept renamed"} <= set(changes["reason"])
    assert read(continued, "normalised_skills")["taxonomy_id"].dropna().unique().tolist() == [
        run.summary.ids.taxonomy_id
    ]


@pytest.mark.slow
def test_what_a_preview_says_is_what_the_run_moves_and_no_model_runs_twice(
    continued: Path,
    job: Callable[..., Run],
    records: list[str],
    concepts: list[str],
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    """A vanished concept with decisions on it: named with what points to it, and followed where a file says how."""
    edits = Edits.of(concepts)
    tables = Tables(spark, str(continued))
    text = read(continued, "texts")["text"].min()
    decided = Override(text, None, "concept", edits.removed[0], "ann", datetime(2026, 11, 30, tzinfo=UTC), "")
    store_overrides(spark, tables, [decided])
    before = job(continued, records[:200])
    successors = tmp_path / "successors.csv"
    successors.write_text(f"concept_uri,successor_uri\n{edits.removed[0]},{concepts[4]}\n", encoding="utf-8")
    settings = [edition(tmp_path / "edited", edits), f"taxonomy.successors={successors}"]
    links = read(continued, "links")
    found = preview(spark, tables, plan_run(load_config(None, [*settings, "report.min_records=1"])), 1_000)
    assert read(continued, "links").equals(links)
    assert not (continued / "staging").exists()
    assert set(found.vanished["concept_uri"]) == edits.gone
    first = found.vanished.set_index("concept_uri").loc[edits.removed[0]]
    assert (first["curators"], first["successors"]) == (text, concepts[4])
    assert (
        first["texts"]
        == (links.loc[links["taxonomy_id"] == before.summary.ids.taxonomy_id, "concept_uri"] == edits.removed[0]).sum()
    )
    assert found.vanished["suggestion_3"].notna().all()
    assert set(found.concepts["difference"]) == {"added", "removed", "renamed", "labels"}

    run = job(continued, records[:200], *settings)
    assert [stage_rows(run, stage) for stage in ("embeddings", "candidates")] == [0, 0]
    changes = read(continued, "link_changes").query("run_id == @run.summary.run_id")
    of_text = read(continued, "texts").set_index("text_key")["text"]
    assert set(found.texts["text"]) == set(of_text[changes["text_key"]])
    assert found.moves["texts"].sum() == len(changes)
    assert found.moves["mentions"].sum() == read(continued, "mentions")["text_key"].isin(changes["text_key"]).sum()
    mine = links_of(run).loc[decided.text_key]
    assert (mine["method"], mine["concept_uri"]) == ("override", concepts[4])
    assert (links_of(run)["run_id"] != run.summary.run_id).any()


@pytest.mark.slow
@pytest.mark.parametrize("last", ["links", pytest.param("link_changes", marks=pytest.mark.long)])
def test_changes_since_a_run_are_told_whatever_failed_between(
    finished: Run,
    continued: Path,
    job: Callable[..., Run],
    records: list[str],
    monkeypatch: pytest.MonkeyPatch,
    last: str,
) -> None:
    """A run with another threshold fails once it has written `last`; then a third threshold, a new record, and back."""
    with monkeypatch.context() as broken:
        broken.setattr(Tables, "replace", failing_after(last))
        with pytest.raises(RuntimeError, match="pulled plug"):
            job(continued, records[:200], "linking.threshold=0.95")
    assert len(read(continued, "link_changes"))
    run = job(continued, records[:201], "linking.threshold=0.7")
    between = links_of(run)
    assert_told(finished.summary.run_id, links_of(finished), run)
    back = job(continued, records[:201])
    assert_told(run.summary.run_id, between, back)
    assert set(links_of(back)["status"].items()) >= set(links_of(finished)["status"].items())


@pytest.mark.slow
def test_a_change_that_never_came_is_forgotten(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Tables, "replace", failing_after("link_changes"))
        with pytest.raises(RuntimeError, match="pulled plug"):
            job(continued, records[:200], "linking.threshold=0.95")
    job(continued, records[:200])
    assert read(continued, "link_changes").empty
    assert job(continued, records[:200]).summary.unchanged_since


def assert_told(since: str, old: pd.DataFrame, after: Run) -> None:
    """link_changes has what differs between the links `since` a run and those of another, once."""
    new = links_of(after)
    changes = read(after.root, "link_changes").query("since_run_id == @since").set_index("text_key")
    both = old.index.intersection(new.index)
    differs = pd.concat([old.loc[both, c].fillna("") != new.loc[both, c].fillna("") for c in COMPARED], axis=1)
    assert set(changes.index) == set(both[differs.any(axis=1)])
    assert len(changes)
    assert set(changes["run_id"]) == {after.summary.run_id}
    assert set(changes["reason"]) == {"decision"}
    for name in COMPARED:
        assert changes[f"old_{name}"].fillna("").to_dict() == old.loc[changes.index, name].fillna("").to_dict()
        assert changes[f"new_{name}"].fillna("").to_dict() == new.loc[changes.index, name].fillna("").to_dict()


def failing_after(name: str) -> Callable[..., None]:
    """`Tables.replace` that pulls the plug once it has written a table."""
    whole = Tables.replace

    def replace(self: Tables, table: Table, *rest: object) -> None:
        whole(self, table, *rest)  # type: ignore[arg-type]
        if table.name == name:
            raise RuntimeError("pulled plug")

    return replace


@pytest.mark.slow
def test_a_fitted_decision_carries_over_too_and_the_day_after_leaves_what_stands(
    job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    """Memory's strings vote: what is judged of a concept that is gone touches the texts near it."""
    root = tmp_path / "out"
    family = find_bundle(SAMPLE / "taxonomy").family
    fitted_for = FittedFor(resolve_model("builtin").model_id, "en", family, Config().retrieval.top_k, False)
    decider = fitted_file(tmp_path / "decider.safetensors", fitted_for, (0.02, 0.005))
    gone, stays = (f"https://skillsim.example/skill/{name}" for name in ("java", "sql"))
    words = tmp_path / "words.csv"
    rows = [f"java ee,en,{gone},exact,skill", f"sequel,en,{stays},exact,skill", "nurse in charge,en,,,title"]
    words.write_text("\n".join(["string,language,concept_uri,match,kind", *rows, ""]), encoding="utf-8")
    settings = [f"linking.decider={decider}", "linking.builtin_lexicon=false", f"linking.lexicon={words}"]
    lines = [*records[:60], "mine,java ee,java ee servers\n"]
    before = job(root, lines, *settings)
    old = links_of(before)
    other = edition(tmp_path / "edited", Edits(removed=[gone]))
    run = job(root, lines, other, *settings)
    new = links_of(run)
    decided = new["run_id"] == run.summary.run_id
    assert 0 < decided.sum() < len(new)
    key = text_key("java ee")
    assert (old.loc[key, "method"], old.loc[key, "concept_uri"]) == ("lexicon", gone)
    assert decided[key]
    assert new.loc[key, "method"] != "lexicon"
    fresh = links_of(job(tmp_path / "fresh", lines, other, *settings))
    same = (new[COMPARED].fillna("") == fresh.loc[new.index, COMPARED].fillna("")).all(axis=1)
    assert same[decided].all()

    later = job(root, [*lines, "new,welding of pipes 17\n"], other, *settings)
    assert stage_rows(later, "links") == 1
    assert (links_of(later).loc[new.index, "run_id"] == new["run_id"]).all()
    assert not len(read(root, "link_changes").query("run_id == @later.summary.run_id"))
