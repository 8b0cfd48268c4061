"""Judged pairs: found in the feed by their keys, and scored as literal tables say."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skillsim.errors import TrainingError
from training.judged_pairs import FEED, FILE, agreement, average_precision, joined, read_judged_pairs, real_texts

REAL = Path(__file__).parents[3] / "shared" / "data" / "noisy"


def test_texts_of_a_feed_are_distinct_and_cleaned(tmp_path: Path) -> None:
    (tmp_path / "feed").write_bytes(gzip.compress(b"1,Java,,java \n2,C&amp;B\n"))
    assert sorted(real_texts(tmp_path / "feed")) == ["c&b", "java"]


@pytest.mark.parametrize(
    "content", [None, b"no archive", gzip.compress(b"1,\xff\n")], ids=["missing", "no archive", "no text"]
)
def test_what_is_no_feed_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FEED).write_bytes(content)
    with pytest.raises(TrainingError, match=f"{FEED} cannot be read"):
        read_judged_pairs(tmp_path, "learn")


def test_another_feed_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / FEED).write_bytes(gzip.compress(b"1,java\n"))
    with pytest.raises(TrainingError, match=r"lacks \d+ texts of judged_pairs.csv"):
        read_judged_pairs(tmp_path, "learn")


def test_what_is_measured_on_is_not_learnt_from() -> None:
    pairs = pd.read_csv(FILE)
    keys = {part: {*of["left_key"], *of["right_key"]} for part, of in pairs.groupby("part")}
    assert not keys["measure"] & keys["learn"]
    assert not pairs[["left_key", "right_key"]].apply(frozenset, axis=1).duplicated().any()
    assert set(pairs["answer"]) == set("yrvnu")
    measured = pairs[pairs["part"] == "measure"]
    alike = measured["readings"].str[0] == measured["readings"].str[1]
    assert (measured.loc[alike, "readings"].str[0] == measured.loc[alike, "answer"]).all()
    assert agreement() == pytest.approx((0.9286, 0.8842), abs=1e-4)


@pytest.mark.skipif(not REAL.is_dir(), reason="the feed is not beside the repository")
def test_judged_pairs_are_of_the_feed() -> None:
    found = read_judged_pairs(REAL, "measure")
    assert len(found) == found["same"].isin([True, False]).sum() > 400
    assert (found["a"] != found["b"]).all()


def test_scores_of_pairs_that_stand_for_others() -> None:
    same, weights = np.array([True, False, True, False]), np.array([[1, 3, 1, 1], [1, 0, 1, 1]])
    found = joined(same, np.array([True, True, False, False]), weights)
    assert found["precision"].tolist() == [0.25, 1.0]
    assert found["recall"].tolist() == [0.5, 0.5]
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(same, scores, weights) == pytest.approx([0.5 * 1 + 0.5 * 2 / 5, 1.0])
