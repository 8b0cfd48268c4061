"""What linking is measured against: nearest labels by n-grams and by the encoder's cosine; a package like ours."""

import time
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer

from skillsim.judged import DECIMALS, Answers
from skillsim.metrics import ABSTAINED
from skillsim.model_files import resolve_model
from skillsim.normaliser import Normaliser

_BLOCK = 256


def ngram_baseline(normaliser: Normaliser, texts: list[str], top_k: int) -> Answers:
    """Cosine of TF-IDF over 2- to 4-grams of characters to preferred and alternative labels.

    Inside word boundaries and with sublinear counts: within 0.3 points of the best of ten variants (train).
    """
    labels = normaliser.index.labels.to_pandas()
    labels = labels[labels["kind"] != "hidden"]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
    matrix = vectorizer.fit_transform(labels["text"]).T.tocsr()
    queries = vectorizer.transform(texts)
    blocks = ((queries[i : i + _BLOCK] @ matrix).toarray() for i in range(0, len(texts), _BLOCK))
    return nearest(normaliser, blocks, labels["concept"].to_numpy(), top_k)


def dense_baseline(normaliser: Normaliser, texts: list[str], top_k: int) -> Answers:
    """Cosine of the system's own encoder to every label."""
    matrix = normaliser.index.matrix
    vectors = normaliser.encoder.encode(texts).vectors.astype(np.float32)
    lengths = np.linalg.norm(matrix, axis=1)  # float16 storage leaves them 1e-4 off 1
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    blocks = (vectors[i : i + _BLOCK] @ matrix.T / lengths for i in range(0, len(texts), _BLOCK))
    return nearest(normaliser, blocks, normaliser.index.labels["concept"].to_numpy(), top_k)


def peer(texts: list[str]) -> tuple[Answers, float] | None:
    """esco-skill-extractor with its model pointed at the built-in weights, and texts per second; None if not installed.

    It gives what is above its own threshold, in no order: the concepts of all pieces it cuts a text into.
    """
    try:
        from esco_skill_extractor import SkillExtractor
    except ImportError:
        return None
    extractor = SkillExtractor(model=str(resolve_model("builtin").path), device="cpu")
    started = time.perf_counter()
    found = extractor.get_skills(texts)
    speed = len(texts) / (time.perf_counter() - started)
    top = [uris[0] if uris else None for uris in found]
    answered = np.array([bool(uris) for uris in found], dtype=bool)
    return Answers(top, found, np.where(answered, 1.0, ABSTAINED), answered), speed


def nearest(
    normaliser: Normaliser,
    blocks: Iterable[npt.NDArray[np.float32]],
    concept_of_label: npt.NDArray[np.int32],
    top_k: int,
) -> Answers:
    """The concepts of the nearest labels, from (texts, labels) blocks; ties in URI order, as concepts are."""
    starts = np.flatnonzero(np.diff(concept_of_label, prepend=-1))
    uris = np.array(normaliser.index.concepts["concept_uri"].to_pylist(), dtype=object)[concept_of_label[starts]]
    candidates: list[list[str]] = []
    confidence: list[float] = []
    for block in blocks:
        best = np.maximum.reduceat(block, starts, axis=1).round(DECIMALS)
        ranked = np.argsort(-best, axis=1, kind="stable")[:, :top_k]
        candidates += uris[ranked].tolist()
        confidence += best[np.arange(len(best)), ranked[:, 0]].astype(float).round(DECIMALS).tolist()
    return Answers([found[0] for found in candidates], candidates, np.array(confidence), None)
