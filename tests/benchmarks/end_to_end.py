"""The whole job against the jobs people would write instead (baseline_jobs.py), on the same real records.

Each system is a process of its own from nothing to its Delta tables, one after the other; the seconds are those of
the process, session start included, the memory its peak with all its children (PSS, so shared pages count once).
skillsim and the competent job then run a second time, on the day after: the N records are known and a tenth as many are
new (for 50,000: what the small feed has that the large has not). The competent job finds its labels' vectors kept, and
does all records again.

How the stages of skillsim grow is told as exponents: of what a stage takes beyond its seconds at the smallest size, the
logarithm of the ratio from one size to the next, over that of what there is more of mentions, or of distinct texts.
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
COMPETENT_NEXT_DAY = "distinct, encode 128, join, the day after"
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


def baseline(name: str, records: Path, taxonomy: Path, output: Path, labels: Path) -> list[str]:
    paths = ["--input", str(records), "--taxonomy", str(taxonomy), "--output", str(output), "--labels", str(labels)]
    return [sys.executable, "tests/benchmarks/baseline_jobs.py", name, *paths, "--version", VERSION]


def measure(
    records: list[str], added: list[str], taxonomy: Path, folder: Path, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """skillsim and the baselines `names` on these records, by title; those `added` come the day after."""
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
    for name in names:
        command = baseline(name, source, taxonomy, folder / name, folder / f"{name}.npy")
        results[BASELINES[name]] = run(command, folder / f"{name}.log")
        results[BASELINES[name]]["stages"] = json.loads((folder / name / "seconds.json").read_text())
    for result in results.values():
        result |= {
            "mentions_per_second": mentions / result["seconds"],
            "times": result["seconds"] / results[OURS]["seconds"],
        }
    source.write_text("".join([*records, *added]), encoding="utf-8")
    results[NEXT_DAY] = run(ours(source, taxonomy, folder / "ours"), folder / "next.log")
    results[NEXT_DAY] |= {"stages": _stages(folder / "ours"), "times": 1.0}
    if "competent" in names:
        command = baseline("competent", source, taxonomy, folder / "again", folder / "competent.npy")
        again = results[COMPETENT_NEXT_DAY] = run(command, folder / "again.log")
        again["stages"] = json.loads((folder / "again" / "seconds.json").read_text())
        again["times"] = again["seconds"] / results[NEXT_DAY]["seconds"]
    return results


def _stages(root: Path) -> dict[str, float]:
    """Seconds by stage of the last run."""
    runs = DeltaTable(str(root / "tables" / "runs")).to_pyarrow_table().sort_by("started_at").to_pylist()
    return {stage["stage"]: stage["seconds"] for stage in runs[-1]["stages"]}


def _rows(root: Path, table: str) -> int:
    return DeltaTable(str(root / "tables" / table)).count()


def growth(floor: dict[str, Any], small: dict[str, Any], large: dict[str, Any]) -> list[list[str]]:
    """Per stage of three of our results: seconds of the larger two, exponent in mentions, exponent in texts."""

    def grown(before: float, after: float) -> float:
        return math.log(after / before) if min(before, after) >= 0.5 else math.nan

    per_mention, per_text = (grown(small[of] - floor[of], large[of] - floor[of]) for of in ("mentions", "texts"))
    rows = []
    for stage, fixed in floor["stages"].items():
        before, after = small["stages"][stage], large["stages"][stage]
        exponent = grown(before - fixed, after - fixed)
        exponents = (f"{exponent / per_mention:.2f}", f"{exponent / per_text:.2f}")
        rows.append([stage, f"{fixed:.1f}", f"{before:.1f}", f"{after:.1f}", *exponents])
    return rows


def main(
    records: Annotated[list[int] | None, typer.Option(help="how many records; repeatable")] = None,
    against: Annotated[list[str] | None, typer.Option(help="first, competent; repeatable")] = None,
    shared: Path = SHARED,
    result: Path = RESULTS / "end_to_end.json",
) -> None:
    """Measure, print and save."""
    feeds = [shared / "noisy" / f"skill2vec_{size}.csv.gz" for size in ("50K", "1K")]
    taxonomy = shared / "esco"
    require(*feeds, taxonomy)
    large, small = (gzip.decompress(feed.read_bytes()).decode().splitlines(keepends=True) for feed in feeds)
    lines = [*large, *sorted(set(small).difference(large))]
    console = Console()
    facts: dict[str, Any] = {"machine": machine(), "sizes": {}}
    for count in records or [1_000, 5_000, 50_000]:
        folder = Path(tempfile.mkdtemp(prefix="skillsim-bench-"))
        added = lines[count : count + count // 10]
        measured = measure(lines[:count], added, taxonomy, folder, against or list(BASELINES))
        shutil.rmtree(folder)
        facts["sizes"][str(count)] = measured
        _print(console, count, measured)
        save(result, facts)
    for sizes in zip(*(list(facts["sizes"])[start:] for start in range(3)), strict=False):
        columns = [
            "stage",
            *(f"{size} records, s" for size in sizes),
            "exponent in mentions",
            "in texts",
        ]
        rows = growth(*(facts["sizes"][size][OURS] for size in sizes))
        show(console, f"growth from {sizes[1]} to {sizes[2]} records", columns, rows)


def _print(console: Console, count: int, measured: dict[str, dict[str, Any]]) -> None:
    rows = [
        [
            name,
            f"{one['seconds']:.0f}",
            f"{one['times']:.2f}",
            f"{one['mentions_per_second']:,.0f}" if "mentions_per_second" in one else "",
            f"{one['gb']:.1f}",
            f"{one['worker_gb']:.1f}",
        ]
        for name, one in measured.items()
    ]
    show(console, f"{count:,} records", ["system", "seconds", "times ours", "mentions/s", "GB", "GB a worker"], rows)
    for name, one in measured.items():
        stages = ", ".join(f"{stage} {seconds:.0f}" for stage, seconds in one["stages"].items())
        console.print(f"{name}, seconds by stage: {stages}\n")


if __name__ == "__main__":
    typer.run(main)
