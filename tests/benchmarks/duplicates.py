"""Clusters as duplicates of two golds: ours, a cosine threshold with connected components, and SemHash.

`python tests/benchmarks/duplicates.py` joins GitHub's topic aliases, and the labels of held-out ESCO concepts
(training.duplicates), by the same vectors in the same run. A threshold is the one with the best F1 among those with a
precision of .95 on the first half of a gold; figures are of the second half, with 95% intervals by set. Beside them
stands ours at the one threshold that it is shipped with, for all texts. On ESCO it stands alone: the decision is fitted
on the first half of these labels, so that what it finds there is no measure (training.variants chooses by folds). Then
come judged pairs of a real feed (training.judged_pairs), each standing for the pairs of its class. What ours joins of
the trap list at each threshold is printed last: whoever wrote the features had read its written pairs, so that those
drawn by a hash are counted apart; those that turn a word were read before the second list of opposites was asked for.
SemHash takes part where it is installed (pip install semhash==0.5.0). An encoder that learnt ESCO or GitHub's aliases
is measured on what it knows.
"""

import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from scipy import sparse
from scipy.sparse.csgraph import connected_components

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import LEAST_SCORE
from skillsim.encoder import Encoder, load_encoder, vectors_of
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.metrics import Score
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.variants import SHIPPED, Variants
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show
from training import duplicates
from training.command import one_line_errors
from training.duplicates import Duplicates, Found, difference
from training.judged_pairs import FEED, average_precision, joined, read_judged_pairs
from training.protocol import unit_weights
from training.splits.held_out import Concepts
from training.splits.traps import traps
from training.variant_pairs import near_pairs
from training.variants import PRECISION, NearPairs, scores_of

OURS, SHIPPED_AT = "skillsim", "skillsim, as shipped"
DRAWS = 1_000
COSINES, _SCORES = (np.round(np.arange(start, 1.0, 0.01), 2) for start in (0.75, LEAST_SCORE))

Clusters = npt.NDArray[np.int64]
At = Callable[[float], Clusters]


def by_us(gold: Duplicates, encoder: Encoder, variants: Variants) -> At:
    near = NearPairs.of(gold.texts, encoder)
    return partial(near.partition, near.scores(variants.score))


def by_cosine(gold: Duplicates, encoder: Encoder) -> At:
    """Connected components of the pairs with a cosine from a threshold on."""
    rows, cosines = near_pairs(gold.texts, vectors_of(encoder, gold.texts), float(COSINES[0]))
    n = len(gold.texts)

    def at(threshold: float) -> Clusters:
        kept = rows[cosines >= threshold]
        graph = sparse.csr_matrix((np.ones(len(kept)), kept.T), shape=(n, n))
        return np.asarray(connected_components(graph, directed=False)[1])

    return at


def by_semhash(gold: Duplicates, encoder: Encoder) -> At:
    from semhash import SemHash

    vectors = vectors_of(encoder, gold.texts)
    place = {text: row for row, text in enumerate(gold.texts)}
    index = SemHash.from_embeddings(vectors, gold.texts, model=None)

    def at(threshold: float) -> Clusters:
        cluster = np.arange(len(gold.texts))
        for one in index.self_deduplicate(threshold=threshold).filtered:
            cluster[place[one.record]] = place[one.duplicate_of]
        return cluster

    return at


def best(gold: Duplicates, at: At, thresholds: npt.NDArray[np.float64]) -> float:
    """The threshold with the best F1 of those that reach the precision; the highest where none does."""
    ones = np.ones((1, len(gold.pairs)))
    found = [(float(threshold), gold.found(at(threshold).tolist()).scores(ones)) for threshold in thresholds]
    reached = [(scores["f1"][0], threshold) for threshold, scores in found if scores["precision"][0] >= PRECISION]
    return max(reached)[1] if reached else float(thresholds[-1])


def systems(
    sets: dict[str, frozenset[str]], encoder: Encoder, variants: Variants, fitted_on: bool
) -> dict[str, tuple[float, Found]]:
    """By name: the threshold, and what it finds on the second half. `fitted_on`: whether ours was, on the first."""
    chosen, scored = duplicates.half(sets, 0), duplicates.half(sets, 1)
    at = {} if fitted_on else {OURS: best(chosen, by_us(chosen, encoder, variants), _SCORES)}
    at[SHIPPED_AT] = variants.threshold
    ours = by_us(scored, encoder, variants)
    found = {name: (one, scored.found(ours(one).tolist())) for name, one in at.items()}
    peers = {"cosine, connected": by_cosine} | ({"SemHash": by_semhash} if find_spec("semhash") else {})
    for name, peer in peers.items():
        threshold = best(chosen, peer(chosen, encoder), COSINES)
        found[name] = threshold, scored.found(peer(scored, encoder)(threshold).tolist())
    return found


def cell(score: Score) -> str:
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def report(console: Console, title: str, found: dict[str, tuple[float, Found]]) -> dict[str, Any]:
    ours = next(iter(found))
    first = found[ours][1]
    n = len(first.recall)
    weights = unit_weights([str(row) for row in range(n)], DRAWS).astype(float)
    rows, told = [], {}
    for name, (threshold, one) in found.items():
        scores = {key: Score.of(values, n) for key, values in one.scores(weights).items()}
        less = difference(first, one, weights)
        told[name] = {"threshold": threshold, "b-cubed": one.b_cubed(), "ours less it": vars(less)}
        told[name] |= {key: vars(score) for key, score in scores.items()}
        cells = [cell(scores[key]) for key in ("precision", "recall", "f1")]
        rows.append(
            [name, f"{threshold:.2f}", *cells, f"{one.b_cubed()['f1']:.3f}", "" if name == ours else cell(less)]
        )
    show(console, title, ["", "from", "precision", "recall", "F1", "B-cubed F1", "the first less it, F1"], rows)
    return told


def on_real(console: Console, pairs: pd.DataFrame, encoder: Encoder, variants: Variants) -> dict[str, Any]:
    """Average precision of scores and cosines; precision and recall of what ours joins, and of as many by cosine."""
    same = pairs["same"].to_numpy(bool)
    weight = pairs["weight"].to_numpy()
    left, right = (vectors_of(encoder, pairs[side].tolist()) for side in "ab")
    cosine = np.einsum("ij,ij->i", left, right)
    ours = variants.score(pairs["a"].tolist(), pairs["b"].tolist(), cosine)
    hit = ours >= variants.threshold
    nearest_first = np.argsort(-cosine)
    as_many = np.zeros(len(pairs), dtype=bool)
    as_many[nearest_first[np.cumsum(weight[nearest_first]) <= weight[hit].sum()]] = True
    weights = unit_weights([str(row) for row in range(len(pairs))], DRAWS) * weight
    rows, told, precision = [], {}, {}
    for name, scores, chosen in ((SHIPPED_AT, ours, hit), ("cosine, as many joined", cosine, as_many)):
        precision[name] = average_precision(same, scores, weights)
        values = {"average precision": precision[name]} | joined(same, chosen, weights)
        told[name] = {key: Score.of(of, len(pairs)) for key, of in values.items()}
        rows.append([name, *(cell(score) for score in told[name].values())])
    less = Score.of(precision[SHIPPED_AT] - precision["cosine, as many joined"], len(pairs))
    show(console, f"{len(pairs)} judged pairs of a real feed", ["", "average precision", "precision", "recall"], rows)
    console.print(f"average precision, ours less the cosine's: {cell(less)}")
    return {name: {key: vars(score) for key, score in of.items()} for name, of in told.items()} | {"less": vars(less)}


def trapped(console: Console, listed: pd.DataFrame, hit: npt.NDArray[np.bool_], at: float) -> dict[str, Any]:
    """Shares of the trap list that are joined from a threshold on, by what they are and where they come from."""
    told = {}
    for same in (False, True):
        for origin in ("", "written", "drawn"):
            rows = hit[((listed["same"] == same) & ((listed["origin"] == origin) | (origin == ""))).to_numpy()]
            weights = unit_weights([str(row) for row in range(len(rows))], DRAWS).astype(float)
            score = Score.of(weights @ rows / len(rows), len(rows))
            name = f"{'variants' if same else 'traps'} joined{f', {origin}' if origin else ''}"
            told[name] = vars(score)
            console.print(f"from {at:.2f} {name}: {cell(score)} of {len(rows)}")
    return told


def main(
    shared: Path = typer.Option(SHARED, help="folder of the data"),
    encoder: str = typer.Option(BUILTIN, help="encoder.model of the job"),
    decision: Path = typer.Option(None, help="by training.variants; unset: the shipped one"),
    out: Path = typer.Option(RESULTS / "duplicates.json"),
) -> None:
    """Score, print, save."""
    require(shared / "extra" / duplicates.ALIASES, shared / "esco", shared / "noisy" / FEED)
    console = Console(width=150)
    model = load_encoder(resolve_model(encoder))
    with one_line_errors(console):
        variants = Variants.load(decision or SHIPPED.get(encoder, Path(f"(none is shipped for {encoder})")))
    concepts = Concepts(read_taxonomy(find_bundle(shared / "esco", "en", "1.1.1")))
    esco = "held-out ESCO labels"
    golds = {"GitHub's topics": duplicates.github(shared / "extra"), esco: duplicates.esco(concepts)}
    result: dict[str, Any] = {"machine": machine(), "model_id": model.model_id}
    for name, sets in golds.items():
        result[name] = report(console, name, systems(sets, model, variants, fitted_on=name == esco))
    result["real"] = on_real(console, read_judged_pairs(shared / "noisy", "measure"), model, variants)
    listed = traps(concepts)
    scores = scores_of(listed, model, variants)
    thresholds = {variants.threshold, *(of[OURS]["threshold"] for name in golds if OURS in (of := result[name]))}
    result["traps"] = {str(at): trapped(console, listed, scores >= at, at) for at in sorted(thresholds)}
    save(out, result)


if __name__ == "__main__":
    typer.run(main)
