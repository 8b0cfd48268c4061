"""Pairs of texts that may be variants of one skill: new texts against all, cell by cell (skillsim.cells)."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.cells import FEW, Texts, cells_of, is_single, most_in, padded, pairs_in_cell, pairs_in_few
from skillsim.encoder import unpack_vectors
from skillsim.pairing import form, initials_side
from skillsim.variants import Variants

# Texts of a cell that are compared at once; of a larger cell, two parts at a time.
CELL_TEXTS = 2_000
_SCORED = 32_768  # pairs

_PAIRS = pa.schema(
    [
        ("left_key", pa.string()),
        ("right_key", pa.string()),
        ("cosine", pa.float32()),
        ("score", pa.float32()),
        ("acronym_key", pa.string()),
    ]
)
_TEXTS = "text_key string, text string, vector binary, mentions long, new boolean, cells array<long>, single boolean"
PAIRS_SQL = "left_key string, right_key string, cosine float, score float, acronym_key string"
_BLOCK = ["cell", "low", "high"]


def with_cells(texts: DataFrame, concepts: int) -> DataFrame:
    """`cells` and `single` beside each (text_key, text, vector, concept_uris, mentions, new).

    `concepts`: of its URIs, the first so many are cells of a text.
    """

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            written, near = (batch.column(name).to_pylist() for name in ("text", "concept_uris"))
            cells = [cells_of(text, (uris or ())[:concepts]) for text, uris in zip(written, near, strict=True)]
            columns = {name: batch.column(name) for name in batch.schema.names if name != "concept_uris"}
            columns["cells"] = pa.array(cells, pa.list_(pa.int64()))
            columns["single"] = pa.array([is_single(text) for text in written], pa.bool_())
            yield pa.RecordBatch.from_pydict(columns)

    columns = texts.select("text_key", "text", "vector", "concept_uris", F.col("mentions").cast("long"), "new")
    return columns.mapInArrow(told, _TEXTS)


def find_pairs(texts: DataFrame, variants: Variants, tasks: int, cell_texts: int = CELL_TEXTS) -> DataFrame:
    """PAIRS_SQL, the smaller key first, of all pairs with a new text that are worth keeping.

    `texts`: of `with_cells`, each once; they are read several times.
    """
    blocks = _blocks(texts.select("text_key", "new", F.explode("cells").alias("cell")), cell_texts)
    rows = blocks.join(texts.drop("new"), on="text_key")
    ordered = rows.repartition(tasks, *_BLOCK).sortWithinPartitions(*_BLOCK, "text_key")

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from scored(_found(batches, variants.floor), variants)

    return ordered.mapInArrow(run, PAIRS_SQL)


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
    for rows in _by_block(batches):
        texts = Texts(
            padded(rows["cells"].combine_chunks()),
            np.asarray(unpack_vectors(rows["vector"]), np.float32),
            *(rows[name].to_numpy(zero_copy_only=False) for name in ("new", "single", "mentions")),
        )
        cell, low, high, part = (rows[name].to_numpy() for name in (*_BLOCK, "part"))
        block = _starts(rows).cumsum()
        if block[-1]:
            pairs = pairs_in_few(block, cell, np.where(low < high, part, np.arange(len(part))), texts, floor)
        else:
            most = most_in(rows["parts"][0].as_py())
            pairs = pairs_in_cell(int(cell[0]), texts, floor, part if low[0] < high[0] else None, most)
        for left, right, cosine in pairs:
            if len(left):
                columns = {
                    f"{side}{suffix}": rows[name].take(places).combine_chunks()
                    for side, places in (("left", left), ("right", right))
                    for suffix, name in (("_key", "text_key"), ("", "text"))
                }
                yield pa.RecordBatch.from_pydict(columns | {"cosine": pa.array(cosine, pa.float32())})


def _by_block(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """A block, or several of FEW texts at most; rows come ordered, and those of one may go on in the next batch."""
    waiting: pa.Table | None = None
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        table = rows if waiting is None else pa.concat_tables([waiting, rows])
        edges = np.append(0, np.flatnonzero(_starts(table)))
        yield from _runs(table, edges)
        waiting = table.slice(edges[-1])
    if waiting is not None and waiting.num_rows:
        yield waiting.combine_chunks()


def _starts(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """(n,): whether a row begins a block, but for the first row."""
    ids = [rows[name].to_numpy() for name in _BLOCK]
    return np.append(False, np.any([one[1:] != one[:-1] for one in ids], axis=0))


def _runs(table: pa.Table, edges: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    """Blocks of few texts together, others alone; `edges`: where each begins, and the last ends."""
    few = np.diff(edges) <= FEW
    alone = np.append(True, ~(few[1:] & few[:-1]))[: len(few)]
    bounds = [*edges[:-1][alone], edges[-1]]
    for start, end in pairwise(bounds):
        yield table.slice(start, end - start).combine_chunks()


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
