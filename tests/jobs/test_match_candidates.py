"""People and vacancies of a run, matched on the command line, and what is said of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from jobs.forget import main as forget
from jobs.match_candidates import main
from tests.spark.conftest import Run
from tests.spark.identity import read
from tests.spark.test_erasure import holders

pytestmark = [pytest.mark.spark, pytest.mark.delta]


@pytest.mark.slow
def test_the_best_people_of_each_vacancy_and_why(
    clustered: Run, job: Callable[..., Run], submit: Callable[..., object], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(clustered.root, tmp_path / "out"))
    asked = ["v1,Java;SQL\n", "v2,Core Java;welding\n", "v3,2019\n"]
    job(root, ["id,skills\n", *asked], "input.source=jobs", "clusters.decision=auto")
    job(root, ["id,skills\n", "v1,JavaScript\n"], "input.source=extra", "clusters.decision=auto")
    options = ("--output", root, "--people", "test", "--vacancies", "jobs", "--best", 3)
    ended = submit(main, *options, "--optional", "extra")
    assert (ended.code, ended.err) == (0, "")
    assert "of 2 vacancies in table matches" in ended.out
    found = read(root, "matches")
    skills = read(root, "normalised_skills")
    has = skills[skills["status"] == "matched"].groupby("record_id")["concept_label"].agg(set)
    for _, row in found.iterrows():
        labels = {*row["matched"], *row["missing"], *(one["asked"] for one in row["near"])}
        assert labels == ({"Java", "SQL", "JavaScript"} if row["vacancy_id"] == "v1" else has["v2"])
        assert set(row["matched"]) == labels & has[row["person_id"]]
        assert 0 < row["score"] <= 1
        assert row["coverage"] > 0
        assert row["matched"].size or row["near"].size
    of_java = found[found["vacancy_id"] == "v1"].sort_values("rank")
    assert of_java["rank"].tolist() == [1, 2, 3]
    assert of_java["score"].is_monotonic_decreasing
    most = (
        skills[skills["source"] == "test"]
        .groupby("record_id")["concept_label"]
        .agg(lambda of: len({"Java", "SQL", "JavaScript"} & set(of)))
    )
    assert most[of_java["person_id"].iloc[0]] == most.max()
    assert submit(main, *options).code == 0
    again = read(root, "matches")
    assert {*again[again["vacancy_id"] == "v1"]["matched"].explode().dropna()} <= {"Java", "SQL"}

    ids, person = tmp_path / "ids.csv", of_java["person_id"].iloc[0]
    pd.DataFrame({"source": ["test", "jobs"], "record_id": [person, "v2"]}).to_csv(ids, index=False)
    forgotten = submit(forget, "--records", ids, "--output", root)
    assert (forgotten.code, "matches and skill_map are empty" in forgotten.out) == (0, True)
    assert read(root, "matches").empty
    assert holders(root, person) == holders(root, '"v2"') == []
    ended = submit(main, "--output", root, "--people", "nobody", "--vacancies", "jobs")
    assert (ended.code, "source nobody has no skills" in ended.err) == (2, True)
