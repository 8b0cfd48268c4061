"""The library's front door: a bundle in, a table of links out, and an index that is made once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skillsim import Normaliser, normaliser, similarity
from skillsim.config import load_config
from skillsim.decider import FittedFor
from skillsim.encoder import TorchEncoder
from skillsim.errors import ModelError, TaxonomyError
from skillsim.lexicon import Lexicon
from skillsim.model_files import ModelFiles
from skillsim.normaliser import RESULT
from tests.fakes import FakeEncoder, RememberingEncoder, fitted_file

SKILLS = ["Core Java", " weld  METAL ", "12345", "core_java", "", "dba", "zzxqy vfrtg", "Core Java", "a@b.example"]


@pytest.fixture(scope="module")
def linker(sample_path: Path, remembering: RememberingEncoder, tmp_path_factory: pytest.TempPathFactory) -> Normaliser:
    """On the sample with the built-in model, which embeds each label once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normaliser, "load_encoder", lambda *args: remembering)
        return Normaliser.from_esco(sample_path, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def links(linker: Normaliser) -> pd.DataFrame:
    return linker.link(SKILLS)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    """Takes the place of the built-in model, under the model id that its files have."""
    stand_in = FakeEncoder()

    def load(files: ModelFiles, *args: object) -> FakeEncoder:
        stand_in.model_id = files.model_id
        return stand_in

    monkeypatch.setattr(normaliser, "load_encoder", load)
    return stand_in


def folders(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


# --- linking ----------------------------------------------------------------------------------------------


def test_one_row_a_string_in_order_with_the_stated_columns(links: pd.DataFrame) -> None:
    assert list(links.columns) == RESULT.names
    assert links["raw"].tolist() == SKILLS


def test_spellings_of_one_skill_are_linked_alike(links: pd.DataFrame) -> None:
    first, *others = links.iloc[[0, 3, 7]].drop(columns="raw").to_dict("records")
    assert first["text"] == "core java"
    for other in others:
        assert str(other) == str(first)


@pytest.mark.parametrize(
    ("raw", "status", "concept"),
    [
        ("weld metal", "matched", "weld-metal"),
        ("Core Java", "matched", "java"),
        ("Accountant", "not_skill", None),
        ("zzxqy vfrtg", "nil", None),
    ],
)
def test_what_the_sample_says(linker: Normaliser, raw: str, status: str, concept: str | None) -> None:
    (row,) = linker.link_table([raw]).to_pylist()
    assert row["status"] == status
    assert (row["concept_uri"] and row["concept_uri"].rsplit("/")[-1]) == concept
    assert row["candidates"][0]["label"]
    assert len(row["top"]) == 3


def test_a_job_title_that_is_a_concepts_label_too_is_a_skill(linker: Normaliser) -> None:
    (row,) = replace(linker, lexicon=Lexicon.of("en", {})).link_table(["DBA"]).to_pylist()
    assert row["status"] in ("matched", "ambiguous")
    assert row["candidates"][0]["exact"] == "alternative"


def test_the_lexicon_decides_what_it_holds(linker: Normaliser) -> None:
    """The sample's taxonomy has none of its concepts, so that what is left are titles and junk."""
    (row,) = linker.link_table(["DBA"]).to_pylist()
    assert (row["status"], row["reason"], row["method"]) == ("not_skill", "job title, by the lexicon", "lexicon")
    assert (row["score"], len(row["candidates"])) == (None, 30)


def test_rejected_strings_keep_their_row_and_say_why(links: pd.DataFrame) -> None:
    rejected = links[links["status"] == "rejected"]
    assert dict(zip(rejected["raw"], rejected["reason"], strict=True)) == {
        "12345": "number", "": "empty", "a@b.example": "email"
    }  # fmt: skip
    assert rejected.drop(columns=["raw", "status", "reason"]).isna().all(axis=None)


def test_level_and_years_of_the_string_are_told(linker: Normaliser) -> None:
    (row,) = linker.link_table(["weld metal (expert, 5 years)"]).to_pylist()
    assert (row["text"], row["proficiency"], row["years"]) == ("weld metal", "expert", 5.0)


def test_one_string_is_not_taken_for_its_letters(linker: Normaliser) -> None:
    with pytest.raises(TypeError, match=r"write \['Java'\]"):
        linker.link("Java")
    with pytest.raises(TypeError, match=r"write \['Java'\]"):
        similarity("Java", ["nursing"])


def test_half_a_surrogate_pair_costs_its_own_string_only(linker: Normaliser) -> None:
    rows = linker.link_table(["weld metal\ud800", "weld metal"]).to_pylist()
    assert rows[0]["raw"] == "weld metal?"
    assert rows[1]["status"] == "matched"


def test_a_match_has_label_group_and_score(linker: Normaliser) -> None:
    (row,) = linker.link_table(["weld metal"]).to_pylist()
    assert (row["concept_label"], row["method"], row["score"]) == ("weld metal", "exact", 1.0)
    assert row["group_uri"].startswith("https://skillsim.example/group/")
    assert row["group_label"]
    assert row["probability"] is None


def test_no_signal_is_nan(linker: Normaliser) -> None:
    rows = linker.link_table([*SKILLS, "ß", "c++ & c#", "护理"]).to_pylist()
    signals = [
        candidate[name]
        for row in rows
        for candidate in row["candidates"] or ()
        for name in ("cosine", "preferred_cosine", "ngram")
    ]
    assert len(signals) > 3 * 12
    assert np.isfinite(signals).all()
    assert all(np.isfinite(row["score"]) for row in rows if row["method"] not in (None, "lexicon"))


@pytest.mark.parametrize("skills", [[], ["", "123"]])
def test_nothing_to_link_gives_the_same_columns(linker: Normaliser, skills: list[str]) -> None:
    table = linker.link_table(skills)
    assert table.schema == RESULT
    assert table["raw"].to_pylist() == skills
    assert list(linker.link(skills).columns) == RESULT.names


def test_a_text_without_a_vector_is_named_and_the_others_are_linked(
    sample_path: Path, fake: FakeEncoder, tmp_path: Path
) -> None:
    linker = Normaliser.from_esco(sample_path, cache=tmp_path)
    fake.failing = {"core java": "text: no"}
    rows = linker.link_table(["weld metal", "Core Java", "nursing"]).to_pylist()
    assert (rows[1]["status"], rows[1]["reason"], rows[1]["candidates"]) == (
        "ambiguous",
        "not embedded: text: no",
        None,
    )
    assert [row["candidates"] is not None for row in rows] == [True, False, True]
    exact = ("raw", "text", "status", "reason", "concept_uri", "method")
    for row in (rows[0], rows[2]):  # each still with its own vector; the last bits vary with the batch
        alone = linker.link_table([row["raw"]]).to_pylist()[0]
        assert {name: alone[name] for name in exact} == {name: row[name] for name in exact}
        cosines = [[found["cosine"] for found in link["candidates"]] for link in (alone, row)]
        assert cosines[0] == pytest.approx(cosines[1], abs=1e-4)


# --- a fitted decision ------------------------------------------------------------------------------------


@pytest.fixture
def fitted(sample_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: TorchEncoder) -> Normaliser:
    """Of random weights, with a lexicon of three rows."""
    words = tmp_path / "words.csv"
    rows = [
        "java ee,en,https://skillsim.example/skill/java,exact,skill",
        "head nurse,en,,,title",
        "teem work,en,,,skill",
    ]
    words.write_text("\n".join(["string,language,concept_uri,match,kind", *rows]), encoding="utf-8")
    family = "https://skillsim.example/skill"
    path = fitted_file(tmp_path / "d.safetensors", FittedFor(encoder.model_id, "en", family, 30, False), (0.02, 0.01))
    settings = [f"linking.decider={path}", "linking.builtin_lexicon=false", f"linking.lexicon={words}"]
    monkeypatch.setattr(normaliser, "load_encoder", lambda *args: RememberingEncoder(encoder))
    return Normaliser.from_esco(sample_path, cache=tmp_path / "cache", config=load_config(None, settings))


def test_a_fitted_decision_gives_probabilities_and_says_why(
    fitted: Normaliser, remembering: RememberingEncoder
) -> None:
    rows = replace(fitted, encoder=remembering).link_table(["javas", "weld metal", "Java EE", "123", ""]).to_pylist()
    javas, weld, ee = rows[:3]
    assert javas["probability"] == javas["score"] == max(one["score"] for one in javas["candidates"])
    assert sum(one["score"] for one in javas["candidates"]) < 1
    scores = [one["score"] for one in javas["candidates"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) >= 30
    assert (weld["status"], weld["method"]) == ("matched", "exact")
    assert (ee["method"], ee["probability"]) == ("lexicon", None)
    assert (rows[3]["status"], rows[3]["candidates"]) == ("rejected", None)
    unjudged = fitted.without(["Java EE"])
    assert "java ee" not in [entry.text for entry in unjudged.lexicon.entries.values()]
    assert unjudged.memory.entries.num_rows == 2  # type: ignore[union-attr]
    assert unjudged.link_table(["Java EE"])["method"].to_pylist() != ["lexicon"]


def test_a_link_is_explained_with_its_evidence(fitted: Normaliser) -> None:
    first, *evidence, judged = fitted.explain("Core Java").splitlines()
    assert first.startswith(("Most likely ", "Undecided between ", "No concept is likely", "It reads like"))
    assert len(evidence) == 3
    assert judged.startswith("judged strings near it: 'java ee' = Java (0.")
    assert fitted.explain("12345") == "Rejected by the text rules: number."
    assert fitted.explain("Java EE").startswith("The skill lexicon holds this very text: Java.")


# --- the index --------------------------------------------------------------------------------------------


def test_the_labels_are_embedded_once(sample_path: Path, fake: FakeEncoder, tmp_path: Path) -> None:
    first = Normaliser.from_esco(sample_path, cache=tmp_path)
    assert len(fake.encoded) == first.index.labels.num_rows > 1_000
    fake.encoded.clear()
    second = Normaliser.from_esco(sample_path, cache=tmp_path)
    assert fake.encoded == []
    assert second.link_table(SKILLS).equals(first.link_table(SKILLS))
    assert len(folders(tmp_path)) == 1


def test_another_model_or_bundle_gets_another_index(sample_path: Path, fake: FakeEncoder, tmp_path: Path) -> None:
    cache, bundle = tmp_path / "cache", tmp_path / "bundle"
    bundle.mkdir()
    skills = (sample_path / "skills_en.csv").read_text(encoding="utf-8")
    (bundle / "skills_en.csv").write_text("\n".join(skills.splitlines()[:1] + _one_skill(skills)), encoding="utf-8")
    Normaliser.from_esco(sample_path, cache=cache)
    one = folders(cache)
    other_bundle = Normaliser.from_esco(bundle, cache=cache)
    two = folders(cache)
    prompted = load_config(assignments=["encoder.prompt=skill: "])
    Normaliser.from_esco(bundle, cache=cache, config=prompted)
    assert [len(one), len(two), len(folders(cache))] == [1, 2, 3]
    assert one < two < folders(cache)
    assert other_bundle.index.concepts["preferred_label"].to_pylist() == ["SQL"]


def _one_skill(skills: str) -> list[str]:
    columns = skills.splitlines()[0].split(",")
    cells = {"conceptUri": "u:sql", "preferredLabel": "SQL", "altLabels": "structured query language"}
    return [",".join(cells.get(column, "") for column in columns)]


def test_a_label_without_a_vector_is_left_out_of_the_index(
    sample_path: Path, fake: FakeEncoder, tmp_path: Path
) -> None:
    fake.failing = {"core java": "text: no", "weld metal": "text: no"}
    index = Normaliser.from_esco(sample_path, cache=tmp_path).index
    texts = index.labels["text"].to_pylist()
    assert not {"core java", "weld metal"} & set(texts)
    assert "java" in texts
    np.testing.assert_array_equal(index.matrix, FakeEncoder().encode(texts).vectors)


def test_an_index_is_not_kept_without_the_labels_that_a_device_failed_on(
    sample_path: Path, fake: FakeEncoder, tmp_path: Path
) -> None:
    fake.failing = {"weld metal": "device: out of memory"}
    with pytest.raises(ModelError, match=r"1 labels have no vector.*try again"):
        Normaliser.from_esco(sample_path, cache=tmp_path)
    fake.failing = {}
    (row,) = Normaliser.from_esco(sample_path, cache=tmp_path).link_table(["weld metal"]).to_pylist()
    assert row["status"] == "matched"


def test_settings_come_from_the_config(sample_path: Path, fake: FakeEncoder, tmp_path: Path) -> None:
    config = load_config(
        assignments=["linking.threshold=1", "linking.nil_threshold=1", "retrieval.top_k=5", "input.max_length=12"]
    )
    linker = Normaliser.from_esco(sample_path, cache=tmp_path, config=config)
    matched, nil, long = linker.link_table(["weld metal", "weld metals", "weld a lot of metal"]).to_pylist()
    assert (matched["status"], nil["status"]) == ("matched", "nil")
    assert (long["status"], long["reason"]) == ("rejected", "too_long")
    assert len(nil["candidates"]) == 5


def test_a_missing_bundle_or_model_is_named(sample_path: Path, tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="does not exist"):
        Normaliser.from_esco(tmp_path / "none", cache=tmp_path)
    with pytest.raises(ModelError, match="no such folder"):
        Normaliser.from_esco(sample_path, model="./none", cache=tmp_path)


# --- similarity -------------------------------------------------------------------------------------------


def test_similarity_is_a_matrix_that_knows_what_is_near(
    monkeypatch: pytest.MonkeyPatch, remembering: RememberingEncoder
) -> None:
    normaliser._encoder.cache_clear()
    monkeypatch.setattr(normaliser, "load_encoder", lambda *args: remembering)
    matrix = similarity(["java programming", "nursing"], ["core java", "nursing", "patient care"])
    assert matrix.shape == (2, 3)
    assert np.isfinite(matrix).all()
    assert matrix[0, 0] > normaliser.DEFINITELY_RELATED > matrix[0, 1]
    assert matrix[1, 1] == pytest.approx(1, abs=2e-3)
    assert matrix[1].argsort().tolist() == [0, 2, 1]
    assert similarity([], ["java"]).shape == (0, 1)
    assert similarity(["java"], []).shape == (1, 0)
    normaliser._encoder.cache_clear()


def test_similarity_refuses_a_string_without_a_vector(fake: FakeEncoder) -> None:
    normaliser._encoder.cache_clear()
    fake.failing = {"java": "text: no"}
    with pytest.raises(ValueError, match=r"'java' has no vector \(text: no\)"):
        similarity(["java"], ["nursing"])
    normaliser._encoder.cache_clear()
