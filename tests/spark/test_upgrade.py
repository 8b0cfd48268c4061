"""Another version of the taxonomy: only what it touches is decided again, and nothing points to what is gone."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from skillsim.config import load_config
from skillsim.overrides import Override
from skillsim.schemas import LINKS, Table
from skillsim.spark.overrides import store_overrides
from skillsim.spark.plan import plan_run
from skillsim.spark.preview import preview
from skillsim.spark.tables import Tables
from tests.editions import Edits, edit
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
    assert (links_of(run)["run_id"] == before.summary.run_id).any()


@pytest.mark.slow
def test_changes_that_a_failed_run_wrote_are_written_over_by_the_next(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the changes and before the links; then run with another threshold."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Tables, "replace", replace_all_but(LINKS.name, killed))
        with pytest.raises(KeyboardInterrupt):
            job(continued, records[:200], "linking.threshold=0.95")
    wrong = read(continued, "link_changes")
    assert len(wrong)
    run = job(continued, records[:200], "linking.threshold=0.7")
    before, after = links_of(finished), links_of(run)
    changes = read(continued, "link_changes").set_index("text_key")
    assert set(changes.index) == set(before.index[before["status"] != after["status"]])
    assert set(changes["run_id"]) == {run.summary.run_id}
    assert set(changes["reason"]) == {"decision"}
    assert (changes["new_status"] == after.loc[changes.index, "status"]).all()


def replace_all_but(name: str, instead: Callable[..., None]) -> Callable[..., None]:
    whole = Tables.replace

    def replace(self: Tables, table: Table, *rest: object) -> None:
        (instead if table.name == name else whole)(self, table, *rest)  # type: ignore[arg-type]

    return replace
