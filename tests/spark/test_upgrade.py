"""Another version of the taxonomy: only what it touches is decided again, and nothing points to what is gone."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

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
