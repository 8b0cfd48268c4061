"""Thresholds from judged strings, against every possible cut; and the file of judged strings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.calibration import LEAST_ROWS, calibrate, draw, precision_recall
from skillsim.errors import JudgedError
from skillsim.judged import COLUMNS, answers_of, confidence_column, outcomes, read_judged_strings
from skillsim.metrics import ABSTAINED, Outcomes


def of(confidence: list[float], right: list[bool], linked: list[bool]) -> Outcomes:
    top = np.array(right) & np.array(linked)
    no = np.zeros(len(right), dtype=bool)
    return Outcomes(np.array(linked), no, top, no, no, np.array(confidence), no, no, no)


ROWS = st.lists(
    st.tuples(st.sampled_from([ABSTAINED, 0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans(), st.booleans()),
    min_size=LEAST_ROWS,
    max_size=LEAST_ROWS + 20,
)


@given(ROWS, st.sampled_from([0.3, 0.5, 0.8]))
def test_a_threshold_is_the_best_of_all_cuts(rows: list[tuple[float, bool, bool]], precision: float) -> None:
    found = of(*map(list, zip(*rows, strict=True)))  # type: ignore[arg-type]
    (one,) = calibrate(found, (precision,), draws=20)
    cuts = []
    for threshold in (0.1, 0.2, 0.5, 0.7, 0.9):
        answered = found.confidence >= threshold
        right = int((answered & found.top_accepted).sum())
        if answered.any() and right / answered.sum() >= precision:
            cuts.append((right, threshold))
    if not cuts:
        assert np.isinf(one.threshold)
        return
    right, threshold = max(cuts)
    assert one.threshold == threshold
    assert one.reached.value >= precision
    if found.linked.any():
        assert one.recall.value == pytest.approx(right / found.linked.sum())


def test_the_curve_has_a_point_for_each_confidence() -> None:
    found = of([0.9, 0.9, 0.5, ABSTAINED], [True, False, True, True], [True, True, True, True])
    expected = [[0.9, 1 / 2, 1 / 4], [0.5, 2 / 3, 2 / 4]]
    np.testing.assert_allclose(precision_recall(found), expected)


def test_too_few_strings_are_refused() -> None:
    with pytest.raises(JudgedError, match="3 judged strings are too few"):
        calibrate(of([0.5] * 3, [True] * 3, [True] * 3), (0.9,))


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    confidence = random.random(LEAST_ROWS)
    right = random.random(LEAST_ROWS) < confidence
    found = of(confidence.tolist(), right.tolist(), [True] * LEAST_ROWS)
    draw(found, calibrate(found, (0.8, 1.0), draws=20), tmp_path / "curve.svg")
    assert "<svg" in (tmp_path / "curve.svg").read_text()


# --- judged strings ---------------------------------------------------------------------------------------


def write(path: Path, *rows: str, columns: str = ",".join(COLUMNS)) -> Path:
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


def test_judged_strings_are_read_without_the_disputed(tmp_path: Path) -> None:
    path = write(tmp_path / "j.csv", "java,skill,linked,u:1,u:2 u:3", "team,skill,nil,,", "x,skill,disputed,u:1,")
    read = read_judged_strings(path)
    assert read["raw"].tolist() == ["java", "team"]
    assert read["exact"].tolist() == [{"u:1"}, set()]
    assert read["accepted"].tolist() == [{"u:1", "u:2", "u:3"}, set()]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["java,skill,maybe,u:1,"], "row 2: status 'maybe'"),
        (["java,skill,linked,u:1,", "c,skill,linked,,"], "row 3: linked, and 0 concepts"),
        (["java,skill,nil,,u:1"], "row 2: nil, and 1 concepts"),
    ],
)
def test_a_row_that_contradicts_itself_is_named(tmp_path: Path, rows: list[str], said: str) -> None:
    with pytest.raises(JudgedError, match=said):
        read_judged_strings(write(tmp_path / "j.csv", *rows))


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(JudgedError, match="no column exact_uris"):
        read_judged_strings(write(tmp_path / "j.csv", columns="raw,kind,status,broad_uris"))
    with pytest.raises(JudgedError, match="cannot be read"):
        read_judged_strings(tmp_path / "absent.csv")
    with pytest.raises(JudgedError, match="no stratum rare"):
        read_judged_strings(write(tmp_path / "j.csv", "java,skill,linked,u:1,"), ["rare"])


def test_answers_are_held_against_judgements(tmp_path: Path) -> None:
    path = write(tmp_path / "j.csv", "a,skill,linked,u:1,u:2", "b,skill,linked,u:3,", "c,title,nil,,", "d,junk,nil,,")
    links = pd.DataFrame(
        {
            "status": ["matched", "ambiguous", "not_skill", "rejected"],
            "concept_uri": ["u:2", None, None, None],
            "score": [0.9, 0.43216, 0.8, None],
            "probability": [0.9, 0.43216, 0.8, None],
            "top": [[{"concept_uri": "u:2"}], [{"concept_uri": "u:9"}], [{"concept_uri": "u:1"}], None],
            "candidates": [
                [{"concept_uri": "u:2"}],
                [{"concept_uri": "u:9"}, {"concept_uri": "u:3"}],
                [{"concept_uri": "u:1"}],
                None,
            ],
        }
    )
    assert confidence_column(links) == "probability"
    found = outcomes(read_judged_strings(path), answers_of(links, 2))
    assert found.linked.tolist() == [True, True, False, False]
    assert found.top_accepted.tolist() == [True, False, False, False]
    assert found.top_exact.tolist() == [False, False, False, False]
    assert found.candidate_accepted.tolist() == [True, True, False, False]
    assert found.confidence.tolist() == [0.9, 0.4322, ABSTAINED, ABSTAINED]
    assert found.matched.tolist() == [True, False, False, False]
    assert (found.title.tolist(), found.junk.tolist()) == ([False, False, True, False], [False, False, False, True])
    assert outcomes(read_judged_strings(path), answers_of(links, 1)).candidate_accepted[1] == np.False_
    assert confidence_column(links.assign(probability=None)) == "score"
