"""What a run says while it works, and what it keeps: seconds and rows of each stage."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass
class Stage:
    """One stage's account: rows it had to do, rows it made."""

    stage: str
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0


@dataclass
class Progress:
    """The stages of a run so far, announced as plain log lines."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        account = Stage(name)
        self.stages.append(account)
        started = time.monotonic()
        try:
            yield account
        finally:
            account.seconds = round(time.monotonic() - started, 3)
        log.info(
            "%-12s %9s in, %9s out, %6.1f s",
            name,
            f"{account.rows_in:,}",
            f"{account.rows_out:,}",
            account.seconds,
        )


class Meter:
    """Rows done, rate and time left of one stage."""

    def __init__(self, name: str, rows: int) -> None:
        self._name, self._rows, self._done, self._started = name, rows, 0, time.monotonic()
        log.info("%-12s %s rows to do", name, f"{rows:,}")

    def add(self, rows: int) -> None:
        self._done += rows
        elapsed = time.monotonic() - self._started
        rate = self._done / elapsed if elapsed else 0.0
        left = (self._rows - self._done) / rate if rate else 0.0
        log.info(
            "%-12s %s of %s done (%d%%), %s rows/s, %s left",
            self._name,
            f"{self._done:,}",
            f"{self._rows:,}",
            100 * self._done / self._rows if self._rows else 100,
            f"{rate:,.0f}",
            f"{int(left) // 60}m{int(left) % 60:02d}s",
        )
