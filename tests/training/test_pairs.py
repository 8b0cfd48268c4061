"""What is learnt from: each source on the sample taxonomy, nothing held out in it, and what masks false negatives."""

import gzip
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from skillsim.encoder import Encoder
from skillsim.errors import TrainingError
from skillsim.esco import find_bundle, read_taxonomy
from tests.training.test_protocol import Letters
from training.pairs import Material, dataset
from training.recipe import Source
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


def test_labels_belong_to_one_concept_that_is_not_held_out(concepts: Concepts) -> None:
    found = dataset(material(concepts), ranking("labels", draws=2), 0)
    assert len(found) > 300
    for row in found.itertuples():
        assert not is_held_out(row.group)
        assert row.group in holders(concepts, row.anchor) & holders(concepts, row.positive)
    everything = dataset(material(concepts, everything=True), ranking("labels"), 0)
    assert any(map(is_held_out, everything["group"]))


def test_half_of_the_labels_meet_the_preferred_one(concepts: Concepts) -> None:
    found = dataset(material(concepts), ranking("labels", draws=4), 0)
    preferred = [row.positive == concepts.labels[row.group][0] for row in found.itertuples()]
    assert 0.4 < sum(preferred) / len(preferred) < 0.75


def test_noise_changes_a_share_of_the_anchors(concepts: Concepts) -> None:
    found = dataset(material(concepts), ranking("labels", noise=0.5), 0)
    spoilt = sum(row.anchor not in concepts.labels[row.group] for row in found.itertuples()) / len(found)
    assert 0.3 < spoilt < 0.5


def test_a_seed_gives_the_same_rows_and_another_others(concepts: Concepts) -> None:
    source = ranking("labels", noise=0.5, rows=100, hard_negatives=True)
    once, again, other = (dataset(material(concepts), source, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(once, again)
    assert len(other) == 100
    assert not once.equals(other)


def test_hard_negatives_are_of_near_concepts_that_share_no_label(concepts: Concepts) -> None:
    nil = judged_of(("zzz", "nil", "", ()))
    of = material(concepts, nil)
    found = dataset(of, ranking("labels", hard_negatives=True), 0)
    for row in found.itertuples():
        assert row.negative not in concepts.labels[row.group]
        assert row.negative == "zzz" or any(row.negative == concepts.labels[uri][0] for uri in of.near[row.group])
    assert (found["negative"] == "zzz").any()


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


def test_an_occupation_meets_its_skills(concepts: Concepts) -> None:
    found = dataset(material(concepts), ranking("occupations"), 0)
    for row in found.itertuples():
        assert not is_held_out(row.group)
        assert row.anchor in [title.casefold() for title in concepts.titles[row.group]]
        assert holders(concepts, row.positive) & set(concepts.skills[row.group])


def test_judged_strings_and_meanings_meet_their_concept(concepts: Concepts) -> None:
    kept = next(uri for uri in concepts.labels if not is_held_out(uri))
    out = next(uri for uri in concepts.labels if is_held_out(uri))
    judged = judged_of(
        ("abc", "linked", "A Better Concept", (kept,)),
        ("hidden one", "linked", "", (out,)),
        ("ofac", "nil", "sanctions rules", ()),
        ("nothing", "nil", "", ()),
        ("vanished", "linked", "", ("urn:gone",)),
    )
    label = concepts.labels[kept][0]
    found = dataset(material(concepts, judged), ranking("judged"), 0)
    assert set(found[["anchor", "positive", "group"]].itertuples(index=False, name=None)) == {
        ("abc", label, kept),
        ("a better concept", label, kept),
        ("ofac", "sanctions rules", "ofac"),
    }


def test_strings_of_v_and_their_near_duplicates_are_not_learnt_from() -> None:
    texts = ["public speaking", "speaking public", "welding", "mig welding", "chess"]
    judged = judged_of(*((text, "nil", "", ()) for text in texts))
    judged.loc[4, "status"] = "disputed"
    splits = pd.DataFrame(
        {"fold": [1, 1, 2, 3, 4], "validation": [True, False, False, False, False]}, index=judged["text_key"]
    )
    assert learnable(judged, splits)["text"].tolist() == ["welding", "mig welding"]
    assert learnable(judged, splits, [3])["text"].tolist() == ["welding"]


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
    groups = dataset(material(concepts), ranking("labels"), 0)["group"].tolist()
    assert groups != sorted(groups)
