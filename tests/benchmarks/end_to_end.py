"""The whole job against the jobs people would write instead (baseline_jobs.py), on the same real records.

Each system is a process of its own from nothing to its Delta tables, one after the other; the seconds are those of
the process, session start included, the memory its peak with all its children (PSS, so shared pages count once).
skillsim also runs a second time, on the day after: the N records are known and a tenth as many are new, where the
feed has that many more. How its stages grow from one size to the next is told as exponents: the logarithm of the ratio
of seconds over that of mentions, or of distinct texts.
"""

import gzip
import json
import math
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from deltalake import DeltaTable
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import REPOSITORY, RESULTS, SHARED, machine, require, save, show

VERSION = "1.1.1"
OURS = "skillsim"
NEXT_DAY = "skillsim, the day after"
BASELINES = {"first": "predict_batch_udf over mentions", "competent": "distinct, encode 128, join"}
_SAMPLE_S = 5.0


def run(command: Sequence[str], log: Path) -> dict[str, float]:
    """Seconds and peak memory (GB) of a process with its children. Raises CalledProcessError with its log's name."""
    started = time.perf_counter()
    with log.open("w") as lines:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=lines, stderr=subprocess.STDOUT)
        peaks = {"all": 0.0, "worker": 0.0}
        watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), peaks))
        watcher.start()
        status = process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if status:
        raise subprocess.CalledProcessError(status, [*command, f"(its log: {log})"])
    return {"seconds": seconds, "gb": peaks["all"], "worker_gb": peaks["worker"]}


def _watch(process: psutil.Process, peaks: dict[str, float]) -> None:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        total = 0.0
        for one in [process, *process.children(recursive=True)]:
            try:
                size = one.memory_full_info().pss / 1e9
                total += size
                if "pyspark.daemon" in one.cmdline():
                    peaks["worker"] = max(peaks["worker"], size)
            except psutil.Error:
                continue
        peaks["all"] = max(peaks["all"], total)
        time.sleep(_SAMPLE_S)


def ours(records: Path, taxonomy: Path, output: Path) -> list[str]:
    settings = [f"taxonomy.version={VERSION}", "input.source=bench"]
    paths = ["--input", str(records), "--taxonomy", str(taxonomy), "--output", str(output)]
    job = [sys.executable, "jobs/normalise_skills.py", "--config", "conf/local.toml", *paths]
    return [*job, *(f"--set={setting}" for setting in settings)]


def baseline(name: str, records: Path, taxonomy: Path, output: Path) -> list[str]:
    paths = ["--input", str(records), "--taxonomy", str(taxonomy), "--output", str(output)]
    return [sys.executable, "tests/benchmarks/baseline_jobs.py", name, *paths, "--version", VERSION]


def measure(records: list[str], added: list[str], taxonomy: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Each system on these records, by name; those `added` come the day after."""
    source = folder / "records.csv"
    source.write_text("".join(records), encoding="utf-8")
    results: dict[str, dict[str, Any]] = {}
    results[OURS] = run(ours(source, taxonomy, folder / "ours"), folder / "ours.log")
    mentions = _rows(folder / "ours", "mentions")
    results[OURS] |= {
        "stages": _stages(folder / "ours"),
        "mentions": mentions,
        "texts": _rows(folder / "ours", "texts"),
    }
    for name, title in BASELINES.items():
        results[title] = run(baseline(name, source, taxonomy, folder / name), folder / f"{name}.log")
        results[title]["stages"] = json.loads((folder / name / "seconds.json").read_text())
    if added:
        source.write_text("".join([*records, *added]), encoding="utf-8")
        results[NEXT_DAY] = run(ours(source, taxonomy, folder / "ours"), folder / "next.log")
        results[NEXT_DAY]["stages"] = _stages(folder / "ours")
    for result in results.values():
        result["mentions_per_second"] = mentions / result["seconds"]
        result["times_ours"] = result["seconds"] / results[OURS]["seconds"]
    return results


def _stages(root: Path) -> dict[str, float]:
    """Seconds by stage of the last run."""
    runs = DeltaTable(str(root / "tables" / "runs")).to_pyarrow_table().sort_by("started_at").to_pylist()
    return {stage["stage"]: stage["seconds"] for stage in runs[-1]["stages"]}


def _rows(root: Path, table: str) -> int:
    return DeltaTable(str(root / "tables" / table)).count()


def growth(small: dict[str, Any], large: dict[str, Any]) -> list[list[str]]:
    """Per stage of two of our results: seconds of both, exponent in mentions, exponent in texts."""
    per_mention, per_text = (math.log(large[of] / small[of]) for of in ("mentions", "texts"))
    rows = []
    for stage, seconds in large["stages"].items():
        before = small["stages"][stage]
        grown = math.log(seconds / before) if min(seconds, before) >= 1 else math.nan
        rows.append([stage, f"{before:.1f}", f"{seconds:.1f}", f"{grown / per_mention:.2f}", f"{grown / per_text:.2f}"])
    return rows


def main(
    records: Annotated[list[int] | None, typer.Option(help="how many records; repeatable")] = None,
    shared: Path = SHARED,
    result: Path = RESULTS / "end_to_end.json",
) -> None:
    """Measure, print and save."""
    feed, taxonomy = shared / "noisy" / "skill2vec_50K.csv.gz", shared / "esco"
    require(feed, taxonomy)
    lines = gzip.decompress(feed.read_bytes()).decode("utf-8").splitlines(keepends=True)
    console = Console()
    facts: dict[str, Any] = {"machine": machine(), "sizes": {}}
    for count in records or [1_000, 5_000, 50_000]:
        folder = Path(tempfile.mkdtemp(prefix="skillsim-bench-"))
        measured = measure(lines[:count], lines[count : count + count // 10], taxonomy, folder)
        shutil.rmtree(folder)
        facts["sizes"][str(count)] = measured
        rows = [
            [
                name,
                f"{one['seconds']:.0f}",
                f"{one['times_ours']:.2f}",
                f"{one['mentions_per_second']:,.0f}",
                f"{one['gb']:.1f}",
                f"{one['worker_gb']:.1f}",
            ]
            for name, one in measured.items()
        ]
        columns = ["system", "seconds", "times ours", "mentions/s", "GB", "GB a worker"]
        show(console, f"{count:,} records", columns, rows)
        for name, one in measured.items():
            stages = ", ".join(f"{stage} {seconds:.0f}" for stage, seconds in one["stages"].items())
            console.print(f"{name}, seconds by stage: {stages}\n")
        save(result, facts)
    for small, large in pairwise(facts["sizes"]):
        columns = ["stage", f"{small} records, s", f"{large} records, s", "exponent in mentions", "in texts"]
        rows = growth(facts["sizes"][small][OURS], facts["sizes"][large][OURS])
        show(console, f"growth from {small} to {large} records", columns, rows)


if __name__ == "__main__":
    typer.run(main)
