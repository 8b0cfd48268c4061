"""Submitted by test_standalone: the main job, and then what each of its executors' Python processes is made of.

The last line of output is a JSON list, one object a process.
"""

import json
from collections.abc import Iterator

import pyarrow as pa

from jobs.normalise_skills import main
from skillsim.config import SparkConfig
from skillsim.spark.job import run_job
from skillsim.spark.session import get_session

CHECKOUT = __file__


def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import os
    import sys
    import time

    import skillsim

    time.sleep(2)  # else one executor would take all tasks
    with open("/proc/self/maps") as lines:
        mapped = sorted({line.split(maxsplit=5)[5].strip() for line in lines if "/" in line})
    facts = {
        "uid": os.getuid(),
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "prefix": sys.prefix,
        "sees_the_checkout": os.path.exists(CHECKOUT),
        "skillsim": skillsim.__file__,
        "mapped": mapped,
    }
    for _ in batches:
        pass
    yield pa.RecordBatch.from_pydict({"facts": [json.dumps(facts)]})


if __name__ == "__main__":
    run_job(main)
    spark = get_session(SparkConfig())
    rows = spark.range(0, 6, 1, 6).mapInArrow(look, "facts string").collect()
    print(json.dumps([json.loads(row["facts"]) for row in rows]))
