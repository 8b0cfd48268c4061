"""What linking costs beside the plain dense product that any nearest-label job does, on the same vectors and thread.

The baseline: texts x labels as blocked fp32 products, and the best 64 of each row. Ours: candidates of both views, then
signals, memory and the fitted decision. Both on one thread, as in a Spark task of one CPU, slice by slice in turns, so
that a machine that slows down slows both; vectors are made before.
"""

import csv
import gzip
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.encoder import Encoded, Vectors, pack_vectors
from skillsim.linking import ConceptNames, decide
from skillsim.normaliser import Normaliser
from skillsim.overrides import OVERRIDE
from skillsim.retrieval import Candidates
from skillsim.text import parse_mention
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show

SLICE = 2_048
BLOCK = 256
TOP = 64


def distinct_texts(path: Path) -> dict[str, str]:
    """text_key -> text of every skill cell."""
    found: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="") as lines:
        for row in csv.reader(lines):
            for cell in row[1:]:
                mention = parse_mention(cell)
                if mention.text_key and mention.text:
                    found[mention.text_key] = mention.text
    return found


def dense_product(matrix: torch.Tensor, vectors: np.ndarray) -> None:
    query = torch.from_numpy(vectors.astype(np.float32))
    for start in range(0, len(query), BLOCK):
        (query[start : start + BLOCK] @ matrix.T).topk(TOP, dim=1)


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started


def table_of(
    normaliser: Normaliser, keys: list[str], texts: list[str], found: Candidates, vectors: Vectors
) -> pa.Table:
    """As skillsim.linking.decide takes it."""
    return pa.table(
        {
            "text_key": keys,
            "text": texts,
            "candidates": found.candidates,
            "occupation_uri": found.occupation_uri,
            "vector": pack_vectors(Encoded(vectors, {})),
            "failure": pa.nulls(len(keys), pa.string()),
            "entry": normaliser.lexicon.column(keys),
            "override": pa.nulls(len(keys), OVERRIDE),
        }
    )


def main(
    records: Path = typer.Option(None, help="CSV of an id and skills; default: the shared skill2vec_50K"),
    shared: Path = typer.Option(SHARED, help="folder of the third-party data"),
    texts: int = typer.Option(0, help="so many of the distinct texts; 0: all"),
    out: Path = typer.Option(RESULTS / "cost.json", help="where the figures go, as JSON"),
) -> None:
    """Seconds of each part, and the ratio to the product."""
    source = records or shared / "noisy" / "skill2vec_50K.csv.gz"
    require(source, shared / "esco")
    normaliser = Normaliser.from_esco(shared / "esco", version="1.1.1")
    found = distinct_texts(source)
    keys = list(found)[: texts or None]
    vectors = normaliser.encoder.encode([found[key] for key in keys]).vectors
    torch.set_num_threads(1)
    matrix = torch.from_numpy(normaliser.index.matrix)
    names = ConceptNames.from_table(normaliser.index.concepts)
    parts = (normaliser.decider, names, normaliser.lexicon.lexicon_id, normaliser.index, normaliser.memory)
    seconds: dict[str, float] = {}
    for start in range(0, len(keys), SLICE):
        some, of = keys[start : start + SLICE], vectors[start : start + SLICE]
        strings = [found[key] for key in some]
        with timed(seconds, "dense product"):
            dense_product(matrix, of)
        with timed(seconds, "candidates"):
            candidates = normaliser.index.candidates(strings, some, of, normaliser.top_k)
        table = table_of(normaliser, some, strings, candidates, of)
        with timed(seconds, "signals and decision"):
            decide(table, *parts)
    ours = seconds["candidates"] + seconds["signals and decision"]
    facts: dict[str, Any] = {
        "texts": len(keys),
        "labels": len(matrix),
        "decider_id": normaliser.decider.decider_id,
        **{name: round(value, 1) for name, value in seconds.items()},
        "ours to the product": round(ours / seconds["dense product"], 2),
        "peak memory, GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        **machine(),
    }
    show(Console(), "linking beside the dense product, one thread", ["", ""], [[k, str(v)] for k, v in facts.items()])
    save(out, facts)


if __name__ == "__main__":
    typer.run(main)
