"""What is learnt from: each source on the sample taxonomy, nothing held out in it, and what masks false negatives."""

import gzip
from importlib.resources import files
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from skillsim.encoder import Encoder
from skillsim.errors import JudgedError, TrainingError
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.text import parse_mention
from tests.training.test_protocol import Letters
from training.pairs import _PAIRED, Material, dataset
from training.recipe import Source
from training.splits import with_folds
from training.splits.held_out import Concepts, is_held_out
from training.train import learnable

SAMPLE = Path(str(files("skillsim") / "data" / "sample" / "taxonomy"))


@pytest.fixture(scope="module")
def concepts() -> Concepts:
    return Concepts(read_taxonomy(find_bundle(SAMPLE)))


def judged_of(*rows: tuple[str, str, str, tuple[str, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["text", "status", "meaning", "accepted"])
    return frame.assign(kind="skill", text_key=frame["text"])


def material(concepts: Concepts, judged: pd.DataFrame | None = None, **options: object) -> Material:
    encoder: Encoder = Letters()
    return Material(concepts, judged_of() if judged is None else judged, encoder=encoder, **options)  # type: ignore[arg-type]


def ranking(pairs: str, **options: object) -> Source:
    return Source(pairs=pairs, loss="MultipleNegativesRanking", **options)  # type: ignore[arg-type]


def holders(concepts: Concepts, text: str) -> set[str]:
    return {uri for uri, labels in concepts.labels.items() if text in labels}


def test_labels_are_of_one_concept_that_is_not_held_out(concepts: Concepts) -> None:
    of = material(concepts)
    found = dataset(of, ranking("labels", draws=2), 0)
    assert len(found) > 300
    for row in found.itertuples():
        assert row.answers in map(tuple, of.labels.values())
        assert {row.anchor, row.positive} <= set(row.answers)


def test_no_text_of_a_held_out_concept_is_learnt(concepts: Concepts) -> None:
    out = {text for uri, labels in concepts.labels.items() if is_held_out(uri) for text in labels}
    of = material(concepts)
    for source in (
        ranking("labels", hard_negatives=True),
        ranking("occupations"),
        ranking("descriptions"),
        Source(pairs="graded", loss="CoSENT"),
        Source(pairs="seed", loss="CosineSimilarity"),
    ):
        frame = dataset(of, source, 0).drop(columns="answers", errors="ignore")
        assert not out & set(frame.select_dtypes("object").to_numpy().ravel()), source.pairs
    assert out & set(dataset(material(concepts, everything=True), ranking("labels"), 0)["anchor"])


def test_half_of_the_labels_meet_the_preferred_one(concepts: Concepts) -> None:
    found = dataset(material(concepts), ranking("labels", draws=4), 0)
    preferred = [row.positive == row.answers[0] for row in found.itertuples()]
    assert 0.4 < sum(preferred) / len(preferred) < 0.75


def test_noise_changes_a_share_of_the_anchors(concepts: Concepts) -> None:
    found = dataset(material(concepts), ranking("labels", noise=0.5), 0)
    spoilt = [row.anchor for row in found.itertuples() if row.anchor not in row.answers]
    assert 0.25 < len(spoilt) / len(found) < 0.5
    assert all(parse_mention(text).text == text for text in spoilt)


def test_a_seed_gives_the_same_rows_and_another_others(concepts: Concepts) -> None:
    source = ranking("labels", noise=0.5, rows=100, hard_negatives=True)
    once, again, other = (dataset(material(concepts), source, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(once, again)
    assert len(other) == 100
    assert not once.equals(other)


def test_hard_negatives_are_of_near_concepts_and_no_answers(concepts: Concepts) -> None:
    of = material(concepts, judged_of(("zzz", "nil", "", ())))
    found = dataset(of, ranking("labels", hard_negatives=True), 0)
    uri_of = {tuple(labels): uri for uri, labels in of.labels.items()}
    for row in found.itertuples():
        assert row.negative not in row.answers
        near = of.near[uri_of[row.answers]]
        assert row.negative == "zzz" or row.negative in [of.labels[uri][0] for uri in near]
    assert (found["negative"] == "zzz").any()


def test_an_accepted_concept_is_no_hard_negative(concepts: Concepts) -> None:
    of = material(concepts)
    uri = next(uri for uri in of.uris if len(of.near[uri]) > 3)
    accepted = (uri, *of.near[uri][:-1])
    judged = judged_of(*((f"string {n}", "linked", "", accepted) for n in range(40)))
    found = dataset(material(concepts, judged), ranking("judged", hard_negatives=True), 0)
    assert set(found["negative"]) == {of.labels[of.near[uri][-1]][0]}


def test_graded_pairs_have_their_scores(concepts: Concepts) -> None:
    found = dataset(material(concepts), Source(pairs="graded", loss="CoSENT"), 0)
    assert set(found["score"]) == {0.0, 0.4, 0.6, 1.0}
    for row in found[found["score"] == 1].itertuples():
        assert holders(concepts, row.a) & holders(concepts, row.b)
    for row in found[found["score"] == 0.4].itertuples():
        assert any(set(concepts.siblings[uri]) & holders(concepts, row.b) for uri in holders(concepts, row.a))


def test_the_seeds_pairs_are_positive_random_and_sibling(concepts: Concepts) -> None:
    found = dataset(material(concepts), Source(pairs="seed", loss="CosineSimilarity"), 0)
    assert 0.5 <= found["score"].mean() < 0.55
    for row in found[found["score"] == 0].itertuples():
        assert row.b not in concepts.labels[min(holders(concepts, row.a))] or len(holders(concepts, row.a)) > 1


def test_an_occupation_meets_its_skills_and_all_are_its_answers(concepts: Concepts) -> None:
    of = material(concepts)
    found = dataset(of, ranking("occupations"), 0)
    by_title = {t.casefold(): uri for uri, titles in concepts.titles.items() for t in titles}
    for row in found.itertuples():
        uri = by_title[row.anchor]
        assert not is_held_out(uri)
        assert set(row.answers) == {of.labels[s][0] for s in concepts.skills[uri] if s in of.labels}
        assert row.positive in row.answers


def test_judged_strings_and_meanings_meet_their_concept(concepts: Concepts) -> None:
    kept = material(concepts).uris[0]
    out = next(uri for uri in concepts.labels if is_held_out(uri))
    judged = judged_of(
        ("abc", "linked", "A Better Concept", (kept,)),
        ("hidden one", "linked", "", (out,)),
        ("half hidden", "linked", "", (kept, out)),
        ("ofac", "nil", "sanctions rules", ()),
        ("nothing", "nil", "", ()),
        ("vanished", "linked", "", ("urn:gone",)),
        ("half vanished", "linked", "", ("urn:gone", kept)),
    )
    label = concepts.labels[kept][0]
    found = dataset(material(concepts, judged), ranking("judged"), 0)
    assert set(found[["anchor", "positive"]].itertuples(index=False, name=None)) == {
        ("abc", label),
        ("abc", "half vanished"),
        ("half vanished", label),
        ("half vanished", "abc"),
        ("a better concept", label),
        ("ofac", "sanctions rules"),
    }
    assert {"abc", "half vanished", "a better concept", label} <= set(
        found.set_index("anchor").loc["abc", "answers"].iloc[0]
    )


def test_strings_of_v_and_their_near_duplicates_are_not_learnt_from() -> None:
    texts = ["public speaking", "speaking public", "welding", "mig welding", "chess"]
    judged = judged_of(*((text, "nil", "", ()) for text in texts))
    judged.loc[4, "status"] = "disputed"
    splits = pd.DataFrame(
        {"fold": [1, 1, 2, 3, 4], "validation": [True, False, False, False, False]}, index=judged["text_key"]
    )
    assert learnable(with_folds(judged, splits))["text"].tolist() == ["welding", "mig welding"]
    assert learnable(with_folds(judged, splits), [3])["text"].tolist() == ["welding"]
    with pytest.raises(TrainingError, match="--without-fold 10: folds are 0 to 9"):
        learnable(with_folds(judged, splits), [10])
    with pytest.raises(JudgedError, match="1 judged strings, as 'welding', are not in the split"):
        with_folds(judged, splits.drop("welding"))


def test_other_sources_are_read_by_their_columns(concepts: Concepts, tmp_path: Path) -> None:
    (tmp_path / "github_topic_aliases.tsv").write_text("topic\tdisplay_name\talias\nk8s\tKubernetes\tkube-ctl\n")
    with gzip.open(tmp_path / "onet_technology_skills.txt.gz", "wt") as file:
        file.write("Example\tCommodity Title\n" + "Adobe Acrobat\tDocument management software\n" * 2)
    of = material(concepts, extra=tmp_path)
    assert dataset(of, ranking("github_aliases"), 0)[["anchor", "positive"]].values.tolist() == [
        ["kube ctl", "kubernetes"]
    ]
    assert dataset(of, ranking("onet_products"), 0)[["anchor", "positive"]].values.tolist() == [
        ["adobe acrobat", "document management software"]
    ]


def test_names_of_held_out_concepts_are_no_pairs_of_other_sources_either(concepts: Concepts, tmp_path: Path) -> None:
    out, known = (
        next(labels[0] for uri, labels in sorted(concepts.labels.items()) if is_held_out(uri) == wanted)
        for wanted in (True, False)
    )
    rows = [("a", out, "one"), ("b", "two", out), ("c", known, "three")]
    aliases = "\n".join("\t".join(row) for row in [("topic", "display_name", "alias"), *rows])
    (tmp_path / "github_topic_aliases.tsv").write_text(aliases)
    with gzip.open(tmp_path / "onet_technology_skills.txt.gz", "wt") as file:
        file.write(f"Example\tCommodity Title\n{out}\tone\ntwo\t{out}\nthree\t{known}\n")
    for source in ("github_aliases", "onet_products"):
        of = dataset(material(concepts, extra=tmp_path), ranking(source), 0)
        assert of[["anchor", "positive"]].values.tolist() == [["three", known]]
        every = dataset(material(concepts, extra=tmp_path, everything=True), ranking(source), 0)
        assert len(every) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "which is not in"), ("topic\talias\na\tb\n", "no column display_name; it has topic, alias")],
)
def test_a_source_that_cannot_be_read_is_named(
    concepts: Concepts, tmp_path: Path, content: str | None, message: str
) -> None:
    if content:
        (tmp_path / "github_topic_aliases.tsv").write_text(content)
    with pytest.raises(TrainingError, match=message) as raised:
        dataset(material(concepts, extra=tmp_path), ranking("github_aliases"), 0)
    assert "github_topic_aliases.tsv" in str(raised.value)


def test_a_source_without_rows_is_an_error(concepts: Concepts) -> None:
    with pytest.raises(TrainingError, match="source judged has no pair"):
        dataset(material(concepts), ranking("judged"), 0)


def test_rows_are_shuffled(concepts: Concepts) -> None:
    anchors = dataset(material(concepts), ranking("labels"), 0)["anchor"].tolist()
    assert anchors != sorted(anchors)
    assert [a for a, *_ in _PAIRED["labels"](material(concepts), Random(0))] != anchors
