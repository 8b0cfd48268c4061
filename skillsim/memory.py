"""Memory: the lexicon's strings near a text vote, for a concept as well as for "title", "junk" or "no concept".

Computed when links are decided (a product of texts and some thousand strings): another lexicon costs no retrieval.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from skillsim.encoder import Encoder, Vectors
from skillsim.errors import ModelError
from skillsim.lexicon import Lexicon
from skillsim.ngrams import Floats, NgramView

# Chosen on folds of the judged strings (training/LOG.md).
NEIGHBOURS = 10
SHARPNESS = 12.0  # a vote weighs exp(SHARPNESS * cosine)
LEXICAL = 20  # nearest strings by character n-grams
NOBODY = 0.35  # cosine of a string that is always there and votes for nothing

VERDICTS = ("concept", "nil", "title", "junk", "multi")
ENTRIES = pa.schema(
    [
        ("text_key", pa.string()),
        ("text", pa.string()),
        ("verdict", pa.string()),  # one of VERDICTS
        ("concepts", pa.list_(pa.string())),  # best first
    ]
)

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Votes:
    """Of n texts; `lexical`, `strings`, `share`, `first` are (n, memory's concepts), `nearest`, `lexical_nearest`,
    `verdict` (n, VERDICTS).

    `lexical`: cosine over character n-grams to the nearest string of a concept, among the LEXICAL nearest; `strings`:
    how many strings have the concept. `share` and `first`: part of the vote of the NEIGHBOURS nearest that is for a
    concept at all, and as a string's best one. `nearest`, `lexical_nearest`, `verdict`: the same of the verdicts.
    `cosine`: (n, entries). `neighbours`: (n, NEIGHBOURS) entries, nearest first; one whose cosine is 0 or less does not
    vote.
    """

    lexical: Floats
    strings: Floats
    share: Floats
    first: Floats
    nearest: Floats
    lexical_nearest: Floats
    verdict: Floats
    cosine: Floats
    neighbours: Rows


class Memory:
    """Entries with vectors, bound to a taxonomy's concepts.

    `entries`: as ENTRIES. `matrix`: (entries, dimension) float32, unit rows. `concepts`: rows of the index of those
    that entries have, ascending.
    """

    def __init__(
        self, entries: pa.Table, matrix: Floats, concept_row: Mapping[str, int], ngrams: NgramView | None = None
    ) -> None:
        self.entries = entries
        self._ngrams = ngrams or (NgramView.fit(entries["text"].to_pylist()) if entries.num_rows else None)
        self.matrix = matrix.view(np.ndarray)
        self._concept_row = concept_row
        lists = entries["concepts"].to_pylist()
        entry = np.array([row for row, uris in enumerate(lists) for uri in uris if uri in concept_row], dtype=np.int64)
        rows = np.array([concept_row[uri] for uris in lists for uri in uris if uri in concept_row], dtype=np.int64)
        is_first = np.array([uri == uris[0] for uris in lists for uri in uris if uri in concept_row], dtype=bool)
        self.concepts, column = np.unique(rows, return_inverse=True)
        order = np.argsort(column, kind="stable")
        self._entry_of_pair, self._starts = entry[order], np.searchsorted(column[order], np.arange(len(self.concepts)))
        self._ends = np.append(self._starts[1:], len(entry))
        shape = (entries.num_rows, len(self.concepts))
        ones = np.ones(len(entry), dtype=np.float32)
        self._has = sparse.csr_matrix((ones, (entry, column)), shape=shape)
        self._has_first = sparse.csr_matrix((ones[is_first], (entry[is_first], column[is_first])), shape=shape)
        self._verdict = np.array(
            [VERDICTS.index(verdict) for verdict in entries["verdict"].to_pylist()], dtype=np.int64
        )
        self._is_of = sparse.csr_matrix(
            (np.ones(shape[0], dtype=np.float32), (np.arange(shape[0]), self._verdict)), shape=(shape[0], len(VERDICTS))
        )

    @staticmethod
    def of(lexicon: Lexicon, encoder: Encoder, concept_row: Mapping[str, int]) -> "Memory":
        """Embed a lexicon; an entry without a vector is left out. Raises ModelError where a device failed on one."""
        entries = memory_entries(lexicon)
        encoded = encoder.encode([entry.text for entry in lexicon.entries.values()])
        transient = sum(reason.startswith("device:") for reason in encoded.failures.values())
        if transient:
            raise ModelError(f"{transient} strings of the lexicon have no vector, as the device failed: try again")
        kept = [row for row in range(entries.num_rows) if row not in encoded.failures]
        return Memory(entries.take(pa.array(kept, pa.int64())), encoded.vectors[kept].astype(np.float32), concept_row)

    def votes(
        self, texts: Sequence[str], vectors: Vectors | Floats, left_out: sparse.csr_matrix | None = None
    ) -> Votes:
        """Of a block of texts; `left_out`: (n, entries), True where a text must not see an entry, as if not judged."""
        cosine, neighbours = self._neighbours(vectors, left_out)
        rows = np.arange(len(cosine))[:, None]
        near = cosine[rows, neighbours]
        weight = np.where(near > 0, np.exp(SHARPNESS * (near - 1)), np.float32(0))
        weight /= weight.sum(axis=1, keepdims=True) + np.float32(np.exp(SHARPNESS * (NOBODY - 1)))
        each = np.arange(len(cosine) + 1) * weight.shape[1]
        ballots = sparse.csr_matrix((weight.ravel(), neighbours.ravel(), each), shape=cosine.shape)
        nearest = np.stack(
            [cosine[:, self._verdict == verdict].max(axis=1, initial=0.0) for verdict in range(len(VERDICTS))], axis=1
        )
        lexical, lexical_nearest = self._lexical(texts, left_out)
        strings = np.broadcast_to(np.asarray(self._has.sum(axis=0)).ravel(), (len(cosine), len(self.concepts)))
        if left_out is not None:
            strings = strings - (left_out.astype(np.float32) @ self._has).toarray()
        return Votes(
            lexical,
            strings,
            (ballots @ self._has).toarray(),
            (ballots @ self._has_first).toarray(),
            nearest,
            lexical_nearest,
            (ballots @ self._is_of).toarray(),
            cosine,
            neighbours,
        )

    def _neighbours(self, vectors: Vectors | Floats, left_out: sparse.csr_matrix | None) -> tuple[Floats, Rows]:
        """Votes' `cosine` and `neighbours`."""
        import torch

        from skillsim.retrieval import top_columns

        query = torch.from_numpy(np.asarray(vectors, dtype=np.float32))
        matrix = torch.from_numpy(self.matrix.reshape(-1, query.shape[1]))  # an empty one has no width of its own
        cosine = (query @ matrix.T).numpy()
        if left_out is not None:
            cosine[left_out.nonzero()] = -1.0
        return cosine, top_columns(cosine, min(NEIGHBOURS, cosine.shape[1]))

    def near(
        self, texts: Sequence[str], vectors: Vectors | Floats, entries: Rows, lexically: float
    ) -> npt.NDArray[np.bool_]:
        """(n,): whether any of `entries` votes for a text of a block, or is at `lexically` or nearer by n-grams."""
        cosine, neighbours = self._neighbours(vectors, None)
        votes = np.isin(neighbours, entries) & (np.take_along_axis(cosine, neighbours, axis=1) > 0)
        found = np.asarray(votes.any(axis=1))
        if self._ngrams is None:
            return found
        nearest = self._ngrams.hits(texts, LEXICAL)[:, entries].max(axis=1).toarray().ravel()
        return np.asarray(found | (nearest >= lexically))

    def nearest_of(self, votes: Votes, text: Rows, column: Rows) -> Floats:
        """(pairs,): cosine of each text to the nearest string of the concept in `column`, 0 where that is negative."""
        if not len(text):
            return np.zeros(0, dtype=np.float32)
        lengths = self._ends[column] - self._starts[column]
        firsts = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self._starts[column] - firsts, lengths)
        cosine = votes.cosine[np.repeat(text, lengths), self._entry_of_pair[places]]
        return np.maximum(0, np.maximum.reduceat(cosine, firsts))

    def _lexical(self, texts: Sequence[str], left_out: sparse.csr_matrix | None) -> tuple[Floats, Floats]:
        """((n, concepts), (n, VERDICTS)): the best n-gram cosine."""
        by_concept = np.zeros((len(texts), len(self.concepts)), dtype=np.float32)
        by_verdict = np.zeros((len(texts), len(VERDICTS)), dtype=np.float32)
        if self._ngrams is None or not len(texts):
            return by_concept, by_verdict
        hits = self._ngrams.hits(texts, LEXICAL)
        if left_out is not None:
            hits = hits - hits.multiply(left_out)
        hits = hits.tocoo()
        np.maximum.at(by_verdict, (hits.row, self._verdict[hits.col]), hits.data)
        having = self._has[hits.col]
        pair = np.repeat(np.arange(len(hits.col)), np.diff(having.indptr))
        np.maximum.at(by_concept, (hits.row[pair], having.indices), hits.data[pair])
        return by_concept, by_verdict

    def without(self, text_keys: Collection[str]) -> "Memory":
        """To score strings as if they had not been judged."""
        left_out = set(text_keys)
        kept = [row for row, key in enumerate(self.entries["text_key"].to_pylist()) if key not in left_out]
        return Memory(self.entries.take(pa.array(kept, pa.int64())), self.matrix[kept], self._concept_row)

    def save(self, folder: Path) -> None:
        """Its files, into an empty folder (skillsim.artifacts.write)."""
        np.save(folder / "matrix.npy", self.matrix)
        if self._ngrams is not None:
            self._ngrams.save(folder)
        pq.write_table(self.entries, folder / "entries.parquet")

    @staticmethod
    def load(folder: Path, concept_row: Mapping[str, int]) -> "Memory":
        matrix = np.load(folder / "matrix.npy", mmap_mode="c")  # copy-on-write, since torch warns of read-only arrays
        entries = pq.read_table(folder / "entries.parquet")
        ngrams = NgramView.load(folder, entries.num_rows) if entries.num_rows else None
        return Memory(entries, matrix, concept_row, ngrams)


def memory_entries(lexicon: Lexicon) -> pa.Table:
    """ENTRIES of a lexicon, those too that are ambiguous: they vote, though they do not decide."""
    entries = lexicon.entries.values()
    verdicts = [e.kind if e.kind != "skill" else "concept" if e.concepts else "nil" for e in entries]
    columns = [list(lexicon.entries), [e.text for e in entries], verdicts, [e.concepts for e in entries]]
    return pa.table([pa.array(c, field.type) for c, field in zip(columns, ENTRIES, strict=True)], schema=ENTRIES)


def memory_name(taxonomy_id: str, model_id: str, lexicon_id: str) -> str:
    """Content address of what is saved."""
    return f"memory-{taxonomy_id}-{model_id}-{lexicon_id}"
