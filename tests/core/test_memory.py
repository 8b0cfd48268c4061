"""Votes of judged strings, against loops that say the same."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from skillsim.artifacts import localise, write
from skillsim.lexicon import Entry, Lexicon
from skillsim.memory import ENTRIES, NEIGHBOURS, NOBODY, SHARPNESS, VERDICTS, Memory, memory_entries
from skillsim.ngrams import NGRAMS
from tests.fakes import FakeEncoder

ROW = {"u:a": 0, "u:b": 3, "u:c": 7}


def entries(*rows: tuple[str, list[str]]) -> pa.Table:
    keys = [f"k{row}" for row in range(len(rows))]
    columns = [keys, keys, [verdict for verdict, _ in rows], [uris for _, uris in rows]]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, ENTRIES, strict=True)], schema=ENTRIES
    )


def unit(seed: int, rows: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, 6)) + 0.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


ENTRY_ROWS = st.lists(
    st.tuples(st.sampled_from(VERDICTS), st.lists(st.sampled_from([*ROW, "u:gone"]), max_size=3, unique=True)),
    min_size=1,
    max_size=25,
)


@given(ENTRY_ROWS, st.integers(0, 99), st.booleans())
def test_votes_are_those_of_a_loop(rows: list[tuple[str, list[str]]], seed: int, masked: bool) -> None:
    memory = Memory(entries(*rows), unit(seed, len(rows)), ROW)
    vectors = unit(seed + 1, 4)
    mask = np.random.default_rng(seed).random((4, len(rows))) < (0.4 if masked else 0)
    texts = ["k1", "k2", "k12", "nothing like it"]
    votes = memory.votes(texts, vectors.astype(np.float16), sparse.csr_matrix(mask))
    grams = TfidfVectorizer(**NGRAMS).fit([f"k{row}" for row in range(len(rows))])
    spelled = (grams.transform(texts) @ grams.transform([f"k{row}" for row in range(len(rows))]).T).toarray()
    spelled = np.where(mask | (spelled < 0.05), 0, spelled)
    assert memory.concepts.tolist() == sorted({ROW[uri] for _, uris in rows for uri in uris if uri in ROW})
    for text, vector in enumerate(vectors.astype(np.float16).astype(np.float32)):
        cosine = [-1.0 if mask[text, e] else float(memory.matrix[e] @ vector) for e in range(len(rows))]
        near = sorted(range(len(rows)), key=lambda e: (-cosine[e], e))[:NEIGHBOURS]
        weight = {e: np.exp(SHARPNESS * (cosine[e] - 1)) for e in near if cosine[e] > 0}
        total = sum(weight.values()) + np.exp(SHARPNESS * (NOBODY - 1))
        for column, concept in enumerate(memory.concepts.tolist()):
            having = [e for e, (_, uris) in enumerate(rows) if concept in [ROW.get(uri) for uri in uris]]
            first = [e for e in having if ROW.get(rows[e][1][0]) == concept]
            assert votes.lexical[text, column] == pytest.approx(max([0.0, *spelled[text, having]]), abs=1e-5)
            assert votes.strings[text, column] == sum(not mask[text, e] for e in having)
            (nearest,) = memory.nearest_of(votes, np.array([text]), np.array([column]))
            assert nearest == pytest.approx(max([0.0, *(cosine[e] for e in having)]), abs=1e-5)
            for got, of in ((votes.share, having), (votes.first, first)):
                assert got[text, column] == pytest.approx(sum(weight.get(e, 0) for e in of) / total, abs=1e-5)
        for place, verdict in enumerate(VERDICTS):
            of = [e for e, (said, _) in enumerate(rows) if said == verdict]
            assert votes.nearest[text, place] == pytest.approx(max([0.0, *(cosine[e] for e in of)]), abs=1e-5)
            assert votes.lexical_nearest[text, place] == pytest.approx(max([0.0, *spelled[text, of]]), abs=1e-5)
            share = sum(weight.get(e, 0) for e in of) / total
            assert votes.verdict[text, place] == pytest.approx(share, abs=1e-5)


def entry(string: str, kind: str, *concepts: str, ambiguous: bool = False) -> Entry:
    return Entry(string, string, f"key {string}", kind, concepts, (), "", "", "", ambiguous)  # type: ignore[arg-type]


LEXICON = Lexicon.of(
    "en",
    {
        f"key {one.string}": one
        for one in (
            entry("java", "skill", "u:a"),
            entry("team", "skill"),
            entry("nurse", "title"),
            entry("n/a", "junk"),
            entry("java, c", "multi", "u:a", "u:b"),
            entry("pm", "skill", "u:c", ambiguous=True),
        )
    },
)


def test_what_a_lexicon_remembers() -> None:
    found = memory_entries(LEXICON)
    verdicts = dict(zip(found["text_key"].to_pylist(), found["verdict"].to_pylist(), strict=True))
    assert verdicts == {
        "key java": "concept",
        "key team": "nil",
        "key nurse": "title",
        "key n/a": "junk",
        "key java, c": "multi",
        "key pm": "concept",
    }


def test_an_entry_without_a_vector_is_left_out_and_one_can_be_forgotten(tmp_path: Path) -> None:
    memory = Memory.of(LEXICON, FakeEncoder(failing={"team": "text: no"}), ROW)
    assert "key team" not in memory.entries["text_key"].to_pylist()
    less = memory.without(["key pm", "key unknown"])
    assert less.concepts.tolist() == [0, 3]
    assert less.matrix.shape[0] == less.entries.num_rows == memory.entries.num_rows - 1
    write(tmp_path / "memory", less.save)
    loaded = Memory.load(localise(str(tmp_path / "memory")), ROW)
    texts = ["java", "javas", "nursing"]
    vectors = FakeEncoder().encode(texts).vectors
    for one, other in zip(
        vars(less.votes(texts, vectors)).values(), vars(loaded.votes(texts, vectors)).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_nothing_remembered_votes_for_nothing() -> None:
    memory = Memory(entries(("concept", ["u:a"])), unit(0, 1), ROW).without(["k0"])
    votes = memory.votes(["a", "b"], unit(1, 2).astype(np.float16))
    assert votes.share.shape == (2, 0)
    assert not votes.verdict.any()
    assert not votes.nearest.any()


def test_a_zero_vector_gets_no_vote() -> None:
    memory = Memory(entries(("concept", ["u:a"]), ("title", [])), unit(0, 2), ROW)
    votes = memory.votes(["a"], np.zeros((1, 6), dtype=np.float16))
    assert not votes.share.any()
    assert not votes.verdict.any()
