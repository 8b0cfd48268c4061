"""Holds a process at a barrier until it is killed. Python runs this file at its start, from a folder of PYTHONPATH.

BARRIER is `driver|worker MODULE:FUNCTION N [TABLE]`: the N-th call of the function, of those with this table where
one is named, writes its process id to BARRIER_FLAG and sleeps.
"""

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any


def _hold(place: str, number: str, table: str = "") -> None:
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    wrapped = getattr(owner, name)
    calls = []

    def held(*args: Any, **kwargs: Any) -> Any:
        if not table or args[1].name == table:
            calls.append(name)
        if len(calls) == int(number) and _first():
            time.sleep(600)
        return wrapped(*args, **kwargs)

    setattr(owner, name, held)


def _first() -> bool:
    """Of several workers one is held."""
    draft = Path(f"{os.environ['BARRIER_FLAG']}.{os.getpid()}")
    draft.write_text(str(os.getpid()))
    try:
        os.link(draft, os.environ["BARRIER_FLAG"])
    except FileExistsError:
        return False
    return True


if "BARRIER" in os.environ:
    process, *where = os.environ["BARRIER"].split()
    if process == ("worker" if "pyspark.daemon" in sys.orig_argv else "driver"):
        _hold(*where)
