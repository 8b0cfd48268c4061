"""Fit the decision on the judged strings and say what it is worth:

    python -m training.decider JUDGED_FOLDER TAXONOMY [--out FILE] [--set section.key=value]

Scores come from grouped cross-validation (training.splits): no string is judged by a decision that saw its fold, nor
with its own judgement, or a near-duplicate's, in memory. The file that is written was fitted on all strings; its
thresholds are those of the cross-validation.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save_file
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skillsim.config import load_config
from skillsim.decider import BUILTIN, FittedFor, Judgement, judgement, probabilities
from skillsim.esco import find_bundle
from skillsim.lexicon import KINDS
from skillsim.linking import ConceptNames, best_first, links_of
from skillsim.memory import Memory
from skillsim.metrics import ABSTAINED, Outcomes, Score, bootstrap_weights, cut_at_precision, linking_scores
from skillsim.normaliser import Normaliser
from skillsim.signals import CONTEXT, Pool, pool
from skillsim.text import parse_mention
from training.judged import MEASURED, read_judged
from training.splits import FOLDS, near_duplicates, read_splits

# Chosen by cross-validation, where differences stayed within the noise (training/LOG.md).
TREES = {
    "max_iter": 150,
    "learning_rate": 0.08,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 40,
    "l2_regularization": 2.0,
    "max_features": 0.5,
}
KIND_C = 0.1  # inverse strength of the kind's penalty
TARGET_PRECISION = 0.90
NIL_THRESHOLD = 0.1

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Examples:
    """`judged`: one row a text, with fold and validation. `right`: whether a pair is accepted; `kind`: row in KINDS."""

    judged: pd.DataFrame
    pool: Pool
    right: Bools
    kind: Rows

    def take(self, texts: Bools) -> "Examples":
        """The texts where `texts` holds."""
        pairs = texts[self.pool.text]
        new = np.cumsum(texts) - 1
        text = new[self.pool.text[pairs]]
        found = Pool(
            text,
            self.pool.concept[pairs],
            self.pool.signals[pairs],
            self.pool.context[texts],
            np.searchsorted(text, np.arange(texts.sum() + 1)),
        )
        rows = self.judged[texts].reset_index(drop=True)
        return Examples(rows, found, self.right[pairs], self.kind[texts])


def examples(judged: pd.DataFrame, normaliser: Normaliser) -> Examples:
    """Pools of the judged texts, each without its own entry and its near-duplicates' in memory."""
    index, memory = normaliser.index, normaliser.memory
    assert memory is not None
    known = [normaliser.lexicon.entries[key].text for key in memory.entries["text_key"].to_pylist()]
    left_out = near_duplicates([*judged["text"], *known])[: len(judged), len(judged) :]
    texts, keys = judged["text"].tolist(), judged["text_key"].tolist()
    vectors = normaliser.encoder.encode(texts).vectors
    found = index.candidates(texts, keys, vectors, normaliser.top_k)
    table = pa.table({"text": texts, "candidates": found.candidates, "occupation_uri": found.occupation_uri})
    pooled = pool(index, memory, table, vectors, left_out)
    accepted = [{index.concept_row.get(uri, -1) for uri in uris} for uris in judged["accepted"]]
    right = np.array([c in accepted[t] for t, c in zip(pooled.text.tolist(), pooled.concept.tolist(), strict=True)])
    return Examples(judged, pooled, right, np.array([KINDS.index(kind) for kind in judged["kind"]]))


def fit(data: Examples, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """What decider.probabilities reads."""
    found = data.pool
    trees = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=seed)
    trees.fit(np.concatenate([found.signals, found.context[found.text]], axis=1), data.right)
    about = StandardScaler().fit(found.context)
    kinds = LogisticRegression(C=KIND_C, max_iter=2_000).fit(about.transform(found.context), data.kind)
    weight = np.zeros((found.context.shape[1], len(KINDS)))
    bias = np.full(len(KINDS), -30.0)  # a kind that no string has
    weight[:, kinds.classes_], bias[kinds.classes_] = _of_each_class(kinds)
    scale = np.asarray(about.scale_)
    return tree_arrays(trees) | {
        "kind_mean": np.asarray(about.mean_, dtype=np.float32),
        "kind_scale": scale.astype(np.float32),
        "kind_weight": weight.astype(np.float32),
        "kind_bias": bias.astype(np.float32),
    }


def _of_each_class(model: LogisticRegression) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights and biases of a softmax; of two classes scikit-learn keeps the second's alone."""
    weight, bias = model.coef_.T, model.intercept_
    return (weight, bias) if len(model.classes_) > 2 else (np.hstack([0 * weight, weight]), np.array([0.0, bias[0]]))


def tree_arrays(model: HistGradientBoostingClassifier) -> dict[str, npt.NDArray[Any]]:
    """(trees, nodes) arrays of a fitted model, that no version of scikit-learn is needed to read; a leaf is its own
    child."""
    trees = [predictor.nodes for (predictor,) in model._predictors]
    shape = len(trees), max(map(len, trees))
    own = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
    arrays: dict[str, npt.NDArray[Any]] = {
        "tree_feature": np.zeros(shape, np.int32),
        "tree_threshold": np.zeros(shape, np.float64),
        "tree_left": own.copy(),
        "tree_right": own.copy(),
        "tree_value": np.zeros(shape, np.float64),
        "baseline": np.array(float(np.ravel(model._baseline_prediction)[0])),
    }
    for row, nodes in enumerate(trees):
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        for name, of in (
            ("feature", "feature_idx"),
            ("threshold", "num_threshold"),
            ("left", "left"),
            ("right", "right"),
        ):
            arrays[f"tree_{name}"][row, inner] = nodes[of][inner]
        leaves = np.flatnonzero(nodes["is_leaf"])
        arrays["tree_value"][row, leaves] = nodes["value"][leaves]
    return arrays


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
    for name in SCORES:
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


def main(folder: Path, taxonomy: Path, out: Path = BUILTIN, settings: list[str] = typer.Option([], "--set")) -> None:
    """Cross-validate, fit, write."""
    config = load_config(None, ["linking.decider=plain", *settings])
    normaliser = Normaliser.from_esco(taxonomy, version="1.1.1", config=config)
    memory = Memory.of(normaliser.lexicon, normaliser.encoder, normaliser.index.concept_row)
    judged = read_judged(folder).drop_duplicates("text_key").join(read_splits(), on="text_key").reset_index(drop=True)
    data = examples(judged, replace(normaliser, memory=memory))
    judged_by = judgement(normaliser.index, data.pool, *cross_validate(data))
    names = ConceptNames.from_table(normaliser.index.concepts)
    rows = parts(judged)
    measured = rows["uniform"] | rows["frequency"]
    threshold = threshold_of(outcomes(data, judged_by, names, (0.0, 0.0)), measured)
    found = outcomes(data, judged_by, names, (threshold, NIL_THRESHOLD))
    console = Console()
    show(console, f"cross-validated, threshold {threshold:.3f}", scores(found, rows))
    right = found.linked & found.top_accepted
    for part, of in (("all", measured), ("V", measured & judged["validation"].to_numpy())):
        scored = of & np.isfinite(found.confidence)
        brier, curve = reliability(found.confidence[scored], right[scored])
        console.print(f"Brier score, {part}: {brier:.4f}\n{curve.round(3)}")
    bundle = find_bundle(taxonomy, config.taxonomy.language, "1.1.1")
    model_id, top_k = normaliser.encoder.model_id, normaliser.top_k
    fitted_for = FittedFor(model_id, bundle.language, bundle.family, top_k, config.linking.builtin_lexicon)
    metadata = {"fitted_for": json.dumps(asdict(fitted_for)), "thresholds": json.dumps([threshold, NIL_THRESHOLD])}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(fit(data), out, metadata=metadata)
    console.print(f"{out}: {out.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
