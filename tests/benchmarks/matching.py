"""Half of a record's skills finds the other half among those of 10,000 records.

`python tests/benchmarks/matching.py ROOT` takes records of an output with skill2vec_50K in it, halves the skills of
each at random, and ranks by one half the other halves of all: by skillsim.matching, by Jaccard on raw strings, by
Jaccard on concepts, and by the cosine of the mean vectors of the texts. What skills stand beside comes from the other
records. Then the same with a fifth of ESCO's occupations for records, and what stands together in the others.
MRR and recall@10 with 95% intervals by a bootstrap over records, and ours less each other, paired. Ties count as their
mean rank.
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

from skillsim.matching import FLOOR, NEAR_SKILLS, Side, nearness, rarity, score_blocks, with_hierarchy
from skillsim.metrics import Score, bootstrap_weights
from skillsim.skill_vectors import Company, profiles
from tests.benchmarks import RESULTS, machine, save, show

LEAST_TEXTS = 4
DRAWS = 1_000
_BLOCK = 500

Scores = Callable[[int, int], np.ndarray]


def table(root: Path, name: str, columns: list[str]) -> pd.DataFrame:
    return DeltaTable(str(root / "tables" / name)).to_pyarrow_table(columns=columns).to_pandas()


def records_of(root: Path) -> pd.DataFrame:
    """Rows of distinct (record_id, text_key): raw, skill, and the text whose vector stands for the skill (vector_key):
    a concept's preferred label, the leader of a cluster."""
    skills = table(
        root, "normalised_skills", ["record_id", "raw", "text_key", "status", "concept_uri", "cluster_id", "source"]
    )
    skills = skills[~skills["status"].isin(["rejected", "not_skill"])].drop_duplicates(["record_id", "text_key"])
    leaders = table(root, "cluster_members", ["cluster_id", "leader_key"]).drop_duplicates("cluster_id")
    keys = pd.concat([preferred(root), leaders.set_index("cluster_id")["leader_key"]])
    skill = skills["concept_uri"].fillna(skills["cluster_id"]).fillna(skills["text_key"])
    return skills.assign(skill=skill, vector_key=skill.map(keys).fillna(skills["text_key"]))


def preferred(root: Path) -> pd.Series:
    """text_key of the preferred label by concept."""
    labels = table(root, "taxonomy_labels", ["concept_uri", "kind", "text_key"]).query("kind == 'preferred'")
    return labels.drop_duplicates("concept_uri").set_index("concept_uri")["text_key"]


def occupations_of(root: Path) -> pd.DataFrame:
    """As `records_of`: occupations with the skills that are essential to them or optional."""
    relations = table(root, "taxonomy_relations", ["subject_uri", "predicate", "object_uri"])
    occupations = set(table(root, "taxonomy_occupations", ["occupation_uri"])["occupation_uri"])
    of = relations[relations["subject_uri"].isin(occupations) & (relations["predicate"] != "broader")]
    keys = of["object_uri"].map(preferred(root))
    rows = pd.DataFrame({"record_id": of["subject_uri"], "raw": of["object_uri"], "text_key": keys, "vector_key": keys})
    return rows.assign(skill=rows["raw"]).dropna().drop_duplicates(["record_id", "text_key"])


def halves(skills: pd.DataFrame, records: int, seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `records` records, with their number (record) and half (0 or 1), and the rows of all others."""
    sizes = skills.groupby("record_id")["text_key"].transform("size")
    random = np.random.default_rng(seed)
    chosen = random.permutation(np.sort(skills.loc[sizes >= LEAST_TEXTS, "record_id"].unique()))[:records]
    within = skills["record_id"].isin(chosen)
    rows = skills[within].sort_values(["record_id", "text_key"]).reset_index(drop=True)
    order = pd.Series(random.random(len(rows))).groupby(rows["record_id"]).rank(method="first")
    record = rows["record_id"].astype("category").cat.codes
    return rows.assign(record=record.astype(np.int64), half=(order % 2).astype(int)), skills[~within]


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


def ours(left: Side, right: Side, near: sparse.csr_matrix, rare: np.ndarray) -> Scores:
    def block(start: int, end: int) -> np.ndarray:
        part = Side(left.skills[start:end], left.profiles[start:end])
        return np.vstack([*score_blocks(part, right, near, rare)])

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
    rows: pd.DataFrame, others: pd.DataFrame, broader: pd.DataFrame, vectors: dict[str, np.ndarray]
) -> Iterator[tuple[str, Scores]]:
    """`broader`: ESCO's (subject_uri, object_uri)."""
    n = int(rows["record"].max()) + 1
    known = pd.concat([rows, others]).drop_duplicates("skill").set_index("skill")["vector_key"]
    encoded = np.stack([vectors[key] for key in known])
    number = others["record_id"].astype("category").cat.codes
    beside = others.assign(record=number.astype(np.int64), half=0)
    company = Company.of(incidence(beside, "skill", known.index, int(number.max()) + 1)[0], encoded)
    skills = pd.Index(rows["skill"].unique())
    places = known.index.get_indexer(skills)
    of_skills = company.skill_vectors(places, encoded[places])
    halved = incidence(rows, "skill", skills, n)
    edges = [skills.get_indexer(broader[name]) for name in ("subject_uri", "object_uri")]
    both = (edges[0] >= 0) & (edges[1] >= 0)
    near = with_hierarchy(nearness(of_skills, FLOOR, NEAR_SKILLS), edges[0][both], edges[1][both])
    rare = rarity(n, np.asarray(halved[1].sum(axis=0)).ravel())
    sides = [Side(half, profiles(half.multiply(rare).tocsr(), of_skills)) for half in halved]
    yield "skillsim", ours(*sides, near, rare)
    yield "its profiles alone", dense(*(side.profiles for side in sides))
    yield "Jaccard, raw strings", jaccard(*incidence(rows, "raw", pd.Index(rows["raw"].unique()), n))
    yield "Jaccard, concepts", jaccard(*halved)
    yield "mean vectors, cosine", dense(*mean_vectors(rows, vectors, n))


def compared(
    rows: pd.DataFrame, others: pd.DataFrame, broader: pd.DataFrame, vectors: dict[str, np.ndarray], console: Console
) -> dict[str, Any]:
    """Scores of each system, printed as they come."""
    with_vector = [of[of["text_key"].isin(vectors) & of["vector_key"].isin(vectors)] for of in (rows, others)]
    n = int(rows["record"].max()) + 1
    weights = bootstrap_weights(n, DRAWS)
    result: dict[str, Any] = {"records": n, "other records": int(others["record_id"].nunique())}
    lines, first = [], None
    for name, scores in systems(with_vector[0], with_vector[1], broader, vectors):
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
    columns = ["", "MRR", "ours less it", "recall@10", "ours less it", "seconds"]
    show(console, f"{n:,} records, company from {result['other records']:,} others", columns, lines)
    return result


def main(
    root: Path,
    records: int = typer.Option(10_000, help="whose halves are searched"),
    seed: int = typer.Option(7, help="which records; settings were chosen on those of another"),
    out: Path = typer.Option(RESULTS / "matching.json"),
) -> None:
    """Split, rank, print, save."""
    console = Console(width=150)
    embedded = table(root, "embeddings", ["text_key", "vector", "status"]).query("status == 'embedded'")
    every = np.frombuffer(b"".join(embedded["vector"]), "<f2").reshape(len(embedded), -1).astype(np.float32)
    vectors = dict(zip(embedded["text_key"], every, strict=True))
    broader = table(root, "taxonomy_relations", ["subject_uri", "predicate", "object_uri"])
    broader = broader.query("predicate == 'broader'")
    result: dict[str, Any] = {"machine": machine()}
    result["skill2vec"] = compared(*halves(records_of(root), records, seed), broader, vectors, console)
    occupations = occupations_of(root)
    fifth = occupations["record_id"].nunique() // 5
    result["ESCO occupations"] = compared(*halves(occupations, fifth, seed), broader, vectors, console)
    save(out, result)


if __name__ == "__main__":
    typer.run(main)
