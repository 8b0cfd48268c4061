"""Retrieval against an oracle in plain numpy and scikit-learn, and on small taxonomies made by hand."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from skillsim import ngrams, retrieval
from skillsim.artifacts import write
from skillsim.esco import Taxonomy
from skillsim.retrieval import FUSION, Candidates, LabelIndex, index_id, retrieval_id
from skillsim.schemas import CANDIDATE
from skillsim.text import text_key
from tests.fakes import FakeEncoder, RememberingEncoder

TEXTS = [
    *("core java", "javva programing", "nursing", "reception", "plating", "scheduling", "dba", "k8s"),
    *("accountant", "weld metal", "ms excel", "zzxqy", "good with people", "fork lift truck", "æøå"),
]
TOP_K = 7

Rows = list[list[dict]]


def retrieve(index: LabelIndex, vectors: np.ndarray, texts: Sequence[str] = TEXTS, top_k: int = TOP_K) -> Candidates:
    return index.candidates(texts, [text_key(text) for text in texts], vectors, top_k)


def rows_of(found: Candidates) -> Rows:
    return found.candidates.to_pylist()


def uris(found: Candidates) -> list[list[str]]:
    return [[candidate["concept_uri"] for candidate in row] for row in rows_of(found)]


@pytest.fixture(scope="module")
def vectors(remembering: RememberingEncoder) -> np.ndarray:
    return remembering.encode(TEXTS).vectors


@pytest.fixture(scope="module")
def found(index: LabelIndex, vectors: np.ndarray) -> Candidates:
    return retrieve(index, vectors)


# --- the oracle -------------------------------------------------------------------------------------------


class Oracle:
    """Every signal of every (text, concept), one by one from the taxonomy's tables."""

    def __init__(self, taxonomy: Taxonomy, label_vectors: np.ndarray, vectors: np.ndarray) -> None:
        labels = taxonomy.labels.to_pylist()
        self.uris = sorted({label["concept_uri"] for label in labels})
        dense = vectors.astype(np.float64) @ label_vectors.astype(np.float64).T
        lexical = _lexical([label["text"] for label in labels])
        shape = (len(TEXTS), len(self.uris))
        self.cosine, self.preferred, self.ngram, self.exact = (np.zeros(shape) for _ in range(4))
        self.nearest = np.empty(shape, dtype=object)
        for column, uri in enumerate(self.uris):
            own = [row for row, label in enumerate(labels) if label["concept_uri"] == uri]
            (preferred,) = [row for row in own if labels[row]["kind"] == "preferred"]
            self.cosine[:, column] = dense[:, own].max(axis=1)
            self.preferred[:, column] = dense[:, preferred]
            self.ngram[:, column] = lexical[:, own].max(axis=1)
            self.exact[:, column] = [text in {labels[row]["text"] for row in own} for text in TEXTS]
            for row, best in enumerate(self.cosine[:, column]):
                self.nearest[row, column] = {labels[i]["label"] for i in own if dense[row, i] > best - 1e-5}
        used = [edge["object_uri"] for edge in taxonomy.relations.to_pylist() if "/occupation/" in edge["subject_uri"]]
        self.occupations = np.array([used.count(uri) for uri in self.uris])
        self.fused = (
            FUSION["cosine"] * self.cosine
            + FUSION["preferred_cosine"] * self.preferred
            + FUSION["ngram"] * self.ngram
            + FUSION["occupations"] * np.log(1 + self.occupations)
            + 10 * self.exact
        )


def _lexical(labels: list[str]) -> np.ndarray:
    """Dense TF-IDF cosine of TEXTS to labels; only the 64 best labels above 0.05 count."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2, max_df=0.02)
    matrix = vectorizer.fit_transform(labels).toarray()
    scores = vectorizer.transform(TEXTS).toarray() @ matrix.T
    for row in scores:
        bar = max(0.05, np.sort(row)[-64] - 1e-6)
        row[row < bar] = 0
    return scores


@pytest.fixture(scope="module")
def oracle(taxonomy: Taxonomy, label_vectors: np.ndarray, vectors: np.ndarray) -> Oracle:
    return Oracle(taxonomy, label_vectors, vectors)


def test_the_signals_of_all_concepts_are_the_oracles(index: LabelIndex, oracle: Oracle, vectors: np.ndarray) -> None:
    everything = rows_of(retrieve(index, vectors, top_k=10_000))
    for text, row in enumerate(everything):
        by_uri = {candidate["concept_uri"]: candidate for candidate in row}
        assert sorted(by_uri) == oracle.uris
        ordered = [by_uri[uri] for uri in oracle.uris]
        for name, expected in [
            ("cosine", oracle.cosine),
            ("preferred_cosine", oracle.preferred),
            ("ngram", oracle.ngram),
        ]:
            np.testing.assert_allclose([c[name] for c in ordered], expected[text], atol=1e-5, err_msg=name)
        assert [c["occupations"] for c in ordered] == oracle.occupations.tolist()
        assert [c["exact"] is not None for c in ordered] == oracle.exact[text].astype(bool).tolist()
        assert all(c["label"] in near for c, near in zip(ordered, oracle.nearest[text], strict=True))


def test_the_candidates_are_the_best_of_the_fused_order(found: Candidates, oracle: Oracle) -> None:
    for text, row in enumerate(uris(found)):
        assert len(set(row)) == TOP_K
        got = [oracle.fused[text, oracle.uris.index(uri)] for uri in row]
        np.testing.assert_allclose(got, np.sort(oracle.fused[text])[::-1][:TOP_K], atol=1e-5)


def test_only_the_nearest_labels_have_an_ngram_signal(
    index: LabelIndex, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngrams, "NGRAM_TOP_LABELS", 1)
    rows = rows_of(retrieve(index, vectors, top_k=10_000))
    assert [sum(candidate["ngram"] > 0 for candidate in row) for row in rows][:3] == [1, 1, 1]


def test_more_candidates_begin_with_the_fewer(index: LabelIndex, vectors: np.ndarray, found: Candidates) -> None:
    assert [row[:TOP_K] for row in uris(retrieve(index, vectors, top_k=20))] == uris(found)


# --- exact labels and job titles --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("core java", {"java": ("alternative", 1)}),
        ("weld metal", {"weld-metal": ("preferred", 1)}),
        ("reception", {"check-in-hotel-guests": ("alternative", 2), "welcome-visitors": ("alternative", 2)}),
        ("plating", {"arrange-food-on-plates": ("alternative", 2), "electroplate-metal": ("alternative", 2)}),
        ("zzxqy", {}),
    ],
)
def test_exact_labels_stand_first_with_kind_and_sharers(
    found: Candidates, text: str, hits: dict[str, tuple[str, int]]
) -> None:
    row = rows_of(found)[TEXTS.index(text)]
    got = {c["concept_uri"].rsplit("/")[-1]: (c["exact"], c["sharers"]) for c in row[: len(hits)]}
    assert got == hits
    assert {(c["exact"], c["sharers"]) for c in row[len(hits) :]} == {(None, 0)}


def test_an_exact_label_is_kept_however_far_its_vector_is(index: LabelIndex, vectors: np.ndarray) -> None:
    away = -vectors[TEXTS.index("core java")][None, :]
    (first, *_), *_ = rows_of(retrieve(index, away, ["core java"], top_k=3))
    assert (first["concept_uri"].rsplit("/")[-1], first["exact"]) == ("java", "alternative")
    assert first["cosine"] < 0


def test_occupation_titles_are_found(found: Candidates) -> None:
    titles = dict(zip(TEXTS, found.occupation_uri.to_pylist(), strict=True))
    known = {text: uri.rsplit("/")[-1] for text, uri in titles.items() if uri}
    assert known == {"dba": "database-administrator", "accountant": "accountant"}


# --- saving, blocks, ids ----------------------------------------------------------------------------------


def test_a_saved_index_gives_the_same_candidates(
    taxonomy: Taxonomy, label_vectors: np.ndarray, vectors: np.ndarray, found: Candidates
) -> None:
    built = LabelIndex.build(
        taxonomy.concepts, taxonomy.labels, taxonomy.relations, taxonomy.occupations, label_vectors
    )
    again = retrieve(built, vectors)
    assert again.candidates.equals(found.candidates)
    assert again.occupation_uri.equals(found.occupation_uri)


def test_the_order_of_the_tables_does_not_matter(
    taxonomy: Taxonomy, label_vectors: np.ndarray, vectors: np.ndarray, found: Candidates
) -> None:
    order = np.random.default_rng(3).permutation(taxonomy.labels.num_rows)
    built = LabelIndex.build(
        taxonomy.concepts.take(np.arange(taxonomy.concepts.num_rows)[::-1].copy()),
        taxonomy.labels.take(order),
        taxonomy.relations,
        taxonomy.occupations,
        label_vectors[order],
    )
    assert retrieve(built, vectors).candidates.equals(found.candidates)


@pytest.mark.parametrize("block", [1, 4])
def test_the_size_of_a_block_does_not_matter(
    index: LabelIndex, vectors: np.ndarray, found: Candidates, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(retrieval, "_BLOCK", block)
    blocked = retrieve(index, vectors)
    assert uris(blocked) == uris(found)
    for name in ("cosine", "preferred_cosine", "ngram"):
        left, right = ([[c[name] for c in row] for row in rows_of(rows)] for rows in (blocked, found))
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.parametrize("labels", [1, 3, 100])
def test_the_size_of_a_product_does_not_matter(
    index: LabelIndex, vectors: np.ndarray, found: Candidates, monkeypatch: pytest.MonkeyPatch, labels: int
) -> None:
    monkeypatch.setattr(retrieval, "_LABELS", labels)
    cut = retrieve(LabelIndex(index.concepts, index.labels, index.titles, index.matrix, index.ngrams), vectors)
    for left, right in zip(rows_of(cut), rows_of(found), strict=True):
        assert [(c["concept_uri"], c["label"]) for c in left] == [(c["concept_uri"], c["label"]) for c in right]
        for name in ("cosine", "preferred_cosine"):
            np.testing.assert_allclose([c[name] for c in left], [c[name] for c in right], atol=1e-6)


@pytest.mark.parametrize(("first", "label"), [(1 - 2e-7, "abc"), (1 - 2e-5, "abd")])
def test_of_labels_that_differ_by_rounding_the_first_is_named(first: float, label: str) -> None:
    index = made({"u:a": [None, "abc", "abd"]}, vectors=np.array([[first, 0], [1, 0]], dtype=np.float32))
    ((candidate,),) = rows_of(retrieve(index, np.array([[1, 0]], dtype=np.float16), ["query"]))
    assert candidate["label"] == label


def test_cosines_of_pairs_are_those_that_retrieval_gives(index: LabelIndex, remembering: RememberingEncoder) -> None:
    vectors = remembering.encode(["core java", "welding", "zzxqy"]).vectors
    rows = rows_of(retrieve(index, vectors, ["core java", "welding", "zzxqy"]))
    text, found = zip(*((row, candidate) for row, of in enumerate(rows) for candidate in of), strict=True)
    query = vectors.astype(np.float32)[list(text)]
    concepts = np.array([index.concept_row[candidate["concept_uri"]] for candidate in found])
    for got, name in zip(index.cosines(query, concepts), ("cosine", "preferred_cosine"), strict=True):
        np.testing.assert_allclose(got, [candidate[name] for candidate in found], atol=1e-5)


def test_no_texts_give_no_rows(index: LabelIndex) -> None:
    nothing = retrieve(index, np.zeros((0, 384), dtype=np.float16), [])
    assert len(nothing.candidates) == len(nothing.occupation_uri) == 0
    assert nothing.candidates.type == pa.list_(CANDIDATE)


def test_saving_is_atomic_and_keeps_an_index_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (made({"u:a": [label]}) for label in ("first", "second"))
    folder = tmp_path / "deep" / "index"
    monkeypatch.setattr(retrieval.NgramView, "save", lambda self, draft: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(folder, first.save)
    assert list(folder.parent.iterdir()) == []
    monkeypatch.undo()
    write(folder, first.save)
    write(folder, second.save)
    assert LabelIndex.load(folder).labels["label"].to_pylist() == ["first"]
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path) -> None:
    for name, age in ((".artifact-dead", 90_000), (".artifact-alive", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write(tmp_path / "index", made({"u:a": ["one"]}).save)
    assert {path.name for path in tmp_path.iterdir()} == {".artifact-alive", "index"}


def test_the_ids_change_with_what_they_stand_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [retrieval_id(12), retrieval_id(13)]
    monkeypatch.setitem(FUSION, "ngram", 0.3)
    ids.append(retrieval_id(12))
    assert len(set(ids)) == 3
    monkeypatch.undo()
    assert retrieval_id(12) == ids[0]
    assert len({index_id(*pair) for pair in [("t", "m"), ("u", "m"), ("t", "n")]}) == 3


# --- small taxonomies by hand -----------------------------------------------------------------------------


def made(
    labels: Mapping[str, Sequence[str | None]], used: Sequence[str] = (), vectors: np.ndarray | None = None
) -> LabelIndex:
    """Concepts with labels, the first preferred (None: left out); `used`: concept URIs, one for each occupation."""
    rows = [
        (uri, "alternative" if place else "preferred", label, label, text_key(label))
        for uri, texts in labels.items()
        for place, label in enumerate(texts)
        if label is not None
    ]
    names = ("concept_uri", "kind", "label", "text", "text_key")
    table = pa.table({name: [row[column] for row in rows] for column, name in enumerate(names)})
    concepts = [{"concept_uri": uri, "preferred_label": uri, "group_uri": "", "group_label": ""} for uri in labels]
    relations = {"subject_uri": [f"o:{n}" for n in range(len(used))], "object_uri": list(used)}
    occupations = {"occupation_uri": relations["subject_uri"], "labels": [[f"job {n}"] for n in range(len(used))]}
    if vectors is None:
        vectors = FakeEncoder().encode(table["text"].to_pylist()).vectors
    return LabelIndex.build(
        pa.Table.from_pylist(concepts),
        table,
        pa.table(relations, pa.schema([("subject_uri", pa.string()), ("object_uri", pa.string())])),
        pa.table(occupations, pa.schema([("occupation_uri", pa.string()), ("labels", pa.list_(pa.string()))])),
        vectors,
    )


@pytest.mark.parametrize("text", ["twin", "other"])
@pytest.mark.parametrize(("twins", "top_k"), [(3, 5), (6, 3), (40, 12)])
def test_ties_break_by_concept_uri(twins: int, top_k: int, text: str) -> None:
    """Concepts with one and the same label: exact hits, and candidates alike in every signal."""
    names = [f"u:{number:02}" for number in range(twins)]
    index = made({name: ["twin"] for name in reversed(names)} | {"u:zz": ["far"]}, vectors=_axes(twins))
    (row,) = uris(retrieve(index, np.eye(1, 64, dtype=np.float16), [text], top_k))
    assert row == [*names, "u:zz"][:top_k]


def _axes(twins: int) -> np.ndarray:
    """One unit vector for the twins and another for the concept that is far: their products are exact."""
    vectors = np.zeros((twins + 1, 64), dtype=np.float16)
    vectors[:twins, 0] = vectors[twins, 1] = 1
    return vectors


def test_of_two_alike_the_one_that_more_occupations_use_comes_first() -> None:
    index = made({"u:a": ["twin"], "u:b": ["twin"]}, used=["u:b", "u:b", "u:unknown"])
    (row,) = rows_of(retrieve(index, FakeEncoder().encode(["twig"]).vectors, ["twig"], 2))
    assert [(c["concept_uri"], c["occupations"]) for c in row] == [("u:b", 2), ("u:a", 0)]


def test_without_a_vector_of_the_preferred_label_its_cosine_is_0() -> None:
    """Labels that could not be embedded are not in the index; an alternative must not pass for the preferred one."""
    index = made({"u:a": [None, "java"], "u:b": ["nursing", "java"]})
    rows = rows_of(retrieve(index, FakeEncoder().encode(["java"]).vectors, ["java"], 2))[0]
    by_uri = {row["concept_uri"]: row for row in rows}
    assert by_uri["u:a"]["cosine"] > 0.99
    assert by_uri["u:a"]["preferred_cosine"] == 0
    assert by_uri["u:b"]["preferred_cosine"] != 0


def test_more_concepts_with_the_very_text_than_candidates_are_cut_like_others() -> None:
    index = made({f"u:{letter}": ["twin"] for letter in "abcd"} | {"u:z": ["twin two"]})
    (row,) = rows_of(retrieve(index, FakeEncoder().encode(["twin"]).vectors, ["twin"], 3))
    assert [(c["concept_uri"], c["sharers"]) for c in row] == [("u:a", 4), ("u:b", 4), ("u:c", 4)]


def test_a_concept_without_labels_is_left_out() -> None:
    index = made({"u:a": ["java"], "u:bare": [], "u:c": ["nursing", "care"]})
    (row,) = rows_of(retrieve(index, FakeEncoder().encode(["care"]).vectors, ["care"], 12))
    assert [(c["concept_uri"], c["label"]) for c in row] == [("u:c", "care"), ("u:a", "java")]
