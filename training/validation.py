"""What a decision is worth, by grouped cross-validation, and against another on the same strings."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from skillsim.decider import Judgement, judgement, probabilities
from skillsim.lexicon import KINDS
from skillsim.linking import ConceptNames, best_first, links_of
from skillsim.metrics import (
    ABSTAINED,
    Outcomes,
    Score,
    bootstrap_weights,
    cut_at_precision,
    linking_scores,
    paired_difference,
    recall_difference,
)
from skillsim.normaliser import Normaliser
from skillsim.signals import CONTEXT
from skillsim.text import parse_mention
from training.examples import Bools, Examples
from training.fitting import fit
from training.judged import MEASURED
from training.splits import FOLDS

TARGET_PRECISION = 0.90
NIL_THRESHOLD = 0.1


def cross_validate(data: Examples) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(pairs,) and (texts, KINDS) probabilities, each by a decision that did not see the text's fold."""
    probability = np.zeros(len(data.right), dtype=np.float32)
    kinds = np.zeros((len(data.judged), len(KINDS)), dtype=np.float32)
    for fold in range(FOLDS):
        held_out = (data.judged["fold"] == fold).to_numpy()
        parameters = fit(data.take(~held_out), seed=fold)
        probability[held_out[data.pool.text]], kinds[held_out] = probabilities(parameters, data.take(held_out).pool)
    return probability, kinds


@dataclass(frozen=True)
class _Rule:
    """Thresholds to be scored."""

    threshold: float
    nil_threshold: float
    calibrated: bool = True
    decider_id: str = "cross-validated"


def outcomes(
    data: Examples, judgement: Judgement, names: ConceptNames, thresholds: tuple[float, float], top_k: int = 12
) -> Outcomes:
    """What `decide` makes of the judgement, held against the judged strings; none has an entry in the lexicon."""
    judged = data.judged
    nothing = [None] * len(judged)
    texts = pa.table(
        {"text_key": judged["text_key"], "occupation_uri": _titles(data), **dict.fromkeys(_OTHERS, nothing)}
    )
    links = links_of(texts, judgement, _Rule(*thresholds), names).to_pandas()
    ranked = [judgement.uri[pairs] for pairs in best_first(judgement, len(judged))]
    rejected = np.array([parse_mention(raw).text is None for raw in judged["raw"]])
    top = [uris[0] if len(uris) else None for uris in ranked]
    linked = (judged["status"] == "linked").to_numpy()
    confidence = links["score"].astype(float).to_numpy(copy=True)
    confidence[(links["status"] == "not_skill").to_numpy() | rejected] = ABSTAINED

    def holds(of: pd.Series) -> Bools:
        return np.array([uri in uris for uri, uris in zip(top, of, strict=True)], dtype=bool) & ~rejected

    return Outcomes(
        linked=linked,
        has_exact=linked & judged["exact"].map(bool).to_numpy(),
        top_accepted=holds(judged["accepted"]),
        top_exact=holds(judged["exact"]),
        candidate_accepted=np.array(
            [not set(uris[:top_k]).isdisjoint(a) for uris, a in zip(ranked, judged["accepted"], strict=True)],
            dtype=bool,
        ),
        confidence=confidence,
        matched=(links["status"] == "matched").to_numpy() & ~rejected,
        title=(judged["kind"] == "title").to_numpy(),
        junk=(judged["kind"] == "junk").to_numpy(),
    )


def _titles(data: Examples) -> list[str | None]:
    return ["title" if one else None for one in data.pool.context[:, CONTEXT.index("is_title")] > 0]


_OTHERS = ("failure", "entry", "override")
SCORES = (
    "acc@1",
    "candidates",
    "recall@P>=0.90",
    "recall@P>=0.80",
    "precision",
    "recall",
    "titles linked",
    "junk linked",
)


def scores(found: Outcomes, rows: Mapping[str, Bools]) -> dict[str, dict[str, Score]]:
    """By part of the judged strings and name of the score."""
    return {part: linking_scores(found.take(of), bootstrap_weights(int(of.sum()))) for part, of in rows.items()}


def parts(judged: pd.DataFrame) -> dict[str, Bools]:
    """The measured strata, and V's share of each."""
    of = {stratum: (judged["stratum"] == stratum).to_numpy() for stratum in MEASURED}
    return {**of, **{f"V {stratum}": rows & judged["validation"].to_numpy() for stratum, rows in of.items()}}


def threshold_of(found: Outcomes, rows: Bools) -> float:
    """From which TARGET_PRECISION holds among what the decision would match; 1 where it never does."""
    among = found.take(rows)
    once = np.ones((1, int(rows.sum())), dtype=np.int64)
    correct = among.linked & among.top_accepted
    return float(min(cut_at_precision(among.confidence, correct, among.linked, TARGET_PRECISION, once).threshold[0], 1))


def show(console: Console, title: str, by_part: Mapping[str, Mapping[str, Score]]) -> None:
    table = Table("", *by_part, title=title)
    for name in (name for name in SCORES if name in next(iter(by_part.values()))):
        cells = (of[name] for of in by_part.values())
        table.add_row(name, *(f"{one.value:.3f} [{one.low:.2f}, {one.high:.2f}] n {one.n}" for one in cells))
    console.print(table)


def reliability(probability: npt.NDArray[np.float64], right: Bools) -> tuple[float, pd.DataFrame]:
    """(Brier score, calibration curve in tenths: strings, mean probability, share that is right)."""
    tenth = np.minimum((probability * 10).astype(int), 9)
    curve = pd.DataFrame({"tenth": tenth, "probability": probability, "right": right}).groupby("tenth")
    return float(np.mean((probability - right) ** 2)), curve.agg(
        strings=("right", "size"), probability=("probability", "mean"), right=("right", "mean")
    )


@dataclass(frozen=True)
class Validated:
    """A decision's cross-validation: what it made of each example, at the threshold that it found."""

    data: Examples
    threshold: float
    found: Outcomes

    @staticmethod
    def of(data: Examples, normaliser: Normaliser) -> "Validated":
        judged_by = judgement(normaliser.index, data.pool, *cross_validate(data))
        names = ConceptNames.from_table(normaliser.index.concepts)
        threshold = threshold_of(outcomes(data, judged_by, names, (0.0, 0.0)), measured(data.judged))
        return Validated(data, threshold, outcomes(data, judged_by, names, (threshold, NIL_THRESHOLD)))

    def show(self, console: Console) -> None:
        """Scores by part, Brier score and calibration curve."""
        judged, found = self.data.judged, self.found
        show(console, f"cross-validated, threshold {self.threshold:.3f}", scores(found, parts(judged)))
        right = found.linked & found.top_accepted
        every = measured(judged)
        for part, of in (("all", every), ("V", every & judged["validation"].to_numpy())):
            scored = of & np.isfinite(found.confidence)
            brier, curve = reliability(found.confidence[scored], right[scored])
            console.print(f"Brier score, {part}: {brier:.4f}\n{curve.round(3)}")


def measured(judged: pd.DataFrame) -> Bools:
    return judged["stratum"].isin(MEASURED).to_numpy()


def gains(ours: Validated, theirs: Validated) -> dict[str, dict[str, Score]]:
    """By part: ours less theirs, of the same strings drawn together."""
    order = pd.Series(range(len(theirs.data.judged)), index=theirs.data.judged["text_key"])
    same = np.array(order.loc[ours.data.judged["text_key"]], dtype=np.int64)
    found: dict[str, dict[str, Score]] = {}
    for part, rows in parts(ours.data.judged).items():
        a, b = ours.found.take(rows), theirs.found.take(same[rows])
        weights = bootstrap_weights(int(rows.sum()))
        found[part] = {
            "acc@1": paired_difference(a.top_accepted, b.top_accepted, a.linked, weights),
            "candidates": paired_difference(a.candidate_accepted, b.candidate_accepted, a.linked, weights),
        }
        for at_least in (0.90, 0.80):
            found[part][f"recall@P>={at_least:.2f}"] = recall_difference(a, b, at_least, weights)
    return found
