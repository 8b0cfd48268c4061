"""Queries on the command line, with the spellings of a run's clusters."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from jobs.expand_queries import main
from tests.spark.conftest import SAMPLE, Run
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def test_queries_get_labels_and_the_spellings_of_clusters(
    clustered: Run, submit: Callable[..., object], tmp_path: Path
) -> None:
    root = shutil.copytree(clustered.root, tmp_path / "out")
    clusters = read(root, "clusters")
    several = clusters[(clusters["texts"] > 1) & (clusters["status"] == "nil")].sort_values("mentions")
    spellings = [one["spelling"] for one in several.iloc[-1]["spellings"]]
    asked, found = tmp_path / "queries.txt", tmp_path / "terms.csv"
    asked.write_text(f"{spellings[0]}\n\n", encoding="utf-8")
    options = ("--taxonomy", SAMPLE / "taxonomy", "--queries", asked, "--out", found)
    ended = submit(main, "J2EE", *options, "--output", root, "--set", "report.min_records=1")
    assert ended.code == 0
    assert '"J2EE" OR "Java"' in ended.out
    terms = pd.read_csv(found)
    of_cluster = terms[(terms["query"] == spellings[0]) & terms["concept_uri"].isna()]
    assert of_cluster["term"].tolist() == [one for one in spellings if one.casefold() != spellings[0].casefold()]
    assert set(of_cluster["kind"]) == {"spelling"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--taxonomy", SAMPLE / "taxonomy"), "no query: give one or more in quotes"),
        (("java",), "no taxonomy: give --taxonomy"),
        (("--queries", "nowhere.txt", "--taxonomy", SAMPLE / "taxonomy"), "--queries nowhere.txt: cannot be read"),
    ],
)
def test_one_line_says_what_is_missing(
    submit: Callable[..., object], options: tuple[object, ...], message: str
) -> None:
    ended = submit(main, *options)
    assert (ended.code, message in ended.err) == (2, True)
    assert ended.err.count("\n") == 1
