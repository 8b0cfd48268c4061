"""The days of a feed: after each the tables are those of one run on that day's records, and only new texts cost."""

import csv
import gzip
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skillsim.errors import RecordsError
from skillsim.schemas import MENTIONS
from skillsim.spark.erasure import forget
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.tables import Tables
from tests.spark.conftest import Run, stage_rows
from tests.spark.identity import TIES, assert_same_rows, assert_same_tables, read

pytestmark = [pytest.mark.spark, pytest.mark.delta]

log = logging.getLogger(__name__)

REAL = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Feed:
    """Lines of an input file on the first day, those added on the second, and what each run is told."""

    first: list[str]
    added: list[str]
    assignments: tuple[str, ...] = ()

    @property
    def edited(self) -> list[str]:
        """The third day: 10 records with other skills, 10 gone, all in reverse."""
        both = [*self.first, *self.added]
        edited = [f"{record_id(line)},welding,zeppelin  rigging {n}\n" for n, line in enumerate(both[:10])]
        return [*edited, *both[20:]][::-1]


def record_id(line: str) -> str:
    return next(csv.reader([line]))[0]


@pytest.mark.slow
def test_each_day_of_the_sample(
    spark: SparkSession, finished: Run, continued: Path, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    last = walk(spark, Feed(records[:200], records[200:230]), continued, job, tmp_path)
    assert stage_rows(last, "texts") == 0  # nothing forgotten came back


@pytest.mark.long
def test_each_day_of_a_real_feed(spark: SparkSession, job: Callable[..., Run], tmp_path: Path) -> None:
    feed = REAL / "noisy" / "skill2vec_50K.csv.gz"
    if not feed.is_file():
        pytest.skip(f"needs {feed}")
    lines = gzip.decompress(feed.read_bytes()).decode("utf-8").splitlines(keepends=True)
    assignments = (f"taxonomy.path={REAL / 'esco'}", "taxonomy.version=1.1.1", "input.separators=[]")
    root = tmp_path / "continued"
    job(root, lines[:-1_000], *assignments)
    last = walk(spark, Feed(lines[:-1_000], lines[-1_000:], assignments), root, job, tmp_path)
    assert stage_rows(last, "texts") == 0  # nothing forgotten came back


def walk(spark: SparkSession, feed: Feed, root: Path, job: Callable[..., Run], tmp_path: Path) -> Run:
    """From the first day, which stands under `root`; each day is compared with a run afresh. Gives the last run."""
    step(root, [*feed.first, *feed.added], feed, job, tmp_path / "grown")

    step(root, feed.edited, feed, job, tmp_path / "edited", "input.mode=snapshot")

    forgotten, left = feed.edited[-5:], feed.edited[:-5]
    asked = [("test", record_id(line)) for line in forgotten]
    erased = forget(Tables(spark, str(root)), spark.createDataFrame(asked, "source string, record_id string"))
    assert erased.records == 5
    return step(root, feed.edited, feed, job, tmp_path / "left", "input.mode=snapshot", expected=left)


def step(
    root: Path,
    lines: list[str],
    feed: Feed,
    job: Callable[..., Run],
    afresh: Path,
    *assignments: str,
    expected: list[str] | None = None,
) -> Run:
    """Run on `lines`, and afresh on `expected`; the same tables, and only what is new was embedded."""
    known = set(read(root, "embeddings")["text_key"])
    run = job(root, lines, *feed.assignments, *assignments)
    job(afresh, lines if expected is None else expected, *feed.assignments)
    tied = assert_same_tables(root, afresh, ties=TIES + len(read(root, "texts")) // 1_000)
    log.info("%s: %d texts differ by a tie", afresh.name, tied)
    new = set(read(afresh, "embeddings")["text_key"]) - known
    assert stage_rows(run, "embeddings") == len(new)
    return run


def test_a_snapshot_takes_nothing_from_other_sources(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "_remake", lambda self: {})  # the mentions alone
    job(continued, records[200:220], "input.source=other")
    job(continued, records[10:200], "input.mode=snapshot")
    after = read(continued, "mentions")
    assert set(after.loc[after["source"] == "other", "record_id"]) == {record_id(line) for line in records[200:220]}
    before = read(finished.root, "mentions")
    kept = before[~before["record_id"].isin([record_id(line) for line in records[:10]])].reset_index(drop=True)
    assert_same_rows(after[after["source"] == "test"].reset_index(drop=True), kept, MENTIONS)


def test_a_snapshot_that_would_empty_the_feed_is_refused(
    finished: Run, job: Callable[..., Run], records: list[str], continued: Path
) -> None:
    with pytest.raises(RecordsError, match=r"150 of the 200 records of 'test'.*input\.max_removed"):
        job(continued, records[:50], "input.mode=snapshot")
    assert_same_tables(continued, finished.root)
    run = job(continued, records[:50], "input.mode=snapshot", "input.max_removed=1")
    assert set(read(run.root, "mentions")["record_id"]) == {record_id(line) for line in records[:50]}
