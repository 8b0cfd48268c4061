"""Records of a run as people and vacancies, matched on the command line, and what is said of them."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from jobs.forget import main as forget
from jobs.match_candidates import main
from tests.spark.identity import read
from tests.spark.test_erasure import holders

pytestmark = [pytest.mark.spark, pytest.mark.delta]


@pytest.mark.slow
def test_the_best_people_of_each_vacancy_and_why(
    continued: Path, submit: Callable[..., object], tmp_path: Path
) -> None:
    options = ("--output", continued, "--people", "test", "--vacancies", "test", "--best", 3)
    ended = submit(main, *options)
    assert (ended.code, ended.err) == (0, "")
    skills = read(continued, "normalised_skills").query("status not in ('rejected', 'not_skill')")
    labels = skills.assign(label=skills["concept_label"].fillna(skills["text"])).groupby("record_id")["label"].agg(set)
    assert f"of {len(labels)} vacancies in table matches" in ended.out
    found = read(continued, "matches")
    for row in found.itertuples():
        told = {*row.matched, *row.missing, *(one["asked"] for one in row.near)}
        assert told == labels[row.vacancy_id]
        assert labels[row.vacancy_id] & labels[row.person_id] >= set(row.matched)
        assert 0 < row.coverage <= 1
    assert found.groupby("vacancy_id")["rank"].agg(list).map(lambda of: sorted(of) == [1, 2, 3][: len(of)]).all()
    itself = found[found["vacancy_id"] == found["person_id"]]
    assert len(itself) > 0.9 * len(labels)  # of the others three have all that it asks for too
    assert itself["score"].min() > 0.99

    ids, person = tmp_path / "ids.csv", found["person_id"].iloc[0]
    pd.DataFrame({"source": ["test"], "record_id": [person]}).to_csv(ids, index=False)
    forgotten = submit(forget, "--records", ids, "--output", continued)
    assert (forgotten.code, "matches and skill_map are empty" in forgotten.out) == (0, True)
    assert read(continued, "matches").empty
    assert holders(continued, person) == []
    ended = submit(main, "--output", continued, "--people", "nobody", "--vacancies", "test")
    assert (ended.code, "source nobody has no skills" in ended.err) == (2, True)
