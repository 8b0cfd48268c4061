"""How each stage grows with mentions and with distinct texts, up to 10 million mentions of 500,000 texts.

The records are generated and encoder and retrieval are fakes (random vectors, random candidates), so that what is
measured is transport and tables: reading, splitting, deduplicating, staging, committing, deciding, joining. Three
runs: few of both, ten times the mentions, ten times the texts; before them one of next to nothing, whose seconds are
what a stage costs at any size and are taken off. The exponent of a stage is the logarithm of the ratio of what is left,
to base ten: 1 is proportional. What is left of less than half a second counts as that. A machine's speed drifts, and a
run of seconds shows it most: all but the largest are repeated, and their medians count.
"""

import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import load_config
from skillsim.schemas import CANDIDATE, CANDIDATES
from skillsim.spark import pipeline
from skillsim.spark.embeddings import EMBEDDED
from skillsim.spark.plan import plan_run
from skillsim.spark.session import get_session
from tests.benchmarks import RESULTS, machine, save, show

DIMENSION = 384
SKILLS_PER_RECORD = 10
_FOUND = pa.schema([CANDIDATES.schema.field(name) for name in ("text_key", "occupation_uri", "candidates")])


def write_records(folder: Path, mentions: int, texts: int, seed: int = 0) -> None:
    """Parquet of (id, skills): every text at least once, the rest Zipf-like, as in real feeds."""
    random = np.random.default_rng(seed)
    words = np.array([f"{a}{b}" for a in "bdfgklmnprst" for b in ("an", "eld", "ing", "or", "ust", "et", "ilo", "ax")])
    drawn = (texts * random.random(mentions - texts) ** 3).astype(np.int64)
    rows = np.concatenate([np.arange(texts), drawn])
    random.shuffle(rows)
    folder.mkdir()
    part = 1_000_000
    for start in range(0, mentions, part):
        chosen = rows[start : start + part]
        digits = [words[chosen // len(words) ** place % len(words)] for place in range(3)]
        skills = pa.array(np.char.add(np.char.add(digits[0], np.char.add(" ", digits[1])), np.char.add(" ", digits[2])))
        offsets = pa.array(np.arange(0, len(chosen) + 1, SKILLS_PER_RECORD, dtype=np.int32))
        ids = pa.array([f"{start}-{row}" for row in range(len(offsets) - 1)])
        table = pa.table({"id": ids, "skills": pa.ListArray.from_arrays(offsets, skills)})
        pq.write_table(table, folder / f"{start}.parquet", row_group_size=20_000)


def fake_embed(texts: DataFrame, *_: Any) -> DataFrame:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.num_rows
            vectors = np.random.default_rng(rows).standard_normal((rows, DIMENSION)).astype(np.float16)
            data = pa.py_buffer(vectors.tobytes())
            offsets = pa.py_buffer(np.arange(0, (rows + 1) * DIMENSION * 2, DIMENSION * 2, dtype=np.int32).tobytes())
            columns = {
                "text_key": batch.column("text_key"),
                "vector": pa.Array.from_buffers(pa.binary(), rows, [None, offsets, data]),
                "status": pa.repeat("embedded", rows),
                "reason": pa.nulls(rows, pa.string()),
                "attempts": pa.repeat(pa.scalar(1, pa.int32()), rows),
            }
            yield pa.RecordBatch.from_pydict(columns)

    return texts.select("text_key", "text", "attempts").mapInArrow(run, EMBEDDED)


def fake_retrieve(uris: list[str], texts: DataFrame, folder: str, top_k: int) -> DataFrame:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            count = batch.num_rows * top_k
            random = np.random.default_rng(count)
            signal = pa.array(random.random(count).astype(np.float32))
            concepts = pa.array([uris[row] for row in random.integers(0, len(uris), count)])
            made = {"concept_uri": concepts, "cosine": signal, "preferred_cosine": signal, "ngram": signal}
            fields = [
                made.get(field.name, pa.nulls(count, field.type))
                if pa.types.is_floating(field.type) or field.name in made or field.type == pa.string()
                else pa.repeat(pa.scalar(0, field.type), count)
                for field in CANDIDATE
            ]
            offsets = pa.array(np.arange(0, count + 1, top_k, dtype=np.int32))
            found = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(fields, fields=list(CANDIDATE)))
            nothing = pa.nulls(batch.num_rows, pa.string())
            yield pa.RecordBatch.from_arrays([batch.column("text_key"), nothing, found], schema=_FOUND)

    return texts.select("text_key", "text", "vector").mapInArrow(run, from_arrow_schema(_FOUND))


def measure(mentions: int, texts: int) -> dict[str, float]:
    """Seconds by stage of a run from nothing, and of the whole."""
    folder = Path(tempfile.mkdtemp(prefix="skillsim-growth-"))
    write_records(folder / "records", mentions, texts)
    settings = {
        "input.path": folder / "records",
        "input.source": "generated",
        "input.shape": "array",
        "input.id_column": "id",
        "input.skills_column": "skills",
        "taxonomy.path": Path(str(files("skillsim") / "data" / "sample" / "taxonomy")),
        "output.root": folder / "out",
        "clusters.decision": "none",  # random vectors have no pairs: tests/benchmarks/clusters.py
    }
    plan = plan_run(load_config(None, [f"{key}={value}" for key, value in settings.items()]))
    started = time.perf_counter()
    summary = pipeline.Pipeline(get_session(plan.config.spark), plan).run()
    seconds = {stage["stage"]: stage["seconds"] for stage in summary.stages}
    seconds["all"] = time.perf_counter() - started
    shutil.rmtree(folder)
    return seconds


def median_of(repeats: int, mentions: int, texts: int) -> dict[str, float]:
    """`measure`, repeated: of each stage the median."""
    runs = [measure(mentions, texts) for _ in range(repeats)]
    return {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}


def main(
    mentions: Annotated[int, typer.Option(help="of the largest run")] = 10_000_000,
    texts: Annotated[int, typer.Option(help="distinct, of the largest run")] = 500_000,
    repeats: Annotated[int, typer.Option(help="of the smaller runs")] = 3,
    result: Path = RESULTS / "growth.json",
) -> None:
    """Measure, print and save."""
    from skillsim.esco import find_bundle, read_taxonomy

    sample = str(files("skillsim") / "data" / "sample" / "taxonomy")
    uris = sorted(read_taxonomy(find_bundle(sample, "en", None)).concepts["concept_uri"].to_pylist())
    pipeline.embed = fake_embed
    pipeline.retrieve = partial(fake_retrieve, uris)  # type: ignore[assignment]
    measure(1_000, 1_000)  # warms up
    floor = median_of(repeats, 1_000, 1_000)
    few, many = (mentions // 10, texts // 10), (mentions, texts // 10)
    runs = {few: median_of(repeats, *few), many: median_of(repeats, *many), (mentions, texts): measure(mentions, texts)}
    rows = []
    for stage, fixed in floor.items():
        seconds = [run[stage] for run in runs.values()]
        left = [max(one - fixed, 0.5) for one in seconds]
        exponents = [math.log10(after / before) for before, after in pairwise(left)]
        rows.append((stage, [fixed, *seconds], exponents))
    columns = ["stage", "nothing", *(f"{m:,} of {t:,}" for m, t in runs), "exponent in mentions", "in texts"]
    table = [[stage, *(f"{s:.1f}" for s in seconds), *(f"{e:.2f}" for e in es)] for stage, seconds, es in rows]
    show(Console(), "seconds by stage: mentions of distinct texts, fake encoder and retrieval", columns, table)
    stages = [{"stage": stage, "seconds": seconds, "exponents": es} for stage, seconds, es in rows]
    save(result, {"machine": machine(), "runs": [[0, 0], *map(list, runs)], "stages": stages})


if __name__ == "__main__":
    typer.run(main)
