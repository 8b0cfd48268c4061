"""A bias of known size in who is linked, found by the command; and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from jobs.audit_fairness import app
from skillsim.wordings import read_wordings
from tests.spark.conftest import SAMPLE
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def people(root: Path) -> pd.DataFrame:
    """source, record_id, and whether a skill is matched."""
    skills = read(root, "normalised_skills")
    skills["record_id"] = skills["record_id"].str.replace(r"##\d+$", "", regex=True)
    linked = (skills["status"] == "matched").groupby([skills["source"], skills["record_id"]]).max()
    return linked.rename("linked").reset_index()


def test_it_finds_who_is_linked_less(continued: Path, submit: Callable[..., object], tmp_path: Path) -> None:
    told = people(continued)
    assert 0.3 < told["linked"].mean() < 0.999
    half = told.index % 2 == 0
    # Of group b, those who are not linked twice as often as chance has it.
    told["gender"] = ["b" if not linked or even else "a" for linked, even in zip(told["linked"], half, strict=True)]
    told.loc[0, "gender"] = " "
    told["place"] = [f"p{row}" for row in range(len(told))]
    path, chosen, out = tmp_path / "groups.csv", tmp_path / "chosen.csv", tmp_path / "audit.json"
    stranger = pd.DataFrame([{"source": "test", "record_id": "nobody", "gender": "a", "place": "p0"}])
    pd.concat([told.drop(columns="linked").iloc[:-3], stranger]).to_csv(path, index=False)
    told.loc[told["gender"] == "a", ["source", "record_id"]].to_csv(chosen, index=False)
    options = ("--groups", path, "--group", "gender", "--selected", chosen, "--out", out)
    ended = submit(app, "groups", "--output", continued, *options)
    assert (ended.code, ended.err) == (0, "")
    assert "records without a group: 3" in ended.out
    assert "rows without a record: 1" in ended.out
    found = json.loads(out.read_text())["gender"]
    kept = told.iloc[:-3]
    for group, rows in kept[kept["gender"] != " "].groupby("gender"):
        one = next(row for row in found["any skill linked"]["groups"] if row["group"] == group)
        assert (one["n"], one["mean"]) == (len(rows), pytest.approx(rows["linked"].mean()))
    assert [row["group"] for row in found["selected"]["groups"]] == ["a", "b"]
    assert found["selected"]["groups"][1]["verdict"] == "below four fifths"
    assert set(found) == {"any skill linked", "share of skills linked", "confidence", "selected"}
    assert found["any skill linked"]["groups"][1]["verdict"] == "lower, within four fifths"
    refused = {
        "column place has": ("--groups", path, "--group", "place"),
        "has no column age. It has: source, record_id, gender, place": ("--groups", path, "--group", "age"),
        "no such file": ("--groups", tmp_path / "none.csv", "--group", "gender"),
        "there are 0. Take a coarser": ("--groups", path, "--group", "gender", "--smallest", 5_000),
    }
    for message, options in refused.items():
        ended = submit(app, "groups", "--output", continued, *options)
        assert (ended.code, message in ended.err) == (2, True), ended.err


def test_wordings_that_are_linked_apart_are_listed(submit: Callable[..., object], tmp_path: Path) -> None:
    wordings, out = tmp_path / "wordings.csv", tmp_path / "out.csv"
    wordings.write_text(
        "kind,one,other\nregion,Communicate Clearly,communicate clearly\nodd,communicate clearly,solar panel fitting\n"
    )
    options = ("wordings", "--taxonomy", SAMPLE / "taxonomy", "--wordings", wordings)
    ended = submit(app, *options, "--out", out)
    assert ended.code == 0
    assert "region: 100%" in ended.out
    assert "odd: 0% [0%, 79%] of 1 linked alike" in ended.out
    assert pd.read_csv(out)["alike"].tolist() == [True, False]
    wordings.write_text("kind,one,other\nregion,a,b\nregion,,c\n")
    ended = submit(app, *options)
    assert (ended.code, "row 3: give kind, one and other" in ended.err) == (2, True)
    wordings.write_text("kind,one\nregion,a\n")
    assert "has no column other" in submit(app, *options).err


def test_our_own_wordings_are_pairs() -> None:
    rows = read_wordings()
    assert set(rows["kind"]) == {"region", "gender"}
    assert (rows["one"] != rows["other"]).all()
    assert not rows.duplicated().any()
    assert len(rows) > 80
