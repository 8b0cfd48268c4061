"""Two runs at once on one namespace: one writes, the other is told or waits; never a mixture of both."""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skillsim.errors import LeaseError
from skillsim.spark import lease
from tests.spark.conftest import Run
from tests.spark.identity import assert_same_tables

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.delta]

ROUNDS = 10  # of each kind of lease


@pytest.mark.parametrize("remote", [False, True], ids=["folder", "uri"])
def test_two_at_once_many_times(
    remote: bool,
    spark: SparkSession,
    finished: Run,
    continued: Path,
    job: Callable[..., Run],
    records: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thresholds A and B by turns: whoever got in, the links are its own whole and the loser's message is one line."""
    monkeypatch.setattr(lease, "_POLL_S", 0.2)
    source = tmp_path / "records.csv"
    source.write_text("".join(records[:200]), encoding="utf-8")
    at = [f"input.path={source}"]
    if remote:  # leased by a row, where a folder has a lock
        at += [f"output.root=file:{continued}", f"output.artifacts_path={tmp_path / 'artifacts'}"]
    of = {0.8: finished, 0.95: job(tmp_path / "b", records[:200], "linking.threshold=0.95")}
    told = 0
    for number in range(ROUNDS):
        waits = number % 2
        ended = at_once(partial(job, continued, [], f"output.wait_minutes={waits}", *at), of)
        failed = [outcome for _, outcome in ended if not isinstance(outcome, Run)]
        assert all(isinstance(error, LeaseError) for error in failed), failed
        assert len(failed) <= 1 - waits
        told += len(failed)
        last_to_write = [threshold for threshold, outcome in ended if isinstance(outcome, Run)][-1]
        assert_same_tables(continued, of[last_to_write].root)
    assert told > 0


def at_once(run: Callable[[str], Run], thresholds: Iterable[float]) -> list[tuple[float, Run | Exception]]:
    """What each run gave or raised, in the order in which they ended."""
    start = threading.Barrier(2)
    ended: list[tuple[float, Run | Exception]] = []

    def one(threshold: float) -> None:
        start.wait()
        try:
            ended.append((threshold, run(f"linking.threshold={threshold}")))
        except Exception as error:
            ended.append((threshold, error))

    threads = [threading.Thread(target=one, args=(threshold,)) for threshold in thresholds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended
