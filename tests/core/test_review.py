"""The review sheet: what is asked first, that it comes back as it went out, and what cannot be taken."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from skillsim.errors import ReviewError
from skillsim.review import (
    COLUMNS,
    Cluster,
    keys_of_clusters,
    read_sheet,
    review_sheet,
    take_decisions,
    uncertainty,
    write_sheet,
)
from skillsim.text import text_key

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
CONCEPTS = {"u:1": "Java (computer programming)", "u:2": "coffee", "u:3": "island", "u:4": "Coffee"}
TOP = [{"concept_uri": f"u:{n}", "concept_label": CONCEPTS[f"u:{n}"], "score": 1 - n / 10} for n in (1, 2, 3)]


def texts(*rows: tuple[str, int, float | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["text", "mentions", "confidence"])
    return frame.assign(records=frame["mentions"], status="ambiguous", reason="below", top=[TOP] * len(frame))


def filled(**columns: list[str]) -> pd.DataFrame:
    sheet = review_sheet(texts(*[(text, 10 - n, 0.5) for n, text in enumerate(columns.pop("text"))]), 99)
    return sheet.assign(**columns)


def test_uncertainty_is_highest_at_one_half() -> None:
    assert uncertainty(pd.Series([0.0, 0.25, 0.5, 0.75, 1.0, None])).tolist() == [0.0, 0.5, 1.0, 0.5, 0.0, 1.0]


def test_the_most_mentioned_of_the_least_sure_come_first() -> None:
    sheet = review_sheet(texts(("sure", 900, 0.99), ("unsure", 100, 0.5), ("rare", 2, 0.5), ("also", 100, 0.5)), 3)
    assert sheet["text"].tolist() == ["also", "unsure", "sure"]
    assert sheet.columns.tolist() == list(COLUMNS)
    assert sheet.loc[0, ["label_1", "uri_2", "score_3", "decision"]].tolist() == [CONCEPTS["u:1"], "u:2", 0.7, ""]


def test_fewer_candidates_leave_cells_empty() -> None:
    sheet = review_sheet(texts(("one", 1, 0.5)).assign(top=[TOP[:1]]), 9)
    assert sheet.loc[0, "uri_1"] == "u:1"
    assert sheet.loc[0, ["uri_2", "uri_3"]].isna().all()


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
def test_a_sheet_comes_back_as_it_went_out(tmp_path: Path, name: str) -> None:
    sheet = filled(text=["=cmd|' /c calc'!a1", "c++, c#", 'naïve "quoted"', "-5"], decision=["1", "", "nil", "2"])
    write_sheet(sheet, tmp_path / name)
    back = read_sheet(tmp_path / name)
    assert back["text"].tolist() == sheet["text"].tolist()
    assert back["decision"].tolist() == sheet["decision"].tolist()
    if name.endswith("csv"):
        assert "\n'=cmd" in (tmp_path / name).read_text(encoding="utf-8-sig")


def test_decisions_are_taken_with_who_and_when() -> None:
    sheet = filled(
        text=["core java", "espresso", "bali", "team player", "staff nurse", "left open"],
        decision=["1", "concept", " Concept ", "NIL", "Not a skill", ""],
        concept=["", "u:2", "ISLAND", "", "", ""],
        why=["obvious", "", "", "", "a title", ""],
        source=["", "careers", "", "", "", ""],
    )
    taken = take_decisions(sheet, CONCEPTS, {}, "ann", NOON)
    assert taken.problems == ()
    assert [(one.raw, one.source, one.verdict, one.concept_uri) for one in taken.overrides] == [
        ("core java", None, "concept", "u:1"),
        ("espresso", "careers", "concept", "u:2"),
        ("bali", None, "concept", "u:3"),
        ("team player", None, "nil", None),
        ("staff nurse", None, "not_skill", None),
    ]
    assert {(one.decided_by, one.decided_at) for one in taken.overrides} == {("ann", NOON)}
    assert (taken.overrides[0].why, taken.overrides[0].text_key) == ("obvious", text_key("core java"))


def test_what_cannot_be_taken_is_told_by_its_row_and_the_rest_is_taken() -> None:
    sheet = filled(
        text=["a skill", "b skill", "c skill", "d skill", "d skill", "d skill", "e skill"],
        decision=["4", "concept", "concept", "1", "2", "1", "1"],
        concept=["", "tea", "coffee", "", "", "", ""],
    )
    taken = take_decisions(sheet, CONCEPTS, {}, "ann", NOON)
    assert [one.raw for one in taken.overrides] == ["e skill"]
    assert len(taken.problems) == 4
    assert taken.problems[0].startswith("row 2: 'a skill': decision '4' is not 1, 2, 3")
    assert "row 3: 'b skill': 'tea' is no concept's URI" in taken.problems[1]
    assert "no preferred label of one concept" in taken.problems[2]  # two concepts are called coffee
    assert taken.problems[3] == "rows 5, 6, 7 decide 'd skill' differently: keep one."


def test_the_same_decision_twice_is_one() -> None:
    taken = take_decisions(filled(text=["a skill", "A  skill"], decision=["1", "1"]), CONCEPTS, {}, "ann", NOON)
    assert (len(taken.overrides), taken.problems) == (1, ())


def test_a_decision_for_a_cluster_is_one_on_each_of_its_texts_but_those_with_a_row_of_their_own() -> None:
    cluster = Cluster("java", ("core java", "java", "java language"))
    clusters = {text_key(text): cluster for text in cluster.texts}
    sheet = filled(
        text=["Core Java", "java language", "tea", "cobol", "perl"],
        decision=["1", "nil", "", "1", "1"],
        for_cluster=["Yes", "", "yes", "yes", "perhaps"],
    )
    assert keys_of_clusters(sheet) == {text_key(text) for text in ("core java", "tea", "cobol", "perl")}
    taken = take_decisions(sheet, CONCEPTS, clusters, "ann", NOON)
    assert [(one.raw, one.verdict, one.representative) for one in taken.overrides] == [
        ("core java", "concept", "java"),
        ("java", "concept", "java"),
        ("java language", "nil", None),
    ]
    assert taken.problems == (
        "row 5: 'cobol' is in no cluster now: leave for_cluster empty.",
        "row 6: 'perl': for_cluster 'perhaps' is not yes or empty.",
    )
    twice = filled(text=["core java", "java"], decision=["1", "2"], for_cluster=["yes", "yes"])
    differing = take_decisions(twice, CONCEPTS, clusters, "ann", NOON)
    assert differing.overrides == ()
    assert differing.problems == ("rows 2, 3 decide 'core java' differently: keep one.",)
    assert keys_of_clusters(sheet.head(0)) == set()


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("text,label_1\nx,y\n")
    with pytest.raises(ReviewError, match="no column decision, uri_1, uri_2, uri_3"):
        read_sheet(tmp_path / "other.csv")
    with pytest.raises(ReviewError, match="cannot be read"):
        read_sheet(tmp_path / "absent.csv")
