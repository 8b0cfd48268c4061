"""Half of a record's skills finds the other half among those of 10,000 records.

`python tests/benchmarks/matching.py ROOT` takes records of an output with skill2vec_50K in it, halves the skills of
each at random, and ranks by one half the other halves of all: by skillsim.matching, by Jaccard on raw strings, by
Jaccard on concepts, and by the cosine of the mean vectors of the texts. MRR and recall@10 with 95% intervals by a
bootstrap over records, and ours less each other, paired. Ties count as their mean rank.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer
from deltalake import DeltaTable
from rich.console import Console
from scipy import sparse

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.matching import FLOOR, NEAR_SKILLS, nearness, rarity, top_matches
from skillsim.metrics import Score, bootstrap_weights
from tests.benchmarks import RESULTS, machine, save, show

LEAST_TEXTS = 4
DRAWS = 1_000
_BLOCK = 500

Scores = Callable[[int, int], np.ndarray]


def table(root: Path, name: str, columns: list[str]) -> pd.DataFrame:
    return DeltaTable(str(root / "tables" / name)).to_pyarrow_table(columns=columns).to_pandas()


def halves(root: Path, records: int) -> pd.DataFrame:
    """Rows of distinct (record, text): record (0..), half (0 or 1), raw, text_key, skill, and the text whose vector
    stands for the skill (vector_key): a concept's preferred label, the leader of a cluster."""
    skills = table(
        root, "normalised_skills", ["record_id", "raw", "text_key", "status", "concept_uri", "cluster_id", "source"]
    )
    skills = skills[~skills["status"].isin(["rejected", "not_skill"])].drop_duplicates(["record_id", "text_key"])
    sizes = skills.groupby("record_id")["text_key"].transform("size")
    skills = skills[sizes >= LEAST_TEXTS]
    random = np.random.default_rng(7)
    chosen = random.permutation(np.sort(skills["record_id"].unique()))[:records]
    skills = skills[skills["record_id"].isin(chosen)].sort_values(["record_id", "text_key"]).reset_index(drop=True)
    order = pd.Series(random.random(len(skills))).groupby(skills["record_id"]).rank(method="first")
    record = skills["record_id"].astype("category").cat.codes
    skill = skills["concept_uri"].fillna(skills["cluster_id"]).fillna(skills["text_key"])
    labels = table(root, "taxonomy_labels", ["concept_uri", "kind", "text_key"]).query("kind == 'preferred'")
    leaders = table(root, "cluster_members", ["cluster_id", "leader_key"]).drop_duplicates("cluster_id")
    keys = pd.concat([labels.set_index("concept_uri")["text_key"], leaders.set_index("cluster_id")["leader_key"]])
    keys = keys[~keys.index.duplicated()]
    return skills.assign(
        record=record.astype(np.int64),
        half=(order % 2).astype(int),
        skill=skill,
        vector_key=skill.map(keys).fillna(skills["text_key"]),
    )


def incidence(rows: pd.DataFrame, column: str, names: pd.Index, records: int) -> list[sparse.csr_matrix]:
    """Of each half (records, names), 1 where a record has it."""
    found = []
    for half in (0, 1):
        of_half = rows[rows["half"] == half].drop_duplicates(["record", column])
        place = (np.ones(len(of_half), np.float32), (of_half["record"], names.get_indexer(of_half[column])))
        found.append(sparse.csr_matrix(place, shape=(records, len(names))))
    return found


def jaccard(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Scores:
    sizes = [np.asarray(of.sum(axis=1)).ravel() for of in (left, right)]

    def block(start: int, end: int) -> np.ndarray:
        shared = (left[start:end] @ right.T).toarray()
        return shared / np.maximum(sizes[0][start:end, None] + sizes[1][None, :] - shared, 1)

    return block


def dense(left: np.ndarray, right: np.ndarray) -> Scores:
    return lambda start, end: left[start:end] @ right.T


def ours(left: sparse.csr_matrix, right: sparse.csr_matrix, near: sparse.csr_matrix) -> Scores:
    rare = rarity(right.shape[0], np.asarray(right.sum(axis=0)).ravel())

    def block(start: int, end: int) -> np.ndarray:
        return top_matches(left[start:end], right, near, rare, right.shape[0]).toarray()

    return block


def ranks(scores: Scores, n: int) -> np.ndarray:
    """(n,): of each record's own other half, from 1 on."""
    found = []
    for start in range(0, n, _BLOCK):
        end = min(start + _BLOCK, n)
        of = scores(start, end)
        own = of[np.arange(end - start), np.arange(start, end)][:, None]
        above, level = (of > own + 1e-7).sum(axis=1), (np.abs(of - own) <= 1e-7).sum(axis=1)
        found.append(above + (level + 1) / 2)
    return np.concatenate(found)


def mean_vectors(rows: pd.DataFrame, vectors: dict[str, np.ndarray], records: int) -> list[np.ndarray]:
    found = []
    for half in (0, 1):
        of_half = rows[rows["half"] == half]
        sums = np.zeros((records, len(next(iter(vectors.values())))), np.float32)
        np.add.at(sums, of_half["record"].to_numpy(), np.stack([vectors[key] for key in of_half["text_key"]]))
        found.append(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))
    return found


def systems(
    rows: pd.DataFrame, vectors: dict[str, np.ndarray], floor: float, most: int
) -> Iterator[tuple[str, Scores]]:
    n = int(rows["record"].max()) + 1
    skills = rows.drop_duplicates("skill").set_index("skill")["vector_key"]
    halved = incidence(rows, "skill", skills.index, n)
    yield "skillsim", ours(*halved, nearness(np.stack([vectors[key] for key in skills]), floor, most))
    yield "Jaccard, raw strings", jaccard(*incidence(rows, "raw", pd.Index(rows["raw"].unique()), n))
    yield "Jaccard, concepts", jaccard(*halved)
    yield "mean vectors, cosine", dense(*mean_vectors(rows, vectors, n))


def main(
    root: Path,
    records: int = typer.Option(10_000, help="whose halves are searched"),
    floor: float = typer.Option(FLOOR, help="cosine of skills from which they are near"),
    most: int = typer.Option(NEAR_SKILLS, help="near skills of one"),
    out: Path = typer.Option(RESULTS / "matching.json"),
) -> None:
    """Split, rank, print, save."""
    console = Console(width=150)
    rows = halves(root, records)
    embedded = table(root, "embeddings", ["text_key", "vector", "status"])
    wanted = {*rows["text_key"], *rows["vector_key"]}
    embedded = embedded[(embedded["status"] == "embedded") & embedded["text_key"].isin(wanted)]
    every = np.frombuffer(b"".join(embedded["vector"]), "<f2").reshape(len(embedded), -1).astype(np.float32)
    vectors = dict(zip(embedded["text_key"], every, strict=True))
    rows = rows[rows["text_key"].isin(vectors.keys()) & rows["vector_key"].isin(vectors.keys())]
    n = int(rows["record"].max()) + 1
    weights = bootstrap_weights(n, DRAWS)
    result: dict[str, Any] = {"machine": machine(), "records": n}
    lines, first = [], None
    for name, scores in systems(rows, vectors, floor, most):
        started = time.perf_counter()
        rank = ranks(scores, n)
        seconds = time.perf_counter() - started
        found = {"MRR": 1 / rank, "recall@10": (rank <= 10).astype(float)}
        first = first or found
        cells, told = [], {}
        for measure, of in found.items():
            score = Score.of(weights @ of / n, n)
            less = Score.of(weights @ (first[measure] - of) / n, n)
            cells += [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in (score, less)]
            told[measure] = {"score": vars(score), "ours less it": vars(less)}
        result[name] = told | {"seconds": seconds}
        lines.append([name, *cells, f"{seconds:.0f}"])
        console.print(lines[-1])
    columns = ["", "MRR", "ours less it", "recall@10", "ours less it", "seconds"]
    show(console, f"{n:,} records of skill2vec", columns, lines)
    save(out, result)


if __name__ == "__main__":
    typer.run(main)
