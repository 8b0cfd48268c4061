"""What a decision is made on: of each (text, candidate) pair SIGNALS, of each text CONTEXT.

The pool of a text: the candidates that retrieval kept, and the concepts that memory's nearest strings have. Everything
here is recomputed whenever links are decided: the costly part, retrieval's raw signals, comes from `candidates`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from skillsim.encoder import Vectors
from skillsim.memory import VERDICTS, Memory, Votes
from skillsim.ngrams import Floats
from skillsim.retrieval import FUSION, KINDS, LabelIndex

# Raised whenever the same input would give other signals: a fitted decider is of one version.
SIGNALS_VERSION = 1

SIGNALS = (
    *("cosine", "preferred_cosine", "ngram", "fused"),
    *("cosine_gap", "preferred_gap", "ngram_gap", "fused_gap"),  # to the best of the text's pool, so 0 or less
    *("fused_rank", "retrieved"),
    *("exact_preferred", "exact_alternative", "exact_hidden", "sharers"),
    *("occupations", "label_length"),
    *("memory", "memory_gap", "share", "share_gap", "first", "strings", "lexical", "lexical_gap"),
)
CONTEXT = (
    *("best_cosine", "cosine_margin", "best_fused", "fused_margin"),
    *(f"nearest_{verdict}" for verdict in VERDICTS),
    *(f"votes_{verdict}" for verdict in VERDICTS),
    *(f"lexical_{verdict}" for verdict in VERDICTS),
    *("is_title", "is_label", "length", "words"),
)
LEXICALLY_NEAR = 0.4  # from which a judged string's concepts are candidates
_BLOCK = 256

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """Pairs of n texts, by text and then by concept's URI.

    `text`, `concept`: (pairs,) row of the text, row of the index's concepts. `signals`: (pairs, SIGNALS). `context`:
    (n, CONTEXT). `starts`: (n + 1,) where the pairs of each text begin.
    """

    text: Rows
    concept: Rows
    signals: Floats
    context: Floats
    starts: Rows

    def column(self, name: str) -> Floats:
        return self.signals[:, SIGNALS.index(name)]


def pool(
    index: LabelIndex,
    memory: Memory,
    texts: pa.Table,
    vectors: Vectors,
    left_out: sparse.csr_matrix | None = None,
) -> Pool:
    """The pool of `texts` (text, candidates, occupation_uri), whose vectors are (n, dimension), 0 where there is none.

    `left_out`: as in Memory.votes.
    """
    parts = [
        _pool(
            index,
            memory,
            texts.slice(start, _BLOCK),
            np.asarray(vectors[start : start + _BLOCK], dtype=np.float32),
            left_out[start : start + _BLOCK] if left_out is not None else None,
        )
        for start in range(0, texts.num_rows, _BLOCK)
    ]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        empty = np.zeros((0, len(SIGNALS)), dtype=np.float32)
        return Pool(none, none, empty, np.zeros((0, len(CONTEXT)), dtype=np.float32), np.zeros(1, dtype=np.int64))
    text = np.concatenate([part.text + block * _BLOCK for block, part in enumerate(parts)])
    return Pool(
        text,
        np.concatenate([part.concept for part in parts]),
        np.concatenate([part.signals for part in parts]),
        np.concatenate([part.context for part in parts]),
        np.searchsorted(text, np.arange(texts.num_rows + 1)),
    )


def _pool(
    index: LabelIndex, memory: Memory, texts: pa.Table, query: Floats, left_out: sparse.csr_matrix | None
) -> Pool:
    lists = texts["candidates"].combine_chunks()
    flat = lists.flatten()
    kept_text = np.repeat(
        np.arange(len(lists)), pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    )
    kept = pc.index_in(pc.struct_field(flat, "concept_uri"), value_set=index.concept_uris).to_numpy()
    votes = memory.votes(texts["text"].to_pylist(), query, left_out)
    voted = ((votes.share > 0) | (votes.lexical >= LEXICALLY_NEAR)) & query.any(axis=1, keepdims=True)
    text, concept, place = _union(kept_text, kept.astype(np.int64), memory.concepts, voted)
    signals = {name: np.zeros(len(text), dtype=np.float32) for name in SIGNALS}
    _retrieved(signals, index, flat, place, text, concept, query)
    _remembered(signals, memory, votes, text, concept)
    starts = np.searchsorted(text, np.arange(len(lists) + 1))
    signals["fused"] = fused(signals)
    for gap, of in (("cosine", "cosine"), ("preferred", "preferred_cosine"), ("ngram", "ngram"), ("fused", "fused")):
        signals[f"{gap}_gap"] = signals[of] - _best(signals[of], starts)[text]
    for name in ("memory", "share", "lexical"):
        signals[f"{name}_gap"] = signals[name] - _best(signals[name], starts)[text]
    signals["fused_rank"] = np.log1p(_rank(signals["fused"], text, starts)).astype(np.float32)
    lengths = pc.utf8_length(texts["text"]).to_numpy().astype(np.float32)
    signals["label_length"] = np.log(index.preferred_length[concept] / lengths[text])
    columns = np.stack([signals[name] for name in SIGNALS], axis=1)
    return Pool(text, concept, columns, _context(texts, signals, votes, starts, lengths), starts)


def _union(kept_text: Rows, kept: Rows, remembered: Rows, voted: npt.NDArray[np.bool_]) -> tuple[Rows, Rows, Rows]:
    """(text, concept, place among the kept or -1) of all pairs, by text and concept.

    `voted`: (texts, concepts in `remembered`).
    """
    voted_text, column = np.nonzero(voted)
    text = np.concatenate([kept_text, voted_text])
    concept = np.concatenate([kept, remembered[column]])
    place = np.concatenate([np.arange(len(kept)), np.full(len(column), -1)])
    order = np.lexsort((place < 0, concept, text))
    text, concept, place = text[order], concept[order], place[order]
    first = np.ones(len(text), dtype=bool)
    first[1:] = (text[1:] != text[:-1]) | (concept[1:] != concept[:-1])
    return text[first], concept[first], place[first]


def _retrieved(
    signals: dict[str, Floats],
    index: LabelIndex,
    flat: pa.StructArray,
    place: Rows,
    text: Rows,
    concept: Rows,
    query: Floats,
) -> None:
    """Retrieval's raw signals, and for what memory adds the cosines that retrieval would have found."""
    there = place >= 0
    for name in ("cosine", "preferred_cosine", "ngram"):
        signals[name][there] = pc.struct_field(flat, name).to_numpy(zero_copy_only=False)[place[there]]
    added = np.flatnonzero(~there)
    signals["cosine"][added], signals["preferred_cosine"][added] = index.cosines(query[text[added]], concept[added])
    exact = pc.struct_field(flat, "exact")
    for kind in KINDS:
        equal = pc.fill_null(pc.equal(exact, kind), False).to_numpy(zero_copy_only=False)
        signals[f"exact_{kind}"][there] = equal[place[there]]
    sharers = pc.struct_field(flat, "sharers").to_numpy(zero_copy_only=False)
    signals["sharers"][there] = np.log1p(sharers[place[there]])
    signals["retrieved"][:] = there
    signals["occupations"][:] = np.log1p(index.occupations[concept])


def fused(signals: dict[str, Floats]) -> Floats:
    """Retrieval's order (FUSION) of any pair."""
    weights = np.array(list(FUSION.values()), dtype=np.float32)
    return np.asarray(weights @ np.stack([signals[name] for name in FUSION]), dtype=np.float32)


def _remembered(signals: dict[str, Floats], memory: Memory, votes: Votes, text: Rows, concept: Rows) -> None:
    if not len(memory.concepts):
        return
    column = np.minimum(np.searchsorted(memory.concepts, concept), len(memory.concepts) - 1)
    known = memory.concepts[column] == concept
    at = (text[known], column[known])
    signals["memory"][known] = memory.nearest_of(votes, *at)
    for name, values in (("share", votes.share), ("first", votes.first), ("lexical", votes.lexical)):
        signals[name][known] = values[at]
    signals["strings"][known] = np.log1p(votes.strings[at])


def _best(values: Floats, starts: Rows) -> Floats:
    """Of each text; 0 where it has no pair."""
    best = np.zeros(len(starts) - 1, dtype=np.float32)
    some = np.diff(starts) > 0
    best[some] = np.maximum.reduceat(values, starts[:-1][some])
    return best


def _rank(values: Floats, text: Rows, starts: Rows) -> Rows:
    """Place of each pair in its text's order, from 0; of equals the lower URI first."""
    order = np.lexsort((-values, text))
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values)) - starts[text]
    return rank


def _margin(values: Floats, starts: Rows) -> tuple[Floats, Floats]:
    """(best, best less the second) of each text."""
    best = _best(values, starts)
    text = np.repeat(np.arange(len(best)), np.diff(starts))
    others = np.where(_rank(values, text, starts) == 0, -np.inf, values)
    second = np.maximum(_best(np.maximum(others, 0), starts), 0)
    return best, best - second


def _context(texts: pa.Table, signals: dict[str, Floats], votes: Votes, starts: Rows, lengths: Floats) -> Floats:
    is_label = signals["exact_preferred"] + signals["exact_alternative"] + signals["exact_hidden"]
    columns = [
        *_margin(signals["cosine"], starts),
        *_margin(signals["fused"], starts),
        *votes.nearest.T,
        *votes.verdict.T,
        *votes.lexical_nearest.T,
        texts["occupation_uri"].is_valid().to_numpy(),
        _best(is_label, starts),
        np.log(lengths),
        np.log1p(pc.count_substring(texts["text"], " ").to_numpy()),
    ]
    return np.stack(columns, axis=1).astype(np.float32)
