"""The pool of pairs: which, in what order, with signals that a loop gives too."""

import numpy as np
import pyarrow as pa
import pytest

from skillsim.lexicon import Entry, Lexicon
from skillsim.memory import Memory
from skillsim.retrieval import FUSION, LabelIndex
from skillsim.signals import _BLOCK, CONTEXT, LEXICALLY_NEAR, SIGNALS, Pool, pool
from skillsim.text import text_key
from tests.fakes import RememberingEncoder

TEXTS = ["core java", "welding of metals", "zzxqy vfrtg", "nursing care", "staff nurse", "python"]


@pytest.fixture(scope="module")
def memory(index: LabelIndex, remembering: RememberingEncoder) -> Memory:
    uris = index.concepts["concept_uri"].to_pylist()
    judged = {"core javas": (uris[5],), "metal welding": (uris[7], uris[9]), "head nurse": (), "pythons": ()}
    kinds = {"head nurse": "title"}
    found = {
        text_key(text): Entry(text, text, text_key(text), kinds.get(text, "skill"), uris, (), "", "", "", False)  # type: ignore[arg-type]
        for text, uris in judged.items()
    }
    return Memory.of(Lexicon.of("en", found), remembering, index.concept_row)


def pooled(texts: list[str], index: LabelIndex, memory: Memory, encoder: RememberingEncoder, top_k: int = 6) -> Pool:
    vectors = encoder.encode(texts).vectors
    found = index.candidates(texts, [text_key(text) for text in texts], vectors, top_k)
    table = pa.table({"text": texts, "candidates": found.candidates, "occupation_uri": found.occupation_uri})
    return pool(index, memory, table, vectors)


@pytest.fixture(scope="module")
def found(index: LabelIndex, memory: Memory, remembering: RememberingEncoder) -> Pool:
    return pooled(TEXTS, index, memory, remembering)


def test_a_pool_is_what_was_retrieved_and_what_the_voters_have(
    found: Pool, index: LabelIndex, memory: Memory, remembering: RememberingEncoder
) -> None:
    vectors = remembering.encode(TEXTS).vectors
    kept = index.candidates(TEXTS, [text_key(text) for text in TEXTS], vectors, 6).candidates.to_pylist()
    votes = memory.votes(TEXTS, vectors)
    voted = (votes.share > 0) | (votes.lexical >= LEXICALLY_NEAR)
    for text in range(len(TEXTS)):
        retrieved = {index.concept_row[candidate["concept_uri"]] for candidate in kept[text]}
        expected = retrieved | set(memory.concepts[voted[text]].tolist())
        pairs = slice(found.starts[text], found.starts[text + 1])
        assert found.concept[pairs].tolist() == sorted(expected)
        assert set(found.text[pairs].tolist()) == {text}
        where = found.column("retrieved")[pairs].astype(bool)
        assert set(found.concept[pairs][where].tolist()) == retrieved
    assert (found.column("retrieved") == 0).any()


def test_every_pair_has_the_cosines_that_retrieval_gives(
    found: Pool, index: LabelIndex, remembering: RememberingEncoder
) -> None:
    vectors = remembering.encode(TEXTS).vectors.astype(np.float32)
    by_label = vectors @ index.matrix.T
    concept_of = index.labels["concept"].to_numpy()
    is_preferred = np.array(index.labels["kind"].to_pylist()) == "preferred"
    for text, concept, cosine, preferred in zip(
        found.text, found.concept, found.column("cosine"), found.column("preferred_cosine"), strict=True
    ):
        of = by_label[text][concept_of == concept]
        assert cosine == pytest.approx(of.max(), abs=1e-4)
        only = by_label[text][(concept_of == concept) & is_preferred]
        assert preferred == pytest.approx(only[0] if len(only) else 0.0, abs=1e-4)


def test_gaps_and_ranks_are_to_the_best_of_the_text(found: Pool) -> None:
    fused = sum(weight * found.column(name) for name, weight in FUSION.items())
    np.testing.assert_allclose(found.column("fused"), fused, atol=1e-5)
    pairs_of = [np.flatnonzero(found.text == text) for text in range(len(TEXTS))]
    gaps = {"cosine_gap": "cosine", "preferred_gap": "preferred_cosine", "ngram_gap": "ngram", "fused_gap": "fused"}
    gaps |= {"memory_gap": "memory", "share_gap": "share", "lexical_gap": "lexical"}
    for pairs in pairs_of:
        for gap, of in gaps.items():
            values = found.column(of)[pairs]
            np.testing.assert_allclose(found.column(gap)[pairs], values - values.max(), atol=1e-6)
        order = sorted(pairs.tolist(), key=lambda pair: (-found.column("fused")[pair], pair))
        ranks = np.expm1(found.column("fused_rank")[order])
        np.testing.assert_allclose(ranks, np.arange(len(pairs)), atol=1e-4)
    top_two = [np.sort(found.column("cosine")[pairs])[::-1][:2] for pairs in pairs_of]
    best, margin = (found.context[:, CONTEXT.index(name)] for name in ("best_cosine", "cosine_margin"))
    np.testing.assert_allclose(best, [first for first, _ in top_two], atol=1e-6)
    np.testing.assert_allclose(margin, [first - second for first, second in top_two], atol=1e-6)


def test_exact_hits_and_titles_are_marked(found: Pool, index: LabelIndex) -> None:
    labels = [name.removeprefix("exact_") for name in SIGNALS if name.startswith("exact_")]
    hits = {(int(t), name) for name in labels for t in found.text[found.column(f"exact_{name}") > 0]}
    assert (TEXTS.index("core java"), "alternative") in hits
    assert (TEXTS.index("python"), "preferred") in hits
    is_label = found.context[:, CONTEXT.index("is_label")]
    assert {TEXTS[row] for row in np.flatnonzero(is_label)} >= {"core java", "python"}
    assert is_label[TEXTS.index("zzxqy vfrtg")] == 0


def test_signals_of_a_text_do_not_depend_on_its_neighbours(
    found: Pool, index: LabelIndex, memory: Memory, remembering: RememberingEncoder
) -> None:
    many = pooled(TEXTS * (_BLOCK // 3), index, memory, remembering)  # two blocks
    for text in range(len(TEXTS)):
        for copy in (text, text + len(TEXTS) * (_BLOCK // 3 - 1)):
            one, other = (slice(p.starts[t], p.starts[t + 1]) for p, t in ((found, text), (many, copy)))
            assert found.concept[one].tolist() == many.concept[other].tolist()
            np.testing.assert_allclose(found.signals[one], many.signals[other], atol=1e-4)
            np.testing.assert_allclose(found.context[text], many.context[copy], atol=1e-4)


def test_no_text_and_no_candidates(index: LabelIndex, memory: Memory) -> None:
    empty = pa.table(
        {
            "text": pa.array([], pa.string()),
            "candidates": index.candidates([], [], np.zeros((0, 384), np.float16), 6).candidates,
            "occupation_uri": pa.array([], pa.string()),
        }
    )
    assert len(pool(index, memory, empty, np.zeros((0, 384), np.float16)).text) == 0
    lost = pa.table(
        {
            "text": ["core javas"],  # which memory holds, letter by letter
            "candidates": pa.array([None], empty["candidates"].type),
            "occupation_uri": pa.array([None], pa.string()),
        }
    )
    nothing = pool(index, memory, lost, np.zeros((1, 384), np.float16))
    assert nothing.starts.tolist() == [0, 0]
    assert np.isfinite(nothing.context).all()
