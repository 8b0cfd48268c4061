"""The lexical view of labels: TF-IDF over character n-grams, for the typos and acronyms that encoders miss."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sparse_dot_topn import sp_matmul_topn

# 3- to 5-grams inside word boundaries; grams in over 2% of the labels cost 4 times the time and find no more.
NGRAMS: dict[str, Any] = {
    "analyzer": "char_wb",
    "ngram_range": (3, 5),
    "sublinear_tf": True,
    "dtype": np.float32,
}
NGRAM_MAX_DF = 0.02
NGRAM_TOP_LABELS = 64
NGRAM_SETTINGS = [sorted(NGRAMS.items()), NGRAM_MAX_DF]
# The arrays of a compressed sparse matrix, in the order of its constructor.
_CSR = ("data", "indices", "indptr")

Floats = npt.NDArray[np.float32]


class NgramView:
    """TF-IDF over character n-grams of the labels; `transposed` is (grams, labels)."""

    def __init__(self, vectorizer: TfidfVectorizer, transposed: sparse.csr_matrix) -> None:
        self._vectorizer = vectorizer
        self._transposed = transposed

    @staticmethod
    def fit(texts: Sequence[str]) -> "NgramView":
        min_df = 2 if len(texts) > 1000 else 1
        max_df = NGRAM_MAX_DF if len(texts) > 1000 else 1.0
        vectorizer = TfidfVectorizer(**NGRAMS, min_df=min_df, max_df=max_df)
        return NgramView(vectorizer, vectorizer.fit_transform(texts).T.tocsr())

    def hits(self, texts: Sequence[str], top: int) -> sparse.csr_matrix:
        """(texts, labels): cosines to the `top` nearest labels of each text."""
        grams = self._vectorizer.transform(texts)
        return sp_matmul_topn(grams, self._transposed, top_n=top, threshold=0.05, n_threads=1)

    def by_concept(self, texts: Sequence[str], concept_of_label: npt.NDArray[np.int32], concepts: int) -> Floats:
        """(texts, concepts): the best cosine over a concept's labels, among the top labels of each text."""
        hits = self.hits(texts, NGRAM_TOP_LABELS)
        scores = np.zeros((len(texts), concepts), dtype=np.float32)
        rows = np.repeat(np.arange(len(texts)), np.diff(hits.indptr))
        np.maximum.at(scores, (rows, concept_of_label[hits.indices]), hits.data)
        return scores

    def only(self, labels: npt.NDArray[np.int64]) -> "NgramView":
        """Of these labels alone, weighted as among all."""
        return NgramView(self._vectorizer, self._transposed[:, labels].tocsr())

    def save(self, folder: Path) -> None:
        vocabulary = sorted(self._vectorizer.vocabulary_, key=self._vectorizer.vocabulary_.__getitem__)
        pq.write_table(pa.table({"gram": vocabulary, "idf": self._vectorizer.idf_}), folder / "grams.parquet")
        for name in _CSR:
            np.save(folder / f"ngrams_{name}.npy", getattr(self._transposed, name))

    @staticmethod
    def load(folder: Path, labels: int) -> "NgramView":
        """Memory-map what `save` wrote of so many labels."""
        grams = pq.read_table(folder / "grams.parquet")
        vectorizer = TfidfVectorizer(
            **NGRAMS, vocabulary={gram: row for row, gram in enumerate(grams["gram"].to_pylist())}
        )
        vectorizer.idf_ = grams["idf"].to_numpy()
        # Copy-on-write, since sparse_dot_topn refuses read-only arrays; nothing writes to them.
        arrays = tuple(np.load(folder / f"ngrams_{name}.npy", mmap_mode="c") for name in _CSR)
        return NgramView(vectorizer, sparse.csr_matrix(arrays, shape=(grams.num_rows, labels)))
