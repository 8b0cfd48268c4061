"""Benchmarks, each against named baselines: `make bench`, or `python tests/benchmarks/gold.py --help`.

Third-party data is read from SKILLSIM_SHARED (default `../shared/data` beside the repository); without it a
benchmark says "skipped" and succeeds.
"""

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("SKILLSIM_SHARED", REPOSITORY.parent / "shared" / "data"))
RESULTS = REPOSITORY / "out" / "bench"

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8")
_ISA_LIMITS = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")


def require(*paths: Path) -> None:
    """End successfully, with one line, when a benchmark's data is not there."""
    for path in paths:
        if not path.exists():
            typer.echo(f"skipped: {path} is not there; name the data's folder by --shared or SKILLSIM_SHARED")
            raise typer.Exit(0)


def machine() -> dict[str, Any]:
    """What a timing or a score depends on besides the data: code, CPU, torch; ISA limits only where set."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    return {
        "commit": _commit(),
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "cpu flags": [flag for flag in _FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "torch threads": torch.get_num_threads(),
        "torch capability": torch.backends.cpu.get_cpu_capability(),
        **{name: os.environ[name] for name in _ISA_LIMITS if name in os.environ},
    }


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (" + changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def show(console: Console, title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; all columns but the first are figures."""
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def save(path: Path, result: dict[str, Any]) -> None:
    """Write a result as JSON; a value that is no number (nan) becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(result), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if value != value or value in (float("inf"), float("-inf")) else value
