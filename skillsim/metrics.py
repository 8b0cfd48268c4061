"""Scores of a linking system on judged strings, with bootstrap intervals.

Every score is computed for all rows of `weights` at once: (draws, n) counts of how often each string was
drawn. `bootstrap_weights` makes them; its first row is all ones, so that `values[0]` is the score itself and
the rest are its bootstrap draws (Efron and Tibshirani, percentile interval).
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ABSTAINED = -np.inf
PRECISIONS = (0.95, 0.90, 0.80)


@dataclass(frozen=True)
class Outcomes:
    """What came of n judged strings: arrays of one length, disputed strings left out.

    A string that is not `linked` has no concept by judgement (nil). The system's top concept counts whatever
    its status; `confidence` ranks it, `ABSTAINED` where the system gives no concept at any threshold.
    """

    linked: Bools
    has_exact: Bools  # linked, and some concept means exactly the same
    top_accepted: Bools  # the top concept is exact or broad
    top_exact: Bools
    candidate_accepted: Bools  # any candidate is exact or broad
    confidence: Floats
    matched: Bools  # by the system's own threshold
    title: Bools
    junk: Bools

    def take(self, rows: Bools | Counts) -> "Outcomes":
        """The strings where `rows` holds, or those rows in their order."""
        return Outcomes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Score:
    """A value, its 95% interval, and the number of strings it is a share of."""

    value: float
    low: float
    high: float
    n: int

    @staticmethod
    def of(values: Floats, n: int) -> "Score":
        """From the score itself (`values[0]`) and its draws; draws without a value (nan) are left out."""
        drawn = values[1:][~np.isnan(values[1:])]
        low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (np.nan, np.nan)
        return Score(float(values[0]), float(low), float(high), n)


def bootstrap_weights(n: int, draws: int = 2_000, seed: int = 0) -> Counts:
    """(1 + draws, n): ones, then how often each of n strings is drawn in n draws with replacement."""
    ones = np.ones((1, n), dtype=np.int64)
    if n == 0:
        return np.repeat(ones, 1 + draws, axis=0)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    return np.concatenate([ones, drawn.astype(np.int64)])


def share(hits: Bools, among: Bools, weights: Counts) -> Floats:
    """Share of `hits` among the strings `among`; nan where none was drawn."""
    total = weights @ among.astype(np.int64)
    found = weights @ (hits & among).astype(np.int64)
    return np.divide(found, total, out=np.full(len(weights), np.nan), where=total > 0)


@dataclass(frozen=True)
class Cut:
    """Where a ranking is cut, for each row of weights: answer from `threshold` on, and find `recall`."""

    recall: Floats
    threshold: Floats  # inf where no cut reaches the precision


def cut_at_precision(confidence: Floats, correct: Bools, linked: Bools, at_least: float, weights: Counts) -> Cut:
    """The cut of the confidence ranking with the highest recall whose precision is `at_least`.

    Equal confidences are answered together or not at all. Precision = correct / answered, recall = correct /
    linked; of cuts with equal recall the highest threshold. The cut is made anew in each row of weights.
    """
    order = np.argsort(-confidence, kind="stable")
    order = order[confidence[order] > ABSTAINED]
    ranked = confidence[order]
    last_of_tie = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else order
    answered = np.cumsum(weights[:, order], axis=1)[:, last_of_tie]
    right = np.cumsum(weights[:, order] * correct[order], axis=1)[:, last_of_tie]
    reached = (answered > 0) & (right >= at_least * answered - 1e-9)
    found = np.where(reached, right, -1)
    if not found.shape[1]:
        found = np.full((len(weights), 1), -1)
    best = found.argmax(axis=1)
    most = found[np.arange(len(weights)), best]
    total = weights @ linked.astype(np.int64)
    recall = np.divide(np.maximum(most, 0), total, out=np.full(len(weights), np.nan), where=total > 0)
    thresholds = np.append(ranked[last_of_tie], np.inf)
    return Cut(recall, np.where(most >= 0, thresholds[best], np.inf))


def recall_difference(ours: Outcomes, other: Outcomes, at_least: float, weights: Counts) -> Score:
    """Ours minus another's recall at a precision, on the same strings drawn together, each cut by itself."""
    one, two = (
        cut_at_precision(of.confidence, of.linked & of.top_accepted, of.linked, at_least, weights).recall
        for of in (ours, other)
    )
    return Score.of(one - two, int(ours.linked.sum()))


def linking_scores(outcomes: Outcomes, weights: Counts) -> dict[str, Score]:
    """All scores of a system, by name; each one's `n` is its denominator in the unweighted strings."""
    o = outcomes
    correct = o.linked & o.top_accepted

    def scored(hits: Bools, among: Bools) -> Score:
        return Score.of(share(hits, among, weights), int(among.sum()))

    scores = {
        "acc@1": scored(o.top_accepted, o.linked),
        "exact@1": scored(o.top_exact, o.has_exact),
        "candidates": scored(o.candidate_accepted, o.linked),
        "precision": scored(correct, o.matched),
        "recall": scored(o.top_accepted & o.matched, o.linked),
    }
    for at_least in PRECISIONS:
        cut = cut_at_precision(o.confidence, correct, o.linked, at_least, weights)
        scores[f"recall@P>={at_least:.2f}"] = Score.of(cut.recall, int(o.linked.sum()))
    scores["titles linked"] = scored(o.matched, o.title)
    scores["junk linked"] = scored(o.matched, o.junk)
    return scores


def paired_difference(ours: Bools, theirs: Bools, among: Bools, weights: Counts) -> Score:
    """Share of `ours` minus share of `theirs` among the same strings, drawn together."""
    return Score.of(share(ours, among, weights) - share(theirs, among, weights), int(among.sum()))
