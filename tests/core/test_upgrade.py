"""Which texts another version of the taxonomy touches, each rule alone and all against retrieval from nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from skillsim.encoder import pack_vectors
from skillsim.esco import Taxonomy, find_bundle, read_taxonomy
from skillsim.esco_diff import diff_taxonomies
from skillsim.lexicon import Entry, Lexicon
from skillsim.linking import ConceptNames
from skillsim.memory import Memory
from skillsim.retrieval import LabelIndex
from skillsim.schemas import ALTERNATIVE
from skillsim.text import text_key
from skillsim.upgrade import Decisions, Touch, carried, relabelled, retitled
from tests.core.bundles import SKILL_COLUMNS, sheet, skill, small_files, taxonomy_of
from tests.core.test_memory import entries
from tests.core.test_overrides import JAVA
from tests.editions import Edits, edit
from tests.fakes import RememberingEncoder

TEXTS = ["core java", "welding of metals", "nursing care", "fork lift truck", "k8s", "good with people", "bookkeeping"]
TOP_K = 5
NOTHING: frozenset[str] = frozenset()


def texts_of(index: LabelIndex, encoder: RememberingEncoder, texts: list[str] = TEXTS) -> pa.Table:
    """With candidates, and links that are nil."""
    encoded = encoder.encode(texts)
    keys = [text_key(text) for text in texts]
    found = index.candidates(texts, keys, encoded.vectors, TOP_K)
    return pa.table(
        {
            "text_key": keys,
            "text": texts,
            "vector": pack_vectors(encoded),
            "candidates": found.candidates,
            "occupation_uri": found.occupation_uri,
            "concept_uri": pa.nulls(len(texts), pa.string()),
            "group_uri": pa.nulls(len(texts), pa.string()),
            "group_label": pa.nulls(len(texts), pa.string()),
            "top": pa.array([[]] * len(texts), pa.list_(ALTERNATIVE)),
        }
    )


@pytest.fixture(scope="module")
def texts(index: LabelIndex, remembering: RememberingEncoder) -> pa.Table:
    return texts_of(index, remembering)


@pytest.fixture(scope="module")
def names(index: LabelIndex) -> ConceptNames:
    return ConceptNames.from_table(index.concepts)


def with_link(texts: pa.Table, row: int, **link: object) -> pa.Table:
    for name, value in link.items():
        place = texts.schema.get_field_index(name)
        values = texts[name].to_pylist()
        values[row] = value
        texts = texts.set_column(place, texts.schema.field(name), pa.array(values, texts.schema.field(name).type))
    return texts


def kept(texts: pa.Table, index: LabelIndex, names: ConceptNames, touch: Touch, *memories: Memory) -> list[str]:
    found = carried(texts, touch, index, index.only(sorted(touch.relabelled)), names, TOP_K, memories)
    of = dict(zip(texts["text_key"].to_pylist(), texts["text"].to_pylist(), strict=True))
    return [of[key] for key in found["text_key"].to_pylist()]


def test_what_nothing_touches_is_kept_as_it_is(texts: pa.Table, index: LabelIndex, names: ConceptNames) -> None:
    found = carried(texts, Touch(NOTHING, NOTHING, NOTHING, NOTHING), index, index.only([]), names, TOP_K, [])
    for name in ("text_key", "occupation_uri", "candidates"):
        assert found[name].to_pylist() == texts[name].to_pylist()


def test_a_text_whose_candidates_name_what_is_gone_is_touched(
    texts: pa.Table, index: LabelIndex, names: ConceptNames
) -> None:
    last = texts["candidates"][1].as_py()[-1]["concept_uri"]
    having = [text for text, of in zip(TEXTS, texts["candidates"].to_pylist(), strict=True) if last in str(of)]
    left = kept(texts, index, names, Touch(frozenset([last]), NOTHING, NOTHING, NOTHING))
    assert left == [text for text in TEXTS if text not in having]


def test_a_text_that_a_concept_with_new_labels_comes_near_to_is_touched(
    texts: pa.Table, index: LabelIndex, names: ConceptNames
) -> None:
    """A concept that is as near as the candidates, but is none of them: as if its labels were new."""
    row = TEXTS.index("core java")
    nearest, *others = texts["candidates"][row].as_py()
    without = with_link(texts, row, candidates=[*others, others[-1]])
    touch = Touch(NOTHING, frozenset([nearest["concept_uri"]]), NOTHING, NOTHING)
    assert "core java" not in kept(without, index, names, touch)
    assert "nursing care" in kept(without, index, names, touch)


def test_a_text_with_fewer_candidates_than_are_asked_for_takes_any_new_concept(
    texts: pa.Table, index: LabelIndex, names: ConceptNames
) -> None:
    far = texts["candidates"][TEXTS.index("k8s")].as_py()[0]["concept_uri"]
    few = with_link(texts, 2, candidates=texts["candidates"][2].as_py()[:2])
    touch = Touch(NOTHING, frozenset([far]), NOTHING, NOTHING)
    assert "nursing care" in kept(texts, index, names, touch)
    assert "nursing care" not in kept(few, index, names, touch)


def test_a_key_and_a_best_concept_that_moved_touch(texts: pa.Table, index: LabelIndex, names: ConceptNames) -> None:
    uri = index.concept_uris[3].as_py()
    linked = with_link(texts, 0, concept_uri=uri)
    shown = with_link(texts, 2, top=[{"concept_uri": uri, "concept_label": "", "score": 0.5}])
    moved = Touch(NOTHING, NOTHING, frozenset([uri]), NOTHING)
    assert kept(linked, index, names, moved) == TEXTS[1:]
    assert kept(shown, index, names, moved) == [*TEXTS[:2], *TEXTS[3:]]
    by_key = Touch(NOTHING, NOTHING, NOTHING, frozenset([text_key("k8s")]))
    assert kept(texts, index, names, by_key) == [text for text in TEXTS if text != "k8s"]


def test_a_group_goes_by_its_label_to_the_new_uri(texts: pa.Table, index: LabelIndex) -> None:
    uris = index.concept_uris.to_pylist()[:2]
    names = ConceptNames({uris[0]: ("a", "new:g", "doing"), uris[1]: ("b", None, None)})
    top = [{"concept_uri": uri, "concept_label": "", "score": 0.4} for uri in reversed(uris)]
    matched = with_link(texts, 0, concept_uri=uris[0], group_uri="old:g", group_label="doing", top=top)
    ambiguous = with_link(matched, 1, group_uri="old:g", group_label="doing", top=top)
    lost = with_link(ambiguous, 2, group_uri="old:h", group_label="helping", top=top)
    touch = Touch(NOTHING, NOTHING, NOTHING, NOTHING)
    found = carried(lost, touch, index, index.only([]), names, TOP_K, []).to_pylist()
    assert [(row["group_uri"], row["group_label"]) for row in found[:2]] == [("new:g", "doing")] * 2
    assert found[2]["text_key"] == text_key(TEXTS[3])


def test_a_text_that_memory_votes_for_what_is_gone_is_touched(
    texts: pa.Table, index: LabelIndex, names: ConceptNames, remembering: RememberingEncoder
) -> None:
    many = [f"sort number {number}" for number in range(12)]
    strings = ["core javas", *many]
    judged = entries(("concept", ["u:gone"]), *[("concept", ["u:there"])] * len(many))
    judged = judged.set_column(1, "text", pa.array(strings))
    memory = Memory(judged, remembering.encode(strings).vectors.astype(np.float32), index.concept_row)
    touch = Touch(frozenset(["u:gone"]), NOTHING, NOTHING, NOTHING)
    vectors = remembering.encode(TEXTS).vectors
    votes = memory.votes(TEXTS, vectors)
    near = (votes.neighbours == 0).any(axis=1) & (votes.cosine[:, 0] > 0)
    assert near[0]
    assert not near.all()
    assert kept(texts, index, names, touch, memory) == [t for t, n in zip(TEXTS, near, strict=True) if not n]
    judged_anew = Touch(NOTHING, NOTHING, NOTHING, frozenset(["k0"]))
    assert kept(texts, index, names, judged_anew, memory) == kept(texts, index, names, touch, memory)
    assert kept(texts, index, names, Touch(frozenset(["u:other"]), NOTHING, NOTHING, NOTHING), memory) == TEXTS


def test_what_an_edition_does_not_touch_is_what_retrieval_from_nothing_finds(
    taxonomy: Taxonomy, sample_path: Path, index: LabelIndex, remembering: RememberingEncoder, tmp_path: Path
) -> None:
    shutil.copytree(sample_path, tmp_path / "edition")
    strings = sorted({label for label in taxonomy.labels["text"].to_pylist() if len(label) % 3 == 0})[:150]
    having = taxonomy.labels.to_pandas().query("kind == 'alternative'")["concept_uri"].value_counts()
    edits = Edits.of(sorted(having.index[having >= 2])[:7])
    edit(tmp_path / "edition", edits)
    new = read_taxonomy(find_bundle(tmp_path / "edition"))
    vectors = remembering.encode(new.labels["text"].to_pylist()).vectors
    later = LabelIndex.build(new.concepts, new.labels, new.relations, new.occupations, vectors)
    texts = texts_of(index, remembering, strings)
    touch = Touch.of(diff_taxonomies(taxonomy, new), relabelled(taxonomy, new), retitled(taxonomy, new))
    nearby = later.only(sorted(touch.relabelled))
    found = carried(texts, touch, later, nearby, ConceptNames.from_table(later.concepts), TOP_K, [])
    assert 50 < found.num_rows < len(strings)
    fresh = texts_of(later, remembering, strings)
    expected = dict(zip(fresh["text_key"].to_pylist(), fresh["candidates"].to_pylist(), strict=True))
    for key, candidates in zip(found["text_key"].to_pylist(), found["candidates"].to_pylist(), strict=True):
        assert {one["concept_uri"] for one in candidates} == {one["concept_uri"] for one in expected[key]}
        by_uri = {one["concept_uri"]: one for one in expected[key]}
        for one in candidates:
            same = by_uri[one["concept_uri"]]
            assert one["cosine"] == pytest.approx(same["cosine"], abs=1e-5)
            assert one["ngram"] == pytest.approx(same["ngram"], abs=0.1)
            assert one["occupations"] == same["occupations"]


def test_a_concept_with_another_label_or_kind_of_one_is_relabelled(tmp_path: Path) -> None:
    def taxonomy(name: str, *rows: list[str]) -> Taxonomy:
        (tmp_path / name).mkdir()
        return taxonomy_of(tmp_path / name, small_files() | {"skills_en.csv": sheet(SKILL_COLUMNS, *rows)})

    kept, gone = skill("u:kept", "Java", "java se\njvaa"), skill("u:gone", "COBOL")
    before = [
        kept,
        gone,
        skill("u:hidden", "sql", "sequel"),
        skill("u:renamed", "c"),
        skill("u:case", "wiring", "Wire"),
    ]
    after = [kept, skill("u:hidden", "sql", "", "sequel"), skill("u:renamed", "C"), skill("u:case", "wiring", "wire")]
    assert relabelled(taxonomy("a", *before), taxonomy("b", *after, skill("u:new", "rust"))) == {
        "u:hidden",
        "u:renamed",
        "u:new",
    }


def lexicon(**concepts: str) -> Lexicon:
    found = {
        key: Entry(key, key, key, "skill", (uri,) if uri else (), (), "", "ours", "", False)
        for key, uri in concepts.items()
    }
    return Lexicon.of("en", found)


def test_a_text_that_lexicon_or_curators_say_otherwise_of_is_told() -> None:
    """Of concepts that came, went or were followed; a decision on a concept that neither version has waits on."""
    said = lexicon(stays="u:stays", gone="u:gone", came="u:came", followed="u:old", waits="u:nowhere", none="")
    decided = [
        replace(JAVA, raw=raw, concept_uri=uri)
        for raw, uri in (("one", "u:stays"), ("two", "u:gone"), ("three", "u:nowhere"), ("four", "u:nowhere again"))
    ]
    decided.append(replace(JAVA, raw="five", source="feed", concept_uri="u:came"))
    successors = {"u:old": ("u:new",), "u:nowhere again": ("u:came",)}
    before = Decisions.under({"u:stays", "u:gone", "u:old"}, said, decided, successors)
    now = Decisions.under({"u:stays", "u:came", "u:new"}, said, decided, successors)
    expected = {"gone", "came", "followed", *(text_key(text) for text in ("two", "four", "five"))}
    assert now.differing(before) == before.differing(now) == expected
    assert now.differing(now) == set()
    assert before.lexicon.lexicon_id == said.lexicon_id != now.lexicon.lexicon_id


def test_a_concept_is_used_by_as_many_occupations_as_the_new_version_says(
    taxonomy: Taxonomy, index: LabelIndex, texts: pa.Table, label_vectors: np.ndarray
) -> None:
    fewer = taxonomy.relations.slice(0, taxonomy.relations.num_rows // 2)
    later = LabelIndex.build(taxonomy.concepts, taxonomy.labels, fewer, taxonomy.occupations, label_vectors)
    touch, names = Touch(NOTHING, NOTHING, NOTHING, NOTHING), ConceptNames.from_table(later.concepts)
    found = carried(texts, touch, later, later.only([]), names, TOP_K, [])
    count = dict(zip(later.concept_uris.to_pylist(), later.occupations.tolist(), strict=True))
    for now, before in zip(found["candidates"].to_pylist(), texts["candidates"].to_pylist(), strict=True):
        assert [one["occupations"] for one in now] == [count[one["concept_uri"]] for one in before]
    assert found["candidates"].to_pylist() != texts["candidates"].to_pylist()


def test_an_occupations_label_that_came_or_went_or_is_anothers_touches(taxonomy: Taxonomy) -> None:
    occupations = taxonomy.occupations.to_pylist()
    gone, other = occupations[0]["labels"][-1], occupations[1]
    changed = [
        {**occupations[0], "labels": [*occupations[0]["labels"][:-1], "an entirely new title"]},
        {**other, "occupation_uri": "u:other"},
        *occupations[2:],
    ]
    later = Taxonomy(
        **{**vars(taxonomy), "occupations": pa.Table.from_pylist(changed, schema=taxonomy.occupations.schema)}
    )
    expected = {gone.casefold(), "an entirely new title", *(label.casefold() for label in other["labels"])}
    assert retitled(taxonomy, later) == {text_key(label) for label in expected}
    assert retitled(taxonomy, taxonomy) == set()
