"""Text and vector to candidate concepts with their raw signals; wide, kept, never thresholded.

Two views see every label of the taxonomy. Dense: cosine to each label vector, an exact blocked product. Lexical:
TF-IDF over character n-grams, since encoders miss typos and acronyms. A concept's signal in a view is the best
over its labels. The views are fused into one order (`FUSION`), of which the first `top_k` are kept; concepts that have
the very text as a label come before all others. Deciding is left to `skillsim.linking`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skillsim.encoder import Vectors
from skillsim.ngrams import NGRAM_SETTINGS, NGRAM_TOP_LABELS, Floats, NgramView
from skillsim.schemas import CANDIDATE

RETRIEVAL_VERSION = 2
# Raised when the files of a saved index change.
INDEX_FORMAT = 2

# Weights of the fused order, chosen on skill2vec_train's uniform and frequency strata (training/LOG.md).
FUSION = {"cosine": 1.0, "preferred_cosine": 0.3, "ngram": 0.2, "occupations": 0.025}
EXACT_FIRST = 10.0  # added to the fused score of a concept that has the very text as a label
# One product is of 256 texts and about 1,024 labels: 1 MB, which stays in the cache until it is reduced to concepts.
_BLOCK = 256
_LABELS = 1024
_ALIKE = np.float32(1e-5)  # cosines nearer than this differ by rounding

KINDS = ("preferred", "alternative", "hidden")


def retrieval_id(top_k: int) -> str:
    """Part of the key of `candidates`: changes with this module's version and settings."""
    return f"r{RETRIEVAL_VERSION}-{_hash([NGRAM_SETTINGS, FUSION, NGRAM_TOP_LABELS, top_k])}"


def index_id(taxonomy_id: str, model_id: str) -> str:
    """Content address of the label index of one taxonomy under one model."""
    return f"index-{taxonomy_id}-{model_id}-{_hash([RETRIEVAL_VERSION, INDEX_FORMAT, NGRAM_SETTINGS])}"


def _hash(settings: list[Any]) -> str:
    return hashlib.sha256(json.dumps(settings, default=str).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Candidates:
    """For n texts: `candidates`, a list array of CANDIDATE structs, best first; `occupation_uri` or null."""

    candidates: pa.ListArray
    occupation_uri: pa.StringArray


class LabelIndex:
    """The label vectors and n-grams of one taxonomy, on disk, memory-mapped so that workers share them.

    `concepts`: concept_uri, preferred_label, group_uri, group_label, occupations; sorted by URI.
    `labels`: concept (row of `concepts`), kind, label, text, text_key; sorted by concept, preferred first. Where the
    preferred label has no vector it is not there, and the concept's `preferred_cosine` is 0.
    `matrix`: (labels, dimension) float32, unit rows.
    """

    def __init__(
        self, concepts: pa.Table, labels: pa.Table, titles: pa.Table, matrix: Floats, ngrams: NgramView
    ) -> None:
        self.concepts = concepts
        self.labels = labels
        self.titles = titles
        self.matrix = matrix.view(np.ndarray)  # slices of a memmap are slow
        self.ngrams = ngrams
        self._concept_of_label = labels["concept"].to_numpy()
        self._starts = np.searchsorted(self._concept_of_label, np.arange(concepts.num_rows))
        self._ends = np.append(self._starts[1:], labels.num_rows)
        self._has_preferred = pc.equal(labels["kind"], "preferred").to_numpy()[self._starts]
        self.concept_uris = concepts["concept_uri"].combine_chunks()
        self.occupations = concepts["occupations"].to_numpy()
        self._prior = FUSION["occupations"] * np.log1p(self.occupations).astype(np.float32)

    @staticmethod
    def build(
        concepts: pa.Table, labels: pa.Table, relations: pa.Table, occupations: pa.Table, vectors: Vectors
    ) -> "LabelIndex":
        """From the taxonomy tables (skillsim.schemas) and the vectors of `labels`' rows."""
        labelled = pc.is_in(concepts["concept_uri"], value_set=labels["concept_uri"].combine_chunks().unique())
        concepts = concepts.filter(labelled).sort_by("concept_uri")
        row_of = {uri: row for row, uri in enumerate(concepts["concept_uri"].to_pylist())}
        used = np.zeros(len(row_of), dtype=np.int32)
        occupation_uris = set(occupations["occupation_uri"].to_pylist())
        for subject, target in zip(
            relations["subject_uri"].to_pylist(), relations["object_uri"].to_pylist(), strict=True
        ):
            if subject in occupation_uris and target in row_of:
                used[row_of[target]] += 1
        concept = np.array([row_of[uri] for uri in labels["concept_uri"].to_pylist()], dtype=np.int32)
        rank = np.array([KINDS.index(kind) for kind in labels["kind"].to_pylist()])
        order = np.lexsort((labels["text"].to_numpy(zero_copy_only=False), rank, concept))
        sorted_labels = labels.select(["kind", "label", "text", "text_key"]).take(order)
        texts = sorted_labels["text"].to_pylist()
        return LabelIndex(
            concepts.select(["concept_uri", "preferred_label", "group_uri", "group_label"]).append_column(
                "occupations", pa.array(used)
            ),
            sorted_labels.append_column("concept", pa.array(concept[order])),
            title_table(occupations),
            vectors[order].astype(np.float32),
            NgramView.fit(texts),
        )

    def only(self, concept_uris: Sequence[str]) -> "LabelIndex":
        """Of these concepts alone, with the n-grams' weights as they are."""
        wanted = pc.is_in(self.concept_uris, value_set=pa.array(concept_uris, pa.string()))
        concept = np.flatnonzero(wanted.to_numpy(zero_copy_only=False))
        label = np.flatnonzero(np.isin(self._concept_of_label, concept))
        of = pa.array(np.searchsorted(concept, self._concept_of_label[label]).astype(np.int32))
        labels = self.labels.drop_columns(["concept"]).take(pa.array(label)).append_column("concept", of)
        concepts = self.concepts.take(pa.array(concept))
        return LabelIndex(concepts, labels, self.titles, self.matrix[label], self.ngrams.only(label))

    def save(self, folder: Path) -> None:
        """Its files, into an empty folder (skillsim.artifacts.write)."""
        np.save(folder / "matrix.npy", self.matrix)
        for name in ("concepts", "labels", "titles"):
            pq.write_table(getattr(self, name), folder / f"{name}.parquet")
        self.ngrams.save(folder)

    @staticmethod
    def load(folder: Path) -> "LabelIndex":
        """Memory-map a saved index: matrix and n-grams are shared by all processes of the host."""
        tables = {name: pq.read_table(folder / f"{name}.parquet") for name in ("concepts", "labels", "titles")}
        # Copy-on-write, since torch warns of read-only arrays; nothing writes to it.
        matrix = np.load(folder / "matrix.npy", mmap_mode="c")
        return LabelIndex(**tables, matrix=matrix, ngrams=NgramView.load(folder, tables["labels"].num_rows))

    @cached_property
    def _exact(self) -> dict[str, list[tuple[int, int]]]:
        """text_key -> (concept row, label row) of every label with that text."""
        found: dict[str, list[tuple[int, int]]] = {}
        for row, (key, concept) in enumerate(
            zip(self.labels["text_key"].to_pylist(), self._concept_of_label.tolist(), strict=True)
        ):
            found.setdefault(key, []).append((concept, row))
        return found

    @cached_property
    def concept_row(self) -> dict[str, int]:
        """concept_uri -> row of `concepts`."""
        return {uri: row for row, uri in enumerate(self.concept_uris.to_pylist())}

    @cached_property
    def preferred_length(self) -> Floats:
        """(concepts,) characters of each preferred label."""
        return pc.utf8_length(self.concepts["preferred_label"]).to_numpy().astype(np.float32)

    def cosines(self, query: Floats, concepts: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Of row i of `query` to the nearest label and to the preferred label of concept i: (pairs,) twice."""
        if not len(concepts):
            return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
        lengths = self._ends[concepts] - self._starts[concepts]
        firsts = np.cumsum(lengths) - lengths
        labels = np.arange(lengths.sum()) + np.repeat(self._starts[concepts] - firsts, lengths)
        by_label = np.einsum("ij,ij->i", self.matrix[labels], np.repeat(query, lengths, axis=0))
        preferred = np.where(self._has_preferred[concepts], by_label[firsts], np.float32(0))
        return np.maximum.reduceat(by_label, firsts), preferred

    @cached_property
    def _titles(self) -> dict[str, str]:
        return dict(zip(self.titles["text_key"].to_pylist(), self.titles["occupation_uri"].to_pylist(), strict=True))

    def candidates(self, texts: Sequence[str], text_keys: Sequence[str], vectors: Vectors, top_k: int) -> Candidates:
        """The `top_k` candidates of each text (n texts, n keys, (n, dimension) vectors), in blocks."""
        top_k = min(top_k, self.concepts.num_rows)
        blocks = [
            self._block(texts[i : i + _BLOCK], text_keys[i : i + _BLOCK], vectors[i : i + _BLOCK], top_k)
            for i in range(0, len(texts), _BLOCK)
        ]
        flat = pa.chunked_array(blocks, type=CANDIDATE).combine_chunks()
        offsets = pa.array(np.arange(0, len(texts) * top_k + 1, top_k, dtype=np.int32))
        return Candidates(
            pa.ListArray.from_arrays(offsets, flat),
            pa.array([self._titles.get(key) for key in text_keys], pa.string()),
        )

    def _block(self, texts: Sequence[str], text_keys: Sequence[str], vectors: Vectors, top_k: int) -> pa.StructArray:
        rows = np.arange(len(texts))[:, None]
        query = np.asarray(vectors, dtype=np.float32)
        cosine, preferred = self._cosines(query)
        ngram = self.ngrams.by_concept(texts, self._concept_of_label, self.concepts.num_rows)
        fused = (
            FUSION["cosine"] * cosine + FUSION["preferred_cosine"] * preferred + FUSION["ngram"] * ngram + self._prior
        )
        exact = [self._exact.get(key, []) for key in text_keys]
        for row, hits in enumerate(exact):
            for concept, _ in hits:
                fused[row, concept] += EXACT_FIRST
        top = top_columns(fused, top_k)

        flat = top.ravel()
        signals = (cosine[rows, top], preferred[rows, top], ngram[rows, top])
        nearest = self._nearest_labels(query, top, signals[0])
        return self._structs(flat, nearest, signals, self._exact_columns(exact, top))

    def _cosines(self, query: Floats) -> tuple[Floats, Floats]:
        """(texts, concepts) twice: to the nearest label of each concept, and to its preferred label."""
        import torch

        queries, matrix = torch.from_numpy(query), torch.from_numpy(self.matrix)
        nearest = np.empty((len(query), self.concepts.num_rows), dtype=np.float32)
        preferred = np.empty_like(nearest)
        for first, last in pairwise(self._chunks):
            start, end = self._starts[first], self._ends[last - 1]
            by_label = (queries @ matrix[start:end].T).numpy()
            starts = self._starts[first:last] - start
            nearest[:, first:last] = np.maximum.reduceat(by_label, starts, axis=1)
            preferred[:, first:last] = by_label[:, starts]
        return nearest, np.where(self._has_preferred, preferred, np.float32(0))

    @cached_property
    def _chunks(self) -> list[int]:
        """Where to cut the concepts so that the labels of a chunk are `_LABELS` or a few more."""
        _, first_in_chunk = np.unique(self._starts // _LABELS, return_index=True)
        return [*first_in_chunk.tolist(), self.concepts.num_rows]

    def _nearest_labels(self, query: Floats, top: npt.NDArray[np.int64], cosine: Floats) -> npt.NDArray[np.int64]:
        """Row of the label that gave each (text, candidate) its cosine; the first of those alike, on any CPU."""
        nearest, least = np.empty(top.shape, dtype=np.int64), cosine - _ALIKE
        for row, concepts in enumerate(top):
            for column, concept in enumerate(concepts):
                start = self._starts[concept]
                cosines = self.matrix[start : self._ends[concept]] @ query[row]
                nearest[row, column] = start + (cosines > least[row, column]).argmax()
        return nearest.ravel()

    def _exact_columns(
        self, exact: list[list[tuple[int, int]]], top: npt.NDArray[np.int64]
    ) -> tuple[list[str | None], npt.NDArray[np.int32]]:
        """For each (text, candidate): kind of the label that equals the text, and how many concepts share it."""
        kinds: list[str | None] = [None] * top.size
        sharers = np.zeros(top.size, dtype=np.int32)
        for row, hits in enumerate(exact):
            if not hits:
                continue
            label_of = dict(hits)
            for column, concept in enumerate(top[row].tolist()):
                if concept in label_of:
                    place = row * top.shape[1] + column
                    kinds[place] = self._kinds[label_of[concept]]
                    sharers[place] = len(label_of)
        return kinds, sharers

    @cached_property
    def _kinds(self) -> list[str]:
        return self.labels["kind"].to_pylist()

    def _structs(
        self,
        concepts: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        signals: tuple[Floats, Floats, Floats],
        exact: tuple[list[str | None], npt.NDArray[np.int32]],
    ) -> pa.StructArray:
        cosine, preferred, ngram = (pa.array(signal.ravel(), pa.float32()) for signal in signals)
        columns = [
            _take(self.concepts["concept_uri"], concepts),
            _take(self.labels["label"], labels),
            cosine,
            preferred,
            ngram,
            pa.array(exact[0], pa.string()),
            pa.array(exact[1]),
            pa.array(self.occupations[concepts], pa.int32()),
        ]
        return pa.StructArray.from_arrays(columns, fields=list(CANDIDATE))


def top_columns(scores: Floats, k: int) -> npt.NDArray[np.int64]:
    """The k best columns of each row, best first; ties in column order, also where they straddle the k-th place."""
    import torch

    # torch's topk is five times numpy's argpartition, but which of equal scores it keeps is left open.
    values, columns = torch.from_numpy(scores).topk(k, dim=1)
    top = np.sort(columns.numpy(), axis=1)
    rows = np.arange(len(scores))[:, None]
    top = np.take_along_axis(top, np.argsort(-scores[rows, top], axis=1, kind="stable"), axis=1)
    contested = np.flatnonzero((scores >= values[:, -1:].numpy()).sum(axis=1) > k)
    top[contested] = np.argsort(-scores[contested], axis=1, kind="stable")[:, :k]
    return top


def _take(column: pa.ChunkedArray, rows: npt.NDArray[np.int64]) -> pa.Array:
    return column.take(pa.array(rows)).combine_chunks()


def title_table(occupations: pa.Table) -> pa.Table:
    """(text_key, occupation_uri) of every label of an occupation; of several occupations with one label the first."""
    from skillsim.text import clean, text_key

    titles: dict[str, str] = {}
    for uri, labels in zip(occupations["occupation_uri"].to_pylist(), occupations["labels"].to_pylist(), strict=True):
        for label in labels:
            titles.setdefault(text_key(clean(label).text), uri)
    return pa.table({"text_key": list(titles), "occupation_uri": list(titles.values())})
