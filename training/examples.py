"""What a decision is fitted on: pools of judged texts, each as if it had not been judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from skillsim.config import Config
from skillsim.errors import TrainingError
from skillsim.lexicon import KINDS
from skillsim.memory import Memory
from skillsim.normaliser import Normaliser
from skillsim.signals import Pool, pool
from training.splits import FOLDS, near_duplicates
from training.trained import folds_unseen

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

    @staticmethod
    def together(parts: Sequence["Examples"]) -> "Examples":
        """One after the other."""
        firsts = np.cumsum([0, *(len(part.judged) for part in parts)])
        text = np.concatenate([part.pool.text + first for part, first in zip(parts, firsts, strict=False)])
        found = Pool(
            text,
            np.concatenate([part.pool.concept for part in parts]),
            np.concatenate([part.pool.signals for part in parts]),
            np.concatenate([part.pool.context for part in parts]),
            np.searchsorted(text, np.arange(firsts[-1] + 1)),
        )
        judged = pd.concat([part.judged for part in parts], ignore_index=True)
        right, kind = (np.concatenate([getattr(part, of) for part in parts]) for of in ("right", "kind"))
        return Examples(judged, found, right, kind)


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


def with_memory(taxonomy: Path, config: Config) -> Normaliser:
    """A normaliser that remembers the lexicon, whatever decides."""
    normaliser = Normaliser.from_esco(taxonomy, version="1.1.1", config=config)
    memory = Memory.of(normaliser.lexicon, normaliser.encoder, normaliser.index.concept_row)
    return replace(normaliser, memory=memory)


def cross_fitted(judged: pd.DataFrame, taxonomy: Path, config: Config, trained: Sequence[Path]) -> Examples:
    """Examples whose vectors come from encoders that did not learn from the text's fold.

    Each folder of `trained` is one that training.train wrote. Raises TrainingError for a fold that all learnt from.
    """
    left, parts = set(range(FOLDS)), []
    for folder in trained:
        folds = folds_unseen(folder) & left
        if not folds:
            continue
        left -= folds
        rows = judged[judged["fold"].isin(folds)].reset_index(drop=True)
        settings = config.encoder.model_copy(update={"model": str(folder / "model")})
        parts.append(examples(rows, with_memory(taxonomy, config.model_copy(update={"encoder": settings}))))
    if left:
        raise TrainingError(
            f"all encoders learnt from fold {', '.join(map(str, sorted(left)))}: train one --without-fold them."
        )
    return Examples.together(parts)
