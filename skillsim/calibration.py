"""From judged strings to a threshold: the confidence from which a stated precision holds, and how sure that is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skillsim.errors import JudgedError
from skillsim.metrics import ABSTAINED, Outcomes, Score, bootstrap_weights, cut_at_precision, share

LEAST_ROWS = 200  # below that an interval says nothing


@dataclass(frozen=True)
class Threshold:
    """Matching from `threshold` on finds `recall` of the linkable strings at `reached`, a precision of `precision` or
    more; inf where none reaches it. `low` and `high`: the 95% bootstrap interval of the threshold."""

    precision: float
    threshold: float
    low: float
    high: float
    reached: Score
    recall: Score


def calibrate(outcomes: Outcomes, precisions: tuple[float, ...], draws: int = 2_000) -> list[Threshold]:
    """A threshold for each precision. Raises JudgedError for fewer than LEAST_ROWS strings."""
    strings = len(outcomes.linked)
    if strings < LEAST_ROWS:
        raise JudgedError(f"{strings} judged strings are too few to calibrate on: judge {LEAST_ROWS} or more.")
    weights = bootstrap_weights(strings, draws)
    correct = outcomes.linked & outcomes.top_accepted
    found = []
    for precision in precisions:
        cut = cut_at_precision(outcomes.confidence, correct, outcomes.linked, precision, weights)
        threshold = float(cut.threshold[0])
        answered = outcomes.confidence >= threshold
        low, high = np.quantile(cut.threshold[1:], (0.025, 0.975), method="nearest")
        reached = Score.of(share(correct, answered, weights), int(answered.sum()))
        recall = Score.of(share(correct & answered, outcomes.linked, weights), int(outcomes.linked.sum()))
        found.append(Threshold(precision, threshold, float(low), float(high), reached, recall))
    return found


def precision_recall(outcomes: Outcomes) -> npt.NDArray[np.float64]:
    """(distinct confidences, 3): threshold, precision and recall from it on; highest threshold first."""
    correct = outcomes.linked & outcomes.top_accepted
    thresholds = np.unique(outcomes.confidence[outcomes.confidence > ABSTAINED])[::-1]
    answered = outcomes.confidence[None, :] >= thresholds[:, None]
    right = (answered & correct).sum(axis=1)
    return np.column_stack([thresholds, right / answered.sum(axis=1), right / max(1, int(outcomes.linked.sum()))])


def draw(outcomes: Outcomes, thresholds: list[Threshold], path: Path) -> None:
    """The precision-recall curve with the thresholds, as the format that `path` ends in. Needs skillsim[charts]."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise JudgedError(f"--chart needs matplotlib: pip install 'skillsim[charts]' ({problem}).") from problem
    curve = precision_recall(outcomes)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve[:, 2], curve[:, 1], drawstyle="steps-post")
    for one in thresholds:
        if np.isfinite(one.threshold):
            axes.plot(one.recall.value, one.reached.value, "o", color="black")
            place = (one.recall.value, one.reached.value)
            axes.annotate(f" {one.threshold:.2f}", place, va="bottom")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="thresholds on judged strings")
    axes.grid(alpha=0.3)
    figure.savefig(path)
