"""The round trip on the command line: a sheet out, decisions in, one taken back."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pandas as pd
import pytest

from jobs.review import app
from skillsim.lexicon import read_lexicon
from skillsim.review import read_sheet
from skillsim.text import text_key
from tests.spark.conftest import CLUSTERS_ON, Run
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
def test_a_sheet_goes_out_and_its_decisions_come_in(
    continued: Path, submit: Callable[..., object], job: Callable[..., Run], records: list[str], name: str
) -> None:
    sheet = continued.parent / name
    ended = submit(app, "export", "--output", continued, "--sheet", sheet, "--rows", 5, "--set", "report.min_records=1")
    assert (ended.code, ended.err) == (0, "")
    asked = read_sheet(sheet)
    skills = read(continued, "normalised_skills")
    ambiguous = skills[skills["status"] == "ambiguous"]
    assert len(asked) == min(5, ambiguous["text"].nunique())
    assert set(asked["text"]) <= set(ambiguous["text"])
    assert asked["explanation"].str.startswith("Undecided between ").all()
    text = asked["text"][0]
    assert int(asked["mentions"][0]) == (ambiguous["text"] == text).sum()

    filled = asked.assign(decision=["1", "not a skill", *[""] * (len(asked) - 2)])
    filled.to_csv(sheet.with_suffix(".filled.csv"), index=False)
    taken = submit(app, "import", "--output", continued, "--sheet", sheet.with_suffix(".filled.csv"), "--by", "ann")
    assert taken.code == 0
    assert "2 decisions of ann taken" in taken.out
    if name.endswith("xlsx"):
        return
    job(continued, records[:200])
    of_text = read(continued, "normalised_skills").query("text == @text")
    assert set(of_text["concept_uri"]) == {asked["uri_1"][0]}
    assert set(of_text["method"]) == {"override"}

    other = filled.assign(decision=["2", *[""] * (len(asked) - 1)])
    other.to_csv(sheet, index=False)
    changed = submit(app, "import", "--output", continued, "--sheet", sheet, "--by", "bob")
    assert f"{text!r}: {asked['uri_1'][0]} by ann no longer holds" in changed.out
    own = continued.parent / "ours.csv"
    for said in ("2 decisions added, 0 were there, 0 left out", "0 decisions added, 2 were there, 0 left out"):
        promoted = submit(app, "promote", "--output", continued, "--lexicon", own)
        assert (promoted.code, said in promoted.out) == (0, True)
    of_lexicon = read_lexicon(own).entries[text_key(text)]
    assert (of_lexicon.exact, of_lexicon.taxonomy_version) == ((asked["uri_2"][0],), "unknown")
    for who in ("bob", "ann"):
        revoked = submit(app, "revoke", "--output", continued, "--text", text, "--by", "eve")
        assert f"by {who} is revoked" in revoked.out
    again = submit(app, "revoke", "--output", continued, "--text", text, "--by", "eve")
    assert again.code == 2
    assert "no decision on it is in force" in again.err


def test_a_sheet_with_a_wrong_row_is_taken_not_at_all(continued: Path, submit: Callable[..., object]) -> None:
    sheet = continued.parent / "sheet.csv"
    rows = {"text": ["java", "c"], "decision": ["7", "nil"], "uri_1": ["", ""], "uri_2": ["", ""], "uri_3": ["", ""]}
    pd.DataFrame(rows).to_csv(sheet, index=False)
    ended = submit(app, "import", "--output", continued, "--sheet", sheet, "--by", "ann")
    assert ended.code == 2
    assert "row 2: 'java': decision '7'" in ended.err
    assert "nothing was taken" in ended.err
    assert not (continued / "tables" / "overrides").exists()


@pytest.mark.slow
def test_a_decision_for_a_cluster_holds_for_its_texts_is_told_when_it_splits_and_revoked_at_once(
    clustered: Run,
    submit: Callable[..., object],
    job: Callable[..., Run],
    records: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    root = Path(copytree(clustered.root, tmp_path / "continued"))
    sheet = tmp_path / "sheet.csv"
    submit(app, "export", "--output", root, "--sheet", sheet, "--set", "report.min_records=1")
    asked = read_sheet(sheet)
    members = read(root, "cluster_members").merge(read(root, "texts"), on="text_key")
    row = asked[asked["cluster"] != ""].index[0]
    (cluster_id,) = members.loc[members["text"] == asked["text"][row], "cluster_id"]
    theirs = set(members.loc[members["cluster_id"] == cluster_id, "text"])
    assert asked["cluster"][row].endswith(f" ({len(theirs)} texts)")
    assert len(theirs) > 1
    asked.loc[row, ["decision", "for_cluster"]] = ["1", "yes"]
    asked.to_csv(sheet, index=False)
    taken = submit(app, "import", "--output", root, "--sheet", sheet, "--by", "ann")
    assert f"{len(theirs)} decisions of ann taken" in taken.out
    job(root, records[:200], CLUSTERS_ON)
    skills = read(root, "normalised_skills")
    decided = skills[skills["method"] == "override"]
    assert set(decided["text"]) == theirs
    assert set(decided["concept_uri"]) == {asked["uri_1"][row]}
    assert "it has split since" not in caplog.text
    job(root, records[:200], CLUSTERS_ON, "clusters.threshold=1")
    assert "it has split since" in caplog.text
    again = submit(app, "export", "--output", root, "--sheet", sheet)
    assert "it has split since" in again.out
    of = ("--output", root, "--text", sorted(theirs)[0], "--by", "eve")
    revoked = submit(app, "revoke", *of, "--for-cluster")
    assert revoked.out.count("by ann is revoked") == len(theirs)
