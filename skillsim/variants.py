"""Whether two texts are variants of one skill, by a decision that was fitted on what pairs look like. No Spark.

The cosine of two texts says that they speak of one thing, and says so of "day shifts" and "night shifts" too. So a
pair is also compared word by word (skillsim.pair_features): what is left over on one side or on both tells variants
from neighbours, and so does whether words that differ replace one another elsewhere. Texts that differ in words which
are opposites never join each other; both may join one that says neither.

A word more in a name is something narrower ("project management", "construction project management"), in a phrase of a
taxonomy it often is the same said at length; so that phrases and names have a decision each. A list of labels, each
meant to be one skill, has a decision of its own, which takes all pairs for phrases; and as one list is full of
duplicates and another has hardly any, its threshold is moved by how many there seem to be.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from scipy.special import expit, logit

from skillsim.config import LEAST_SCORE, Config
from skillsim.errors import DeciderError
from skillsim.model_files import BUILTIN
from skillsim.pair_features import FEATURES, Words, are_phrases, features
from skillsim.trees import Trees

_FOLDER = Path(str(files("skillsim") / "data" / "variants"))
# By clusters.texts, by encoder.model.
SHIPPED_FOR = {
    "mentions": {BUILTIN: _FOLDER / f"{BUILTIN}.safetensors"},
    "labels": {BUILTIN: _FOLDER / f"{BUILTIN}_labels.safetensors"},
}
SHIPPED = SHIPPED_FOR["mentions"]
METADATA = "variants"
FIT = "by `python -m training.variants` or, for labels, `python -m training.label_variants`"
PHRASES, NAMES = "phrases", "names"
_OPPOSITES = FEATURES.index("opposites")
_ROUNDS, _AS_FITTED = 200, 20.0  # of the estimate of a rate; pairs that it is drawn to the fitted rate by
_SUREST = 0.99  # a list without any duplicates would take the threshold to 1, and nothing said of what is most alike

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Variants:
    """A fitted decision.

    `parameters`: of skillsim.trees, named "phrases/..." and "names/..."; `threshold`: the score from which two texts
    are one skill; `keep`: pairs with less are not kept; `floor`: the cosine below which a pair is not looked at unless
    its letters are alike; `variants_id`: of all but the threshold; `rate`: the share of kept pairs that are one skill
    where it was fitted, None for a threshold that is not to be moved. A decision for labels has no names.
    """

    parameters: Mapping[str, npt.NDArray[Any]]
    words: Words
    threshold: float
    keep: float
    floor: float
    model_id: str  # whose cosines it was fitted on
    variants_id: str = "not saved"
    rate: float | None = None

    @staticmethod
    def load(path: Path) -> "Variants":
        """What training.variants wrote. Raises DeciderError for another file, and for one of other features."""
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            with safe_open(str(path), framework="numpy") as file:
                told = json.loads((file.metadata() or {})[METADATA])
                parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if tuple(told["features"]) != FEATURES:
                raise ValueError("it was fitted on other features")
            for of in (PHRASES,) if "rate" in told else (PHRASES, NAMES):
                _trees(parameters, of)
            threshold, floor, model_id = (told[name] for name in ("threshold", "floor", "model_id"))
            words = Words(**told["words"])
            rate = told.get("rate")
            return Variants(parameters, words, threshold, LEAST_SCORE, floor, model_id, digest[:12], rate)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DeciderError(
                f"clusters.decision {path} is no fitted decision on variants ({error}). Give none, auto, or a file: "
                f"fit one, {FIT}."
            ) from error

    @cached_property
    def _phrases(self) -> Trees:
        return _trees(self.parameters, PHRASES)

    @cached_property
    def _names(self) -> Trees | None:
        return _trees(self.parameters, NAMES) if f"{NAMES}/baseline" in self.parameters else None

    def score(self, left: Sequence[str], right: Sequence[str], cosine: Floats) -> npt.NDArray[np.float64]:
        """(pairs,): how sure it is that two texts are variants of one skill, 0..1."""
        rows = features(left, right, cosine, self.words)
        odds = self._phrases.log_odds(rows) if self._names is None else np.empty(len(rows))
        if self._names is not None:
            phrases = are_phrases(rows)
            odds[phrases], odds[~phrases] = self._phrases.log_odds(rows[phrases]), self._names.log_odds(rows[~phrases])
        return np.where(rows[:, _OPPOSITES] > 0, 0.0, expit(odds))

    def threshold_among(self, scores: npt.ArrayLike, counts: npt.ArrayLike) -> float:
        """The threshold in a list whose kept pairs have these scores, so many each.

        A score is right where as many pairs are one skill as where it was fitted. Where they are fewer, the share is
        estimated by expectation maximisation (Saerens, Latinne and Decaestecker, Neural Computation 2002), and the
        threshold is the score that says there what the fitted one says here. It is never lowered, as a list that
        is full of variants of one skill looks fuller than it is (training/LOG.md), nor raised above _SUREST.
        """
        if self.rate is None:
            return self.threshold
        odds = logit(np.clip(np.asarray(scores, float), 1e-6, 1 - 1e-6)) - logit(self.rate)
        each, rate = np.asarray(counts, float), self.rate
        for _ in range(_ROUNDS):
            rate = float((each @ expit(odds + logit(rate)) + _AS_FITTED * self.rate) / (each.sum() + _AS_FITTED))
        moved = float(expit(logit(self.threshold) + max(0.0, logit(self.rate) - logit(rate))))
        return max(self.threshold, min(_SUREST, moved))


def _trees(parameters: Mapping[str, npt.NDArray[Any]], of: str) -> Trees:
    """Raises KeyError where some are missing."""
    begins = f"{of}/"
    return Trees({name.removeprefix(begins): one for name, one in parameters.items() if name.startswith(begins)})


def choose_variants(config: Config, model_id: str) -> tuple[Variants | None, str]:
    """The decision on variants of a run; or none, and why where none was not asked for.

    Raises DeciderError for a file of the user's own that does not hold for the run's encoder.
    """
    wanted = config.clusters
    if wanted.decision == "none":
        return None, ""
    auto = wanted.decision == "auto"
    path = SHIPPED_FOR[wanted.texts].get(config.encoder.model) if auto else Path(wanted.decision).expanduser()
    found = Variants.load(path) if path else None
    if found is None or found.model_id != model_id:
        if not auto:
            raise DeciderError(f"clusters.decision {path} was not fitted on vectors of {model_id}: fit one, {FIT}.")
        return None, f"no decision on variants is fitted for vectors of {model_id}: fit one, {FIT}"
    return (found if wanted.threshold is None else replace(found, threshold=wanted.threshold, rate=None)), ""
