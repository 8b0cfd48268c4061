"""What each view, each family of signals and each part of the lexicon is worth to the fitted decision:

    python -m training.ablation JUDGED_FOLDER TAXONOMY [--set section.key=value]

Every line is a cross-validation of its own, as in training.decider; gains are paired by string, with a 95% interval by
bootstrap. A view that is dropped finds no candidates either.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from skillsim.config import load_config
from skillsim.decider import judgement
from skillsim.linking import ConceptNames
from skillsim.memory import VERDICTS, Memory
from skillsim.metrics import Outcomes, bootstrap_weights, linking_scores, paired_difference
from skillsim.normaliser import Normaliser
from skillsim.retrieval import FUSION
from skillsim.signals import CONTEXT, SIGNALS
from training.examples import Examples, examples, with_memory
from training.judged import MEASURED, read_judged
from training.splits import with_folds
from training.validation import cross_validate, outcomes

_DENSE_MEMORY = (
    *("memory", "memory_gap", "share", "share_gap", "first", "strings"),
    *(f"{what}_{verdict}" for what in ("nearest", "votes") for verdict in VERDICTS),
)
_LEXICAL_MEMORY = ("lexical", "lexical_gap", *(f"lexical_{verdict}" for verdict in VERDICTS))
_DENSE = ("cosine", "cosine_gap", "best_cosine", "cosine_margin")
_PREFERRED = ("preferred_cosine", "preferred_gap")
SHARES = (0.0, 0.1, 0.25, 0.5)  # of the lexicon
TOP_K = 12


@dataclass(frozen=True)
class Variant:
    """What is dropped: `views` of retrieval (FUSION), columns of signals and context, memory's own candidates."""

    name: str
    dropped: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    remembered: bool = True


VARIANTS = (
    Variant("everything"),
    Variant("no dense view", (*_DENSE, *_PREFERRED), ("cosine", "preferred_cosine")),
    Variant("no cosine to the preferred label", _PREFERRED, ("preferred_cosine",)),
    Variant("no n-gram view", ("ngram", "ngram_gap"), ("ngram",)),
    Variant("no count of occupations", ("occupations",), ("occupations",)),
    Variant("no exact hits", ("exact_preferred", "exact_alternative", "exact_hidden", "sharers", "is_label")),
    Variant("no occupation titles", ("is_title",)),
    Variant("no lengths", ("label_length", "length", "words")),
    Variant("no fused order", ("fused", "fused_gap", "fused_rank", "best_fused", "fused_margin")),
    Variant("no lexical memory", _LEXICAL_MEMORY),
    Variant("no dense memory", _DENSE_MEMORY),
    Variant("no memory at all", (*_DENSE_MEMORY, *_LEXICAL_MEMORY, "retrieved"), remembered=False),
)


@contextmanager
def without_views(views: tuple[str, ...]) -> Iterator[None]:
    """Retrieval and the fused order without these."""
    with patch.dict(FUSION, dict.fromkeys(views, 0.0)):
        yield


def without(data: Examples, variant: Variant) -> Examples:
    """The pairs that are left, with what is dropped constant."""
    found = data.pool
    signals, context = found.signals.copy(), found.context.copy()
    for name in variant.dropped:
        columns, names = (signals, SIGNALS) if name in SIGNALS else (context, CONTEXT)
        columns[:, names.index(name)] = 0
    kept = np.ones(len(data.right), dtype=bool) if variant.remembered else found.column("retrieved") > 0
    text = found.text[kept]
    starts = np.searchsorted(text, np.arange(len(data.judged) + 1))
    left = replace(found, text=text, concept=found.concept[kept], signals=signals[kept], context=context, starts=starts)
    return replace(data, pool=left, right=data.right[kept])


def cross_validated(data: Examples, variant: Variant, normaliser: Normaliser, names: ConceptNames) -> Outcomes:
    left = without(data, variant)
    exact = replace(left, pool=replace(left.pool, signals=data.pool.signals)) if variant.remembered else left
    judged_by = judgement(normaliser.index, exact.pool, *cross_validate(left))
    return outcomes(left, judged_by, names, (0.0, 0.0), TOP_K)


def smaller(memory: Memory, share: float, concept_row: dict[str, int]) -> Memory:
    """A random part of the memory, the same every time; larger parts hold the smaller ones."""
    order = np.random.default_rng(0).permutation(memory.entries.num_rows)
    kept = np.sort(order[: round(share * len(order))])
    return Memory(memory.entries.take(pa.array(kept)), memory.matrix[kept], concept_row)


def found_by_view(judged: pd.DataFrame, normaliser: Normaliser) -> dict[str, np.ndarray]:
    """Whether an accepted concept is among the first TOP_K of each view alone, and of the fused order."""
    texts, keys = judged["text"].tolist(), judged["text_key"].tolist()
    vectors = normaliser.encoder.encode(texts).vectors
    found = {}
    for view in (*FUSION, "fused"):
        with without_views(tuple(name for name in FUSION if view not in (name, "fused"))):
            lists = normaliser.index.candidates(texts, keys, vectors, TOP_K).candidates.to_pylist()
        uris = [{candidate["concept_uri"] for candidate in candidates} for candidates in lists]
        found[view] = np.array([not u.isdisjoint(a) for u, a in zip(uris, judged["accepted"], strict=True)])
    return found


def row(name: str, found: Outcomes, base: Outcomes, judged: pd.DataFrame) -> list[str]:
    """Scores on the frequency and uniform strata, and what is lost in acc@1."""
    cells: list[str] = [name]
    for stratum in sorted(MEASURED):
        rows = (judged["stratum"] == stratum).to_numpy()
        of, weights = found.take(rows), bootstrap_weights(int(rows.sum()))
        scores = linking_scores(of, weights)
        shown = ("acc@1", "candidates", "recall@P>=0.90", "recall@P>=0.80")
        cells.append(" ".join(f"{scores[one].value:.3f}".lstrip("0") for one in shown))
        less = paired_difference(of.top_accepted, base.take(rows).top_accepted, of.linked, weights)
        cells.append(f"{less.value:+.3f} [{less.low:+.2f}, {less.high:+.2f}]")
    return cells


def main(folder: Path, taxonomy: Path, settings: list[str] = typer.Option([], "--set")) -> None:
    """Cross-validate each variant."""
    config = load_config(None, ["linking.decider=plain", *settings])
    normaliser = with_memory(taxonomy, config)
    memory, concept_row = normaliser.memory, normaliser.index.concept_row
    assert memory is not None
    judged = with_folds(read_judged(folder))
    names, console = ConceptNames.from_table(normaliser.index.concepts), Console(width=160)
    linked = (judged["status"] == "linked").to_numpy()
    for view, hits in found_by_view(judged, normaliser).items():
        of = {stratum: linked & (judged["stratum"] == stratum).to_numpy() for stratum in sorted(MEASURED)}
        console.print(
            f"{view}: in {TOP_K} " + ", ".join(f"{name} {hits[rows].mean():.3f}" for name, rows in of.items())
        )

    heads = [f"{one}: acc@1, in {TOP_K}, R@.90, R@.80|less everything" for one in sorted(MEASURED)]
    table = Table("", *(head for pair in heads for head in pair.split("|")))
    base: Outcomes | None = None
    for variant in VARIANTS:
        with without_views(variant.views):
            data = examples(judged, normaliser)
            found = cross_validated(data, variant, normaliser, names)
        base = base or found
        table.add_row(*(cells := row(variant.name, found, base, judged)))
        console.print(*cells, sep=" | ")
    for share in SHARES:
        data = examples(judged, replace(normaliser, memory=smaller(memory, share, concept_row)))
        found = cross_validated(data, VARIANTS[0], normaliser, names)
        assert base is not None
        table.add_row(*(cells := row(f"{share:.0%} of the lexicon", found, base, judged)))
        console.print(*cells, sep=" | ")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
