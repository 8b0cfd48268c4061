"""Pairs of texts that may be variants of one skill: new texts against all, cell by cell (skillsim.cells)."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.cells import Texts, cells_of, is_single, most_in, padded, pairs_in_cell
from skillsim.encoder import unpack_vectors
from skillsim.pairing import form, initials_side
from skillsim.variants import Variants

# Texts of a cell that are compared at once; of a larger cell, two parts at a time.
CELL_TEXTS = 2_000
_SCORED = 8_192  # pairs

_CELLS = "text_key string, new boolean, cells array<long>"
_PAIRS = pa.schema(
    [
        ("left_key", pa.string()),
        ("right_key", pa.string()),
        ("cosine", pa.float32()),
        ("score", pa.float32()),
        ("acronym_key", pa.string()),
    ]
)
PAIRS_SQL = "left_key string, right_key string, cosine float, score float, acronym_key string"
_BLOCK = ["cell", "low", "high"]


def find_pairs(
    texts: DataFrame, variants: Variants, concepts: int, tasks: int, cell_texts: int = CELL_TEXTS
) -> DataFrame:
    """PAIRS_SQL, the smaller key first, of all pairs with a new text that are worth keeping.

    `texts`: (text_key, text, vector, concept_uris, mentions, new), each text once; `concepts`: of those URIs, the first
    so many are cells of a text.
    """
    known = texts.select("text_key", "text", F.slice("concept_uris", 1, concepts).alias("concept_uris"), "new")
    cells = known.mapInArrow(_cells, _CELLS)
    blocks = _blocks(cells.select("text_key", "new", F.explode("cells").alias("cell")), cell_texts)
    rows = blocks.join(cells.select("text_key", "cells"), on="text_key").join(
        texts.select("text_key", "text", "vector", "mentions"), on="text_key"
    )
    ordered = rows.repartition(tasks, *_BLOCK).sortWithinPartitions(*_BLOCK, "text_key")

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from scored(_found(batches, variants.floor), variants)

    return ordered.mapInArrow(run, PAIRS_SQL)


def _cells(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        told = zip(batch.column("text").to_pylist(), batch.column("concept_uris").to_pylist(), strict=True)
        cells = pa.array([cells_of(text, uris or ()) for text, uris in told], pa.list_(pa.int64()))
        yield pa.RecordBatch.from_pydict(
            {"text_key": batch.column("text_key"), "new": batch.column("new"), "cells": cells}
        )


def _blocks(cells: DataFrame, cell_texts: int) -> DataFrame:
    """(text_key, new, part, parts, cell, low, high): texts of the blocks in which there is something new to compare.

    The texts of a large cell are dealt out to parts, and a block holds those of one part or of two.
    """
    sizes = cells.groupBy("cell").agg(F.count("*").alias("texts"), F.max("new").alias("any_new"))
    live = sizes.where((F.col("texts") > 1) & F.col("any_new"))
    parts = F.ceil(F.col("texts") / F.lit(cell_texts)).cast("int")
    dealt = cells.join(live.select("cell", parts.alias("parts")), on="cell").withColumn(
        "part", F.pmod(F.xxhash64("text_key"), F.col("parts")).cast("long")
    )
    other = F.explode(F.sequence(F.lit(0), F.col("parts") - 1)).alias("other")
    spread = dealt.select("text_key", "new", "part", "parts", "cell", other).withColumns(
        {"low": F.least("part", "other"), "high": F.greatest("part", "other")}
    )
    with_new = spread.where("new").select(*_BLOCK).distinct()
    return spread.join(with_new, on=_BLOCK, how="left_semi").drop("other")


def _found(batches: Iterator[pa.RecordBatch], floor: float) -> Iterator[pa.RecordBatch]:
    """Pairs of the blocks, which come one after another."""
    for block in _by_block(batches):
        texts = Texts(
            padded(block["cells"].combine_chunks()),
            np.asarray(unpack_vectors(block["vector"]), np.float32),
            block["new"].to_numpy(zero_copy_only=False),
            np.array([is_single(text) for text in block["text"].to_pylist()]),
            block["mentions"].to_numpy(),
        )
        cell, low, high = (block[name][0].as_py() for name in _BLOCK)
        part = block["part"].to_numpy() if low != high else None
        most = most_in(block["parts"][0].as_py())
        for left, right, cosine in pairs_in_cell(cell, texts, floor, part, most):
            if len(left):
                columns = {
                    f"{side}{suffix}": block[name].take(rows).combine_chunks()
                    for side, rows in (("left", left), ("right", right))
                    for suffix, name in (("_key", "text_key"), ("", "text"))
                }
                yield pa.RecordBatch.from_pydict(columns | {"cosine": pa.array(cosine, pa.float32())})


def _by_block(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Rows come ordered by block; one that goes on in the next batch waits for its rest."""
    waiting: pa.Table | None = None
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        table = rows if waiting is None else pa.concat_tables([waiting, rows])
        ids = [table[name].to_numpy() for name in _BLOCK]
        starts = np.flatnonzero(np.any([one[1:] != one[:-1] for one in ids], axis=0)) + 1
        edges = [0, *starts.tolist()]
        for start, end in zip(edges, edges[1:], strict=False):
            yield table.slice(start, end - start).combine_chunks()
        waiting = table.slice(edges[-1])
    if waiting is not None and waiting.num_rows:
        yield waiting.combine_chunks()


def scored(found: Iterator[pa.RecordBatch], variants: Variants) -> Iterator[pa.RecordBatch]:
    """Those with a score worth keeping, the smaller key first."""
    waiting: list[pa.RecordBatch] = []
    pairs = 0
    for batch in found:
        waiting.append(batch)
        pairs += batch.num_rows
        if pairs >= _SCORED:
            yield _score(pa.Table.from_batches(waiting), variants)
            waiting, pairs = [], 0
    if waiting:
        yield _score(pa.Table.from_batches(waiting), variants)


def _score(pairs: pa.Table, variants: Variants) -> pa.RecordBatch:
    cosine = pairs["cosine"].to_numpy()
    score = variants.score(pairs["left"].to_pylist(), pairs["right"].to_pylist(), cosine)
    kept = np.flatnonzero(score >= variants.keep)
    chosen = pairs.take(kept)
    texts = zip(chosen["left"].to_pylist(), chosen["right"].to_pylist(), strict=True)
    sides = [initials_side(form(a), form(b)) for a, b in texts]
    keys = list(zip(chosen["left_key"].to_pylist(), chosen["right_key"].to_pylist(), strict=True))
    acronyms = [None if side is None else both[side] for side, both in zip(sides, keys, strict=True)]
    columns = [list(map(min, keys)), list(map(max, keys)), cosine[kept], score[kept].astype(np.float32), acronyms]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, kind.type) for column, kind in zip(columns, _PAIRS, strict=True)], schema=_PAIRS
    )
