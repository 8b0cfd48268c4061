"""Fit the decision on the judged strings and say what it is worth:

    python -m training.decider JUDGED_FOLDER TAXONOMY [--out FILE] [--set section.key=value]

Scores come from grouped cross-validation (training.splits): no string is judged by a network that saw its fold, nor
with its own judgement, or a near-duplicate's, in memory. The file that is written was fitted on all strings; its
thresholds are those of the cross-validation.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import torch
import typer
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save_file

from skillsim.config import load_config
from skillsim.decider import BUILTIN, FittedFor, Judgement, judgement, logits, probabilities
from skillsim.esco import find_bundle
from skillsim.lexicon import KINDS
from skillsim.linking import ConceptNames, best_first, links_of
from skillsim.memory import Memory
from skillsim.metrics import ABSTAINED, Outcomes, Score, bootstrap_weights, cut_at_precision, linking_scores
from skillsim.normaliser import Normaliser
from skillsim.signals import CONTEXT, SIGNALS, Pool, pool
from skillsim.text import parse_mention
from training.judged import MEASURED, read_judged
from training.splits import FOLDS, near_duplicates, read_splits

# Chosen on the folds without V (training/LOG.md).
HIDDEN, HIDDEN_2, TEXT_HIDDEN = 48, 24, 24
MEMBERS = 3
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 16, 256, 3e-3, 1e-3
DROPOUT = 0.1
MEASURED_WEIGHT = 2.0  # of a string drawn at random, against one of the heads of lists
TARGET_PRECISION = 0.90
NIL_THRESHOLD = 0.1

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Examples:
    """`judged`: one row a text, with group, fold and validation. `right`: (pairs,) whether a pair is accepted."""

    judged: pd.DataFrame
    pool: Pool
    right: Bools
    kind: Rows
    weight: npt.NDArray[np.float32]

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
        return Examples(rows, found, self.right[pairs], self.kind[texts], self.weight[texts])


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
    weight = np.where(judged["stratum"].isin(MEASURED), MEASURED_WEIGHT, 1.0).astype(np.float32)
    return Examples(judged, pooled, right, np.array([KINDS.index(kind) for kind in judged["kind"]]), weight)


def fit(data: Examples, members: int = MEMBERS, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """The parameters of decider.logits."""
    torch.manual_seed(seed)
    parameters = _initial(data.pool, members)
    learned = [value for name, value in parameters.items() if value.requires_grad]
    steps = EPOCHS * -(-len(data.judged) // BATCH)
    optimiser = torch.optim.AdamW(learned, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    random = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = random.permutation(len(data.judged))
        for start in range(0, len(order), BATCH):
            mask = np.zeros(len(data.judged), dtype=bool)
            mask[order[start : start + BATCH]] = True
            loss = _loss(parameters, data.take(mask))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return {name: np.ascontiguousarray(value.detach().numpy()) for name, value in parameters.items()}


def _initial(found: Pool, members: int) -> dict[str, torch.Tensor]:
    signals, about = len(SIGNALS), len(CONTEXT)

    def layer(inputs: int, *outputs: int) -> torch.Tensor:
        return (torch.randn(members, inputs, *outputs) * (2 / inputs) ** 0.5).requires_grad_()

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(members, *shape, requires_grad=True)

    return {
        "signal_mean": torch.from_numpy(found.signals.mean(axis=0)),
        "signal_scale": torch.from_numpy(_scale(found.signals)),
        "context_mean": torch.from_numpy(found.context.mean(axis=0)),
        "context_scale": torch.from_numpy(_scale(found.context)),
        "pair_in": layer(signals, HIDDEN),
        "about_in": layer(about, HIDDEN),
        "pair_bias": zeros(HIDDEN),
        "pair_hidden": layer(HIDDEN, HIDDEN_2),
        "pair_hidden_bias": zeros(HIDDEN_2),
        "pair_out": layer(HIDDEN_2),
        "text_in": layer(about, TEXT_HIDDEN),
        "text_bias": zeros(TEXT_HIDDEN),
        "text_out": layer(TEXT_HIDDEN, 1 + len(KINDS)),
        "text_out_bias": zeros(1 + len(KINDS)),
    }


def _scale(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Standard deviations; 1 for what hardly varies, else a rare value would stand a thousand deviations off."""
    deviation = values.std(axis=0)
    return np.where(deviation < 0.05, np.float32(1), deviation)


def _loss(parameters: Mapping[str, torch.Tensor], batch: Examples) -> torch.Tensor:
    """-log of what the softmax gives to the accepted candidates, or to "none" where there is none; plus the kind's."""
    found = batch.pool
    text = torch.from_numpy(found.text)
    signals, context = torch.from_numpy(found.signals), torch.from_numpy(found.context)
    signals = torch.where(torch.rand_like(signals) < DROPOUT, parameters["signal_mean"], signals)
    pairs, none, kinds = logits(parameters, signals, context, text)
    pairs, none = pairs.clamp(-30, 30), none.clamp(-30, 30)
    right = torch.from_numpy(batch.right)[:, None]
    total = torch.zeros_like(none).index_add(0, text, pairs.exp()) + none.exp()
    good = torch.zeros_like(none).index_add(0, text, pairs.exp() * right)
    has = torch.zeros(len(none), 1).index_add(0, text, right.float()) > 0
    choice = total.log() - torch.where(has, good, none.exp()).log()
    kind = torch.nn.functional.cross_entropy(
        kinds.flatten(0, 1), torch.from_numpy(batch.kind).repeat_interleave(kinds.shape[1]), reduction="none"
    ).view(kinds.shape[:2])
    weight = torch.from_numpy(batch.weight)[:, None]
    return (weight * (choice + kind)).mean()


def cross_validate(data: Examples) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(pairs,) and (texts, KINDS) probabilities, each by a network that did not see the text's fold."""
    probability = np.zeros(len(data.right), dtype=np.float32)
    kinds = np.zeros((len(data.judged), len(KINDS)), dtype=np.float32)
    for fold in range(FOLDS):
        held_out = (data.judged["fold"] == fold).to_numpy()
        parameters = fit(data.take(~held_out), seed=fold)
        probability[held_out[data.pool.text]], kinds[held_out] = probabilities(parameters, data.take(held_out).pool)
    return probability, kinds


@dataclass(frozen=True)
class _Judged:
    """A decider that has judged already, under thresholds to be scored."""

    threshold: float
    nil_threshold: float
    calibrated: bool = True
    decider_id: str = "cross-validated"

    def judge(self, texts: pa.Table, index: object, memory: object) -> Judgement:
        raise NotImplementedError


def outcomes(
    data: Examples, judgement: Judgement, names: ConceptNames, thresholds: tuple[float, float], top_k: int = 12
) -> Outcomes:
    """What `decide` makes of the judgement, held against the judged strings; none has an entry in the lexicon."""
    judged = data.judged
    nothing = [None] * len(judged)
    texts = pa.table(
        {"text_key": judged["text_key"], "occupation_uri": _titles(data), **dict.fromkeys(_OTHERS, nothing)}
    )
    links = links_of(texts, judgement, _Judged(*thresholds), names).to_pandas()
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
    scored = measured & np.isfinite(found.confidence)
    brier, curve = reliability(found.confidence[scored], (found.linked & found.top_accepted)[scored])
    console.print(f"Brier score {brier:.4f}\n{curve.round(3)}")
    bundle = find_bundle(taxonomy, config.taxonomy.language, "1.1.1")
    model_id, top_k = normaliser.encoder.model_id, normaliser.top_k
    fitted_for = FittedFor(model_id, bundle.language, bundle.family, top_k, config.linking.builtin_lexicon)
    metadata = {"fitted_for": json.dumps(asdict(fitted_for)), "thresholds": json.dumps([threshold, NIL_THRESHOLD])}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(fit(data), out, metadata=metadata)
    console.print(f"{out}: {out.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
