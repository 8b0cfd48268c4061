"""Lists that were fixed before anything was fitted to them, known by count and SHA-256 of their rows."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skillsim.errors import TrainingError


def digest(rows: Sequence[str]) -> dict[str, Any]:
    """Count and SHA-256."""
    return {"rows": len(rows), "sha256": hashlib.sha256("\n".join(rows).encode()).hexdigest()}


def check(file: Path, found: dict[str, Any]) -> None:
    """Raise TrainingError where what is found in the taxonomy that a file names is not what the file says.

    Of another taxonomy the file says nothing.
    """
    committed = json.loads(file.read_text(encoding="utf-8"))
    if committed["taxonomy"] != found["taxonomy"] or committed == found:
        return
    differ = ", ".join(name for name in committed if committed[name] != found.get(name))
    raise TrainingError(
        f"{file.name}: {differ} of ESCO {found['taxonomy']} are not those that were committed, and figures would not "
        f"compare. Use the bundle as downloaded, or write it anew: python -m training.splits "
        f"{file.stem.replace('_', '-')} TAXONOMY."
    )
