"""Pairs and clusters of real skill texts: what shared cells miss, and how both stages grow.

`python tests/benchmarks/clusters.py` takes the distinct texts of skill2vec_50K, and beyond those what noise makes of
them (training.noise), with the built-in model's vectors; a text's cells are the concepts of ESCO whose preferred labels
are nearest. Recall is of the pairs from the threshold on that comparing all with all finds among some real texts.
Seconds are of compare_texts and cluster_texts on tables that hold no pair yet; an exponent is the logarithm of the
ratio of two runs' seconds, over that of their texts. Memory is the peak of the process and its children (PSS).
"""

import math
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.cells import Gathering
from skillsim.config import Config, SparkConfig
from skillsim.encoder import Encoder, load_encoder, vectors_of
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.schemas import CLUSTER_MEMBERS, MENTIONS, PAIRS
from skillsim.spark.cluster_tables import cluster_texts, compare_texts
from skillsim.spark.progress import Stage
from skillsim.spark.session import get_session
from skillsim.spark.tables import Tables
from skillsim.text import parse_mention, text_key
from skillsim.variants import SHIPPED, Variants
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show
from training.judged_pairs import FEED, real_texts
from training.noise import noisy
from training.variant_pairs import near_pairs

CELLS = Config().clusters.cells
_BLOCK, _SCORED = 2_048, 50_000
_SAMPLE_S = 0.5


def with_noise(texts: list[str], count: int) -> list[str]:
    """The first `count` of the texts, and where those do not suffice, of what noise makes of them."""
    random, found = Random("clusters 1"), dict.fromkeys(texts[:count])
    while len(found) < count:
        spelled = parse_mention(noisy(random, random.choice(texts), 1.0)).text
        if spelled:
            found[spelled] = None
    return list(found)


def nearest(vectors: np.ndarray, concepts: np.ndarray) -> np.ndarray:
    """(texts, CELLS) rows of the nearest concepts, in no order."""
    parts = []
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK].astype(np.float32) @ concepts.T
        parts.append(np.argpartition(-cosines, CELLS, axis=1)[:, :CELLS])
    return np.concatenate(parts)


def recall(tables: Tables, texts: list[str], vectors: np.ndarray, variants: Variants) -> dict[str, Any]:
    """Of the pairs from the threshold on that comparing all with all finds, how many the job found, and their score."""
    rows, cosines = near_pairs(texts, vectors.astype(np.float32), variants.floor)
    pairs: set[frozenset[str]] = set()
    for start in range(0, len(rows), _SCORED):
        some, cosine = rows[start : start + _SCORED], cosines[start : start + _SCORED]
        scores = variants.score([texts[row] for row in some[:, 0]], [texts[row] for row in some[:, 1]], cosine)
        near = some[scores >= variants.threshold].tolist()
        pairs |= {frozenset((text_key(texts[a]), text_key(texts[b]))) for a, b in near}
    kept = tables.read(PAIRS).where("left_key < right_key").select("left_key", "right_key").toArrow()
    found = {frozenset(pair) for pair in zip(*(column.to_pylist() for column in kept.columns), strict=True)}
    hit = len(pairs & found)
    return {"texts": len(texts), "compared": len(rows), "pairs": len(pairs), "found": hit, "recall": hit / len(pairs)}


def write_texts(path: Path, texts: list[str], vectors: np.ndarray, near: np.ndarray) -> None:
    table = pa.table(
        {
            "text_key": [text_key(text) for text in texts],
            "text": texts,
            "vector": [vector.tobytes() for vector in vectors.astype("<f2")],
            "concept_uris": [[str(one) for one in of] for of in near.tolist()],
        }
    )
    pq.write_table(table, path, row_group_size=10_000)


def filled(spark: SparkSession, root: Path, texts: DataFrame) -> Tables:
    """With each text mentioned once."""
    tables = Tables(spark, str(root / "out"))
    blank = [F.lit(None).alias(name) for name in MENTIONS.schema.names if name not in ("text_key", "text")]
    tables.append(MENTIONS, texts.select("text_key", "text", *blank))
    return tables


def measure(tables: Tables, texts: DataFrame, variants: Variants) -> dict[str, float]:
    """Seconds and peak memory of both stages from nothing."""
    gathering = Gathering(variants, CELLS)
    peak = {"gb": 0.0}
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, done))
    watcher.start()
    try:
        started = time.perf_counter()
        compare_texts(tables, texts, gathering, SparkConfig(), Stage("pairs"))
        compared = time.perf_counter()
        cluster_texts(tables, gathering, "benchmark", datetime.now(UTC))
        clustered = time.perf_counter()
    finally:
        done.set()
        watcher.join()
    pairs = tables.read(PAIRS).where("left_key < right_key").count()
    clusters = tables.read(CLUSTER_MEMBERS).select("cluster_id").distinct().count()
    seconds = {"pairs": compared - started, "members": clustered - compared}
    return {**seconds, "kept pairs": pairs, "clusters": clusters, **peak}


def _watch(peak: dict[str, float], done: threading.Event) -> None:
    while not done.wait(_SAMPLE_S):
        peak["gb"] = max(peak["gb"], sum(_memory(one) for one in _family()) / 1e9)


def _family() -> Iterator[psutil.Process]:
    this = psutil.Process()
    yield this
    yield from this.children(recursive=True)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def embedded(texts: list[str], encoder: Encoder) -> np.ndarray:
    """float16, as tables hold them."""
    return vectors_of(encoder, texts).astype(np.float16)


def main(
    shared: Path = typer.Option(SHARED, help="folder of the data"),
    sizes: Annotated[str, typer.Option(help="distinct texts of the runs, ascending")] = "25000,50000,100000,200000",
    compared: Annotated[int, typer.Option(help="real texts that are compared all with all")] = 20_000,
    out: Path = RESULTS / "clusters.json",
) -> None:
    """Measure, print, save."""
    feed = shared / "noisy" / FEED
    require(feed, shared / "esco")
    console, counts = Console(width=150), [int(size) for size in sizes.split(",")]
    variants, encoder = Variants.load(SHIPPED[BUILTIN]), load_encoder(resolve_model(BUILTIN))
    concepts = read_taxonomy(find_bundle(shared / "esco", "en", "1.1.1")).concepts["preferred_label"].to_pylist()
    labels = embedded([parse_mention(label).text or label for label in concepts], encoder).astype(np.float32)
    real = real_texts(feed)
    texts = with_noise(real, max(*counts, compared))
    vectors = embedded(texts, encoder)
    near = nearest(vectors, labels)
    spark = get_session(SparkConfig())
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (compared, *counts):
            root = Path(folder) / str(count)
            root.mkdir()
            write_texts(root / "texts.parquet", texts[:count], vectors[:count], near[:count])
            rows = spark.read.parquet(str(root / "texts.parquet"))
            tables = filled(spark, root, rows)
            runs.append(measure(tables, rows, variants))
            console.print(count, runs[-1])
            if len(runs) == 1:  # which warms Spark up, too
                found = recall(tables, texts[:count], vectors[:count], variants)
                console.print(found)
            shutil.rmtree(root)
    runs = runs[1:]
    rows = []
    for stage in ("pairs", "members"):
        ratios = [
            math.log(after[stage] / before[stage]) / math.log(more / fewer)
            for (before, after), (fewer, more) in zip(pairwise(runs), pairwise(counts), strict=True)
        ]
        rows.append([stage, *(f"{run[stage]:.1f}" for run in runs), *(f"{ratio:.2f}" for ratio in ratios)])
    rows += [
        [name, *(f"{run[name]:,.1f}" for run in runs), *[""] * (len(runs) - 1)]
        for name in ("kept pairs", "clusters", "gb")
    ]
    columns = ["seconds", *(f"{count:,}" for count in counts), *("exponent" for _ in counts[1:])]
    show(console, f"distinct texts, {len(real):,} of them real", columns, rows)
    save(out, {"machine": machine(), "recall": found, "sizes": counts, "runs": runs})


if __name__ == "__main__":
    typer.run(main)
