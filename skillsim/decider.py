"""Who judges candidates: the plain score, or what was fitted on judged strings.

Both give a confidence to each candidate of a text; what status follows from it is `skillsim.linking`'s. The fitted one
is gradient boosted trees over the signals of (text, candidate) pairs, and a logistic regression of a text's kind. It
holds for the encoder, language and family of taxonomies that it was fitted for: elsewhere signals are spread otherwise.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from safetensors import SafetensorError, safe_open
from scipy.special import expit, softmax

from skillsim.config import Config
from skillsim.encoder import unpack_vectors
from skillsim.errors import DeciderError
from skillsim.esco_bundle import Bundle
from skillsim.lexicon import KINDS
from skillsim.memory import Memory
from skillsim.model_files import BUILTIN, SMALL
from skillsim.retrieval import LabelIndex
from skillsim.signals import SIGNALS_VERSION, Pool, pool
from skillsim.trees import Trees

# By encoder.model; a run takes the one that holds for it.
SHIPPED = {name: Path(str(files("skillsim") / "data" / "decider" / f"{name}.safetensors")) for name in (BUILTIN, SMALL)}
PLAIN_VERSION = 1
# Raised whenever skillsim.linking would make other links of the same judgement: what stands is not decided again.
RULES_VERSION = 1
THRESHOLD, NIL_THRESHOLD = 0.8, 0.5  # of the plain score (training/LOG.md)

Array = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Parameters = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Judgement:
    """Of n texts. Pairs, by text and then `uri`: `text` (row), `confidence` in 0..1, `sole_preferred`, `is_label`.

    `calibrated`: whether a confidence is the probability of being right. `kind` and `kind_probability` of each text;
    None and nan where they were not told apart.
    """

    text: npt.NDArray[np.int64]
    uri: npt.NDArray[np.object_]
    confidence: npt.NDArray[np.float64]
    sole_preferred: Bools
    is_label: Bools
    kind: Sequence[str | None]
    kind_probability: npt.NDArray[np.float64]
    calibrated: bool


class Rule(Protocol):
    """From confidence to status. `decider_id` changes whenever a decision could; `calibrated`: see Judgement."""

    @property
    def threshold(self) -> float: ...

    @property
    def nil_threshold(self) -> float: ...

    @property
    def calibrated(self) -> bool: ...

    @property
    def decider_id(self) -> str: ...


class Decider(Rule, Protocol):
    """A rule that gives the confidences too; a calibrated one needs a memory."""

    def judge(self, texts: pa.Table, index: LabelIndex | None, memory: Memory | None) -> Judgement: ...


@dataclass(frozen=True)
class Weights:
    """Of the plain score, a weighted mean of signals in 0..1; chosen as retrieval.FUSION was (training/LOG.md)."""

    cosine: float = 1.0
    preferred_cosine: float = 0.3
    ngram: float = 0.2
    occupations: float = 0.2  # log(1 + occupations) / log(1 + MANY_OCCUPATIONS), at most 1


MANY_OCCUPATIONS = 2_000


@dataclass(frozen=True)
class PlainDecider:
    """A weighted mean of the raw signals, for any encoder and taxonomy. Not calibrated."""

    threshold: float = THRESHOLD
    nil_threshold: float = NIL_THRESHOLD
    weights: Weights = Weights()
    calibrated: bool = False

    @property
    def decider_id(self) -> str:
        parts = [PLAIN_VERSION, RULES_VERSION, self.threshold, self.nil_threshold]
        parts += [getattr(self.weights, field.name) for field in fields(self.weights)]
        return f"plain{PLAIN_VERSION}-{_hash(parts)}"

    def judge(self, texts: pa.Table, index: LabelIndex | None = None, memory: Memory | None = None) -> Judgement:
        lists = texts["candidates"].combine_chunks()
        flat = lists.flatten()
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        pairs = pa.table([np.repeat(np.arange(len(lengths)), lengths), flat.field("concept_uri")], ["text", "uri"])
        order = pc.sort_indices(pairs, [("text", "ascending"), ("uri", "ascending")])
        flat, pairs = flat.take(order), pairs.take(order)
        return Judgement(
            pairs["text"].to_numpy(),
            np.array(pairs["uri"].to_pylist(), dtype=object),
            self.score(flat),
            _is_sole_preferred(flat),
            pc.is_valid(pc.struct_field(flat, "exact")).to_numpy(zero_copy_only=False),
            [None] * len(lengths),
            np.full(len(lengths), np.nan),
            False,
        )

    def score(self, candidates: pa.StructArray) -> npt.NDArray[np.float64]:
        """Score in 0..1 of each candidate (flat CANDIDATE structs)."""
        signal = {
            name: pc.struct_field(candidates, name).to_numpy(zero_copy_only=False).astype(np.float64)
            for name in ("cosine", "preferred_cosine", "ngram", "occupations")
        }
        signal["occupations"] = np.minimum(1.0, np.log1p(signal["occupations"]) / np.log1p(MANY_OCCUPATIONS))
        weight = {name: getattr(self.weights, name) for name in signal}
        total = sum(weight[name] * np.clip(signal[name], 0.0, 1.0) for name in signal)
        score = np.asarray(total / sum(weight.values()))
        score[_is_sole_preferred(candidates)] = 1.0
        return score


def _is_sole_preferred(candidates: pa.StructArray) -> Bools:
    exact = pc.struct_field(candidates, "exact")
    sole = pc.and_(pc.equal(exact, "preferred"), pc.equal(pc.struct_field(candidates, "sharers"), 1))
    return pc.fill_null(sole, False).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class FittedFor:
    """What a fitted decider holds for."""

    model_id: str
    language: str
    family: str  # of taxonomies (Bundle.family)
    top_k: int
    builtin_lexicon: bool
    signals_version: int = SIGNALS_VERSION

    def differs(self, run: "FittedFor") -> list[str]:
        """In words."""
        return [
            f"{field.name} is {getattr(run, field.name)}, fitted for {getattr(self, field.name)}"
            for field in fields(self)
            if getattr(run, field.name) != getattr(self, field.name)
        ]


@dataclass(frozen=True)
class FittedDecider:
    """What a file by training.decider holds, with thresholds of the probability; executors get it whole."""

    parameters: Parameters = field(repr=False, compare=False)
    digest: str
    fitted_for: FittedFor
    threshold: float
    nil_threshold: float
    calibrated: bool = True

    @property
    def decider_id(self) -> str:
        return f"fitted-{_hash([self.digest, RULES_VERSION, self.threshold, self.nil_threshold])}"

    @cached_property
    def _trees(self) -> Trees:
        return Trees(self.parameters)

    @staticmethod
    def load(path: str | Path) -> "FittedDecider":
        """With the thresholds it was written with. Raises DeciderError for another file."""
        try:
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            fitted_for = FittedFor(**json.loads(metadata["fitted_for"]))
            threshold, nil_threshold = map(float, json.loads(metadata["thresholds"]))
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DeciderError(f"linking.decider {path} is no fitted decision ({error}): fit one, {FIT}.") from error
        return FittedDecider(parameters, digest, fitted_for, threshold, nil_threshold)

    def judge(self, texts: pa.Table, index: LabelIndex | None, memory: Memory | None) -> Judgement:
        """`texts` as in linking.decide, with `text` and `vector`; those without a vector have no pairs."""
        assert index is not None
        assert memory is not None
        nothing = np.zeros(index.matrix.shape[1], dtype="<f2").tobytes()
        found = pool(index, memory, texts, unpack_vectors(pc.fill_null(texts["vector"], nothing)))
        judged = judgement(index, found, *probabilities(self.parameters, found, self._trees))
        lacking = texts["vector"].is_null().to_numpy()
        kind = [None if lacks else one for one, lacks in zip(judged.kind, lacking, strict=True)]
        return replace(judged, kind=kind, kind_probability=np.where(lacking, np.nan, judged.kind_probability))


def judgement(index: LabelIndex, found: Pool, probability: Array, kinds: Array) -> Judgement:
    """Of what `probabilities` gives."""
    exact = [found.column(f"exact_{name}") > 0 for name in ("preferred", "alternative", "hidden")]
    best = kinds.argmax(axis=1)
    return Judgement(
        found.text,
        np.array(index.concept_uris.to_pylist(), dtype=object)[found.concept],
        probability.astype(np.float64),
        exact[0] & (found.column("sharers") < np.log(2.5)),  # log(1 + 1) of a sole one
        np.logical_or.reduce(exact),
        [KINDS[one] for one in best],
        kinds[np.arange(len(kinds)), best].astype(np.float64),
        True,
    )


def _thresholds(given: Sequence[float | None], own: Sequence[float]) -> tuple[float, float]:
    """What is given, else a decider's own."""
    at, nil_at = (float(one if one is not None else other) for one, other in zip(given, own, strict=True))
    if nil_at > at:
        raise DeciderError(f"linking.nil_threshold {nil_at} is above linking.threshold {at}: set both.")
    return at, nil_at


FIT = "by `python -m training.decider`"


def choose_decider(config: Config, bundle: Bundle, model_id: str) -> tuple[Decider, list[str]]:
    """The decider of a run, and where it is not the fitted one, why.

    Raises DeciderError for a file of the user's own that does not hold for the run; the project's gives way instead.
    """
    wanted = config.linking
    given = (wanted.threshold, wanted.nil_threshold)
    reasons: list[str] = []
    if wanted.decider != "plain":
        run = FittedFor(model_id, bundle.language, bundle.family, config.retrieval.top_k, wanted.builtin_lexicon)
        paths = SHIPPED.values() if wanted.decider == "auto" else [wanted.decider]
        fitted = min(map(FittedDecider.load, paths), key=lambda one: len(one.fitted_for.differs(run)))
        said = "; ".join(fitted.fitted_for.differs(run))
        if not said:
            threshold, nil_threshold = _thresholds(given, (fitted.threshold, fitted.nil_threshold))
            return replace(fitted, threshold=threshold, nil_threshold=nil_threshold), []
        if wanted.decider != "auto":
            raise DeciderError(f"linking.decider {wanted.decider} was fitted for another run ({said}): fit it, {FIT}.")
        reasons.append(f"the decision is not calibrated here ({said}): fit it, {FIT}")
    return PlainDecider(*_thresholds(given, (THRESHOLD, NIL_THRESHOLD))), reasons


def probabilities(parameters: Parameters, found: Pool, trees: Trees | None = None) -> tuple[Array, Array]:
    """((pairs,) probability of each pair to be right, (texts, KINDS) of each kind); `trees`: those of `parameters`."""
    rows = np.concatenate([found.signals, found.context[found.text]], axis=1)
    kinds = (found.context - parameters["kind_mean"]) / parameters["kind_scale"]
    kinds = kinds @ parameters["kind_weight"] + parameters["kind_bias"]
    right = expit((trees or Trees(parameters)).log_odds(rows))
    return right.astype(np.float32), softmax(kinds, axis=1).astype(np.float32)


def _hash(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
