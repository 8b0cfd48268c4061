"""Candidates to decisions: a table of literal cases, and what must hold whatever the signals are."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.decider import MANY_OCCUPATIONS, Judgement, PlainDecider, Weights
from skillsim.lexicon import ENTRY, NO_LEXICON
from skillsim.linking import NOT_SKILL, OF_THE_RUN, ConceptNames, decide, links_of
from skillsim.overrides import OVERRIDE
from skillsim.schemas import CANDIDATE, LINKS

# Of cosine alone, so that a case's cosine is its score.
COSINE = PlainDecider(0.75, 0.5, Weights(cosine=1.0, preferred_cosine=0.0, ngram=0.0, occupations=0.0))
NAMES = ConceptNames({f"u:{letter}": (letter.upper(), f"g:{letter}", f"group {letter}") for letter in "abcdef"})
BARE = ConceptNames({"u:a": ("A", None, None)})

Row = dict[str, object]


def near(letter: str, cosine: float, exact: str | None = None, sharers: int = 0) -> Row:
    signals = {"cosine": cosine, "preferred_cosine": 0.0, "ngram": 0.0, "occupations": 0}
    return {"concept_uri": f"u:{letter}", "label": letter, "exact": exact, "sharers": sharers, **signals}


def text(
    *candidates: Row,
    title: str | None = None,
    failure: str | None = None,
    known: bool = True,
    entry: Row | None = None,
    override: Row | None = None,
) -> Row:
    found = list(candidates) if known else None
    told = {"entry": entry, "override": override}
    return {"candidates": found, "occupation_uri": title, "failure": failure, **told}


def entry(*concepts: str, kind: str = "skill", decides: bool = True) -> Row:
    return {"kind": kind, "concepts": [f"u:{letter}" for letter in concepts], "decides": decides}


def table(rows: Sequence[Row]) -> pa.Table:
    columns = {
        "text_key": pa.array([f"k{row}" for row in range(len(rows))], pa.string()),
        "candidates": pa.array([row["candidates"] for row in rows], pa.list_(CANDIDATE)),
        "occupation_uri": pa.array([row["occupation_uri"] for row in rows], pa.string()),
        "failure": pa.array([row["failure"] for row in rows], pa.string()),
        "entry": pa.array([row["entry"] for row in rows], ENTRY),
        "override": pa.array([row["override"] for row in rows], OVERRIDE),
    }
    return pa.table(columns)


def link(row: Row, decider: PlainDecider = COSINE) -> Row:
    return decide(table([row]), decider, NAMES).to_pylist()[0]


# --- cases ------------------------------------------------------------------------------------------------

# name: (text, status, reason, method, concept_uri)
CASES = {
    "a preferred label of one concept": (
        text(near("b", 0.9), near("a", 0.1, "preferred", 1)),
        ("matched", "preferred label", "exact", "u:a"),
    ),
    "its preferred label, though it is a job title too": (
        text(near("a", 0.1, "preferred", 1), title="o:1"),
        ("matched", "preferred label", "exact", "u:a"),
    ),
    "a preferred label that another concept holds too": (
        text(near("a", 0.6, "preferred", 2), near("b", 0.55, "alternative", 2)),
        ("ambiguous", "score below the threshold", "hybrid", None),
    ),
    "an alternative label of one concept": (
        text(near("a", 0.3, "alternative", 1)),
        ("nil", "no concept is near", "hybrid", None),
    ),
    "a hidden label of one concept, near enough": (
        text(near("a", 1.0, "hidden", 1)),
        ("matched", "score reaches the threshold", "hybrid", "u:a"),
    ),
    "a job title": (text(near("a", 0.9), title="o:1"), ("not_skill", "job title", "exact", None)),
    "a job title that is a label of a lower candidate too": (
        text(near("a", 0.8), near("b", 0.7, "alternative", 1), title="o:1"),
        ("matched", "score reaches the threshold", "hybrid", "u:a"),
    ),
    "on the threshold": (text(near("a", 0.75)), ("matched", "score reaches the threshold", "hybrid", "u:a")),
    "just below it": (text(near("a", 0.7499)), ("ambiguous", "score below the threshold", "hybrid", None)),
    "on the nil threshold": (text(near("a", 0.5)), ("ambiguous", "score below the threshold", "hybrid", None)),
    "just below that": (text(near("a", 0.4999)), ("nil", "no concept is near", "hybrid", None)),
    "a vector that points away": (text(near("a", -0.5)), ("nil", "no concept is near", "hybrid", None)),
    "a tie": (text(near("c", 0.8), near("b", 0.8)), ("matched", "score reaches the threshold", "hybrid", "u:b")),
    "no vector": (
        text(known=False, failure="text: too odd"),
        ("ambiguous", "not embedded: text: too odd", "hybrid", None),
    ),
    "no candidates": (text(), ("ambiguous", "no candidates", "hybrid", None)),
    "in the lexicon, whatever is near": (
        text(near("a", 0.9), near("b", 0.1, "preferred", 1), entry=entry("c", "d")),
        ("matched", "in the lexicon", "lexicon", "u:c"),
    ),
    "in the lexicon, without a vector": (
        text(known=False, failure="text: too odd", entry=entry("c")),
        ("matched", "in the lexicon", "lexicon", "u:c"),
    ),
    "in the lexicon, without a concept": (
        text(near("a", 0.9), entry=entry()),
        ("nil", "no concept, by the lexicon", "lexicon", None),
    ),
    "a job title by the lexicon": (
        text(near("a", 0.9), entry=entry(kind="title")),
        ("not_skill", "job title, by the lexicon", "lexicon", None),
    ),
    "junk by the lexicon": (
        text(near("a", 0.9), entry=entry(kind="junk")),
        ("not_skill", "no skill, by the lexicon", "lexicon", None),
    ),
    "overridden, whatever the lexicon and the labels say": (
        text(
            near("a", 0.9, "preferred", 1),
            entry=entry("c"),
            override={"verdict": "concept", "concept_uri": "u:d"},
        ),
        ("matched", "decided by a curator", "override", "u:d"),
    ),
    "overridden without a vector": (
        text(known=False, failure="text: too odd", override={"verdict": "nil", "concept_uri": None}),
        ("nil", "decided by a curator", "override", None),
    ),
    "no skill, by a curator": (
        text(near("a", 0.9), override={"verdict": "not_skill", "concept_uri": None}),
        ("not_skill", "decided by a curator", "override", None),
    ),
    "in the lexicon with several senses": (
        text(near("a", 0.9), entry=entry("c", decides=False)),
        ("matched", "score reaches the threshold", "hybrid", "u:a"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    row, expected = CASES[case]
    got = link(row)
    assert (got["status"], got["reason"], got["method"], got["concept_uri"]) == expected


def test_all_cases_at_once_are_decided_as_each_alone() -> None:
    """Rows with three candidates, none and null stand side by side, and a slice is like the whole."""
    rows = table([row for row, _ in CASES.values()])
    links = decide(rows, COSINE, NAMES)
    got = list(zip(*(links[name].to_pylist() for name in ("status", "reason", "method", "concept_uri")), strict=True))
    assert got == [expected for _, expected in CASES.values()]
    assert links["text_key"].to_pylist() == rows["text_key"].to_pylist()
    assert decide(rows.slice(3, 7), COSINE, NAMES).equals(links.slice(3, 7))
    assert decide(pa.concat_tables([rows.slice(0, 5), rows.slice(5)]), COSINE, NAMES).equals(links)


def test_a_sole_preferred_label_goes_before_a_score_as_high() -> None:
    """Accents apart, two labels may look the same to the encoder: what the text says decides."""
    got = link(text(near("a", 1.0), near("b", 1.0, "preferred", 1)))
    assert (got["reason"], got["concept_uri"]) == ("preferred label", "u:b")


def test_a_match_carries_label_and_group() -> None:
    got = link(text(near("b", 0.9), near("a", 0.8)))
    assert [got[name] for name in ("concept_label", "group_uri", "group_label")] == ["B", "g:b", "group b"]
    unmatched = link(text(near("b", 0.6)))
    assert [unmatched[name] for name in ("concept_uri", "concept_label", "group_uri", "group_label")] == [None] * 4
    ungrouped = decide(table([text(near("a", 0.9))]), COSINE, BARE).to_pylist()[0]
    assert (ungrouped["concept_label"], ungrouped["group_uri"]) == ("A", None)


def test_the_top_three_are_listed_best_first_with_the_margin() -> None:
    got = link(text(*(near(letter, cosine) for letter, cosine in zip("abcd", (0.25, 0.5, 1.0, 0.5), strict=True))))
    assert got["top"] == [
        {"concept_uri": "u:c", "concept_label": "C", "score": 1.0},
        {"concept_uri": "u:b", "concept_label": "B", "score": 0.5},
        {"concept_uri": "u:d", "concept_label": "D", "score": 0.5},
    ]
    assert (got["score"], got["margin"]) == (1.0, 0.5)


def test_the_lexicons_concepts_stand_before_the_candidates_without_a_score() -> None:
    got = link(text(near("a", 0.5), near("c", 0.75), near("b", 0.25), entry=entry("c", "e")))
    assert [(found["concept_uri"], found["score"]) for found in got["top"]] == [
        ("u:c", None),
        ("u:e", None),
        ("u:a", 0.5),
    ]
    assert (got["kind"], got["score"], got["margin"]) == ("skill", None, None)
    assert link(text(near("a", 0.9), entry=entry(kind="multi", decides=False)))["kind"] == "multi"


@pytest.mark.parametrize(("cosine", "status"), [(0.6, "ambiguous"), (0.2, "nil"), (0.9, "not_skill")])
def test_what_is_not_matched_still_lists_its_candidates(cosine: float, status: str) -> None:
    got = link(text(near("a", cosine), near("b", 0.1), title="o:1" if status == "not_skill" else None))
    assert got["status"] == status
    assert [entry["concept_uri"] for entry in got["top"]] == ["u:a", "u:b"]
    assert got["score"] == pytest.approx(cosine, abs=1e-6)


def test_a_lone_candidate_is_as_far_ahead_as_it_scores() -> None:
    assert link(text(near("a", 0.5)))["margin"] == 0.5
    nothing = link(text())
    assert (nothing["score"], nothing["margin"], nothing["top"]) == (None, None, [])


@pytest.mark.parametrize("rows", [[], [text(near("a", 0.9)), text()]])
def test_links_have_the_contract_schema_without_what_the_table_adds(rows: list[Row]) -> None:
    links = decide(table(rows), COSINE, NAMES)
    names = [name for name in LINKS.schema.names if name not in OF_THE_RUN]
    assert links.schema == pa.schema([LINKS.schema.field(name) for name in names])
    assert links.num_rows == len(rows)
    assert set(links["decider_id"].to_pylist()) <= {COSINE.decider_id}
    assert set(links["lexicon_id"].to_pylist()) <= {NO_LEXICON}
    assert set(links["calibrated"].to_pylist()) <= {False}
    assert links["probability"].null_count == len(rows)


# --- calibrated judgements ----------------------------------------------------------------------------------


class Calibrated:
    """The thresholds that these judgements are turned into links by."""

    threshold, nil_threshold, calibrated, decider_id = 0.6, 0.1, True, "fitted-test"


def judged(probability: dict[str, float], kind: str = "skill", kind_probability: float = 0.9) -> Row:
    pairs = np.zeros(len(probability), dtype=np.int64)
    none = np.zeros(len(pairs), dtype=bool)
    uris = np.array([f"u:{letter}" for letter in probability], dtype=object)
    confidence = np.array(list(probability.values()))
    judgement = Judgement(pairs, uris, confidence, none, none, [kind], np.array([kind_probability]), True)
    return links_of(table([text()]), judgement, Calibrated(), SHARED_GROUPS).to_pylist()[0]


# a, b and c are of one group, d and e of another, f of none.
GROUP_OF = {"a": "g", "b": "g", "c": "g", "d": "h", "e": "h", "f": None}
SHARED_GROUPS = ConceptNames({f"u:{c}": (c.upper(), g and f"g:{g}", g and f"group {g}") for c, g in GROUP_OF.items()})


@pytest.mark.parametrize(
    ("probability", "kind", "expected"),
    [
        ({"a": 0.7, "d": 0.1}, "skill", ("matched", "probability reaches the threshold", "u:a", "g:g", 0.7)),
        ({"a": 0.6, "b": 0.2}, "skill", ("matched", "probability reaches the threshold", "u:a", "g:g", 0.8)),
        ({"a": 0.6}, "title", ("matched", "probability reaches the threshold", "u:a", "g:g", 0.6)),
        ({"a": 0.3, "b": 0.31, "d": 0.3}, "skill", ("ambiguous", "probability below the threshold", None, "g:g", 0.61)),
        ({"a": 0.3, "d": 0.3}, "skill", ("ambiguous", "probability below the threshold", None, None, None)),
        ({"f": 0.59}, "skill", ("ambiguous", "probability below the threshold", None, None, None)),
        ({"f": 0.7}, "skill", ("matched", "probability reaches the threshold", "u:f", None, None)),
        ({"a": 0.3}, "title", ("not_skill", "job title, by the model", None, None, None)),
        ({"a": 0.3}, "junk", ("not_skill", "no skill, by the model", None, None, None)),
        ({"a": 0.3}, "multi", ("ambiguous", "probability below the threshold", None, None, None)),
        ({"a": 0.09}, "skill", ("nil", "no concept is near", None, None, None)),
        ({}, "skill", ("ambiguous", "no candidates", None, None, None)),
    ],
)
def test_a_calibrated_judgement(probability: dict[str, float], kind: str, expected: tuple[object, ...]) -> None:
    link = judged(probability, kind)
    names = ("status", "reason", "concept_uri", "group_uri")
    assert tuple(link[name] for name in names) == expected[:4]
    assert link["group_probability"] == (None if expected[4] is None else pytest.approx(expected[4]))
    best = max(probability.values(), default=None)
    assert (link["score"], link["probability"], link["calibrated"]) == (best, best, best is not None)
    assert (link["kind"], link["kind_probability"]) == (kind, 0.9)


def test_a_kind_that_is_unsure_does_not_decide() -> None:
    assert judged({"a": 0.3}, "title", NOT_SKILL - 0.01)["status"] == "ambiguous"
    assert judged({"a": 0.3}, "title", NOT_SKILL)["status"] == "not_skill"


# --- the score --------------------------------------------------------------------------------------------

SIGNAL = st.floats(-1.5, 1.5, width=32)
WEIGHT = st.floats(0, 10)
CANDIDATES = st.lists(
    st.fixed_dictionaries(
        {
            "concept_uri": st.sampled_from(sorted(NAMES.of)),
            "label": st.just("x"),
            "cosine": SIGNAL,
            "preferred_cosine": SIGNAL,
            "ngram": SIGNAL,
            "exact": st.sampled_from([None, "preferred", "alternative", "hidden"]),
            "sharers": st.integers(0, 3),
            "occupations": st.integers(0, 2**31 - 1),
        }
    ),
    min_size=1,
    max_size=5,
)
TEXTS = st.lists(
    st.builds(lambda found, title: text(*found, title=title), CANDIDATES, st.sampled_from([None, "o:1"])),
    min_size=1,
    max_size=6,
)


@given(CANDIDATES, st.builds(Weights, cosine=st.floats(0.1, 10), preferred_cosine=WEIGHT, ngram=WEIGHT))
def test_a_score_lies_between_0_and_1(candidates: list[Row], weights: Weights) -> None:
    score = PlainDecider(0.75, 0.5, weights).score(pa.array(candidates, CANDIDATE))
    assert len(score) == len(candidates)
    assert ((score >= 0) & (score <= 1 + 1e-12)).all()


@pytest.mark.parametrize(
    ("signals", "score"),
    [
        ({"cosine": 1.0}, 1.0 / 1.7),
        ({"preferred_cosine": 1.0}, 0.3 / 1.7),
        ({"ngram": 1.0}, 0.2 / 1.7),
        ({"occupations": MANY_OCCUPATIONS}, 0.2 / 1.7),
        ({"occupations": 10 * MANY_OCCUPATIONS}, 0.2 / 1.7),
        ({"cosine": 0.5, "preferred_cosine": 0.5, "ngram": 0.5}, 0.75 / 1.7),
        ({"cosine": 7.0, "ngram": -7.0}, 1.0 / 1.7),
        ({"exact": "preferred", "sharers": 1}, 1.0),
        ({"exact": "preferred", "sharers": 2}, 0.0),
        ({"exact": "alternative", "sharers": 1}, 0.0),
    ],
)
def test_the_plain_score_is_a_weighted_mean(signals: Row, score: float) -> None:
    weights = Weights(cosine=1.0, preferred_cosine=0.3, ngram=0.2, occupations=0.2)
    candidates = pa.array([near("a", 0.0) | signals], CANDIDATE)
    assert PlainDecider(0.75, 0.5, weights).score(candidates).tolist() == pytest.approx([score])


# --- deciding again ---------------------------------------------------------------------------------------


@given(TEXTS, st.floats(0.5, 1), st.floats(0, 0.5))
def test_raising_the_threshold_never_adds_a_match(rows: list[Row], threshold: float, more: float) -> None:
    low, high = PlainDecider(threshold, 0.3), PlainDecider(min(1.0, threshold + more), 0.3)
    before, after = (decide(table(rows), decider, NAMES)["concept_uri"].to_pylist() for decider in (low, high))
    assert all(new in (None, old) for old, new in zip(before, after, strict=True))


@given(TEXTS)
def test_deciding_back_and_forth_gives_the_first_links_again(rows: list[Row]) -> None:
    a, b = PlainDecider(0.75, 0.5), PlainDecider(0.3, 0.1)
    first, other, again = (decide(table(rows), decider, NAMES) for decider in (a, b, a))
    assert again.equals(first)
    assert not other.equals(first)  # at least its decider_id is another


@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_texts_and_candidates_does_not_matter(rows: list[Row], random: object) -> None:
    def unordered(row: Row) -> Row:
        once = {candidate["concept_uri"]: candidate for candidate in row["candidates"]}  # type: ignore[attr-defined]
        mixed = list(once.values())
        random.shuffle(mixed)  # type: ignore[attr-defined]
        return row | {"candidates": mixed}

    def links(texts: list[Row]) -> list[Row]:
        decided = decide(table(texts), COSINE, NAMES).to_pylist()
        return [{name: value for name, value in row.items() if name != "text_key"} for row in decided]

    first = [unordered(row) for row in rows]
    assert links([unordered(row) for row in first[::-1]])[::-1] == links(first)


def test_the_decider_id_changes_with_thresholds_and_weights_only() -> None:
    base = PlainDecider(0.75, 0.5)
    weights = [replace(Weights(), **{field.name: 0.123}) for field in fields(Weights)]
    others = [PlainDecider(0.76, 0.5), PlainDecider(0.75, 0.51), *(PlainDecider(0.75, 0.5, each) for each in weights)]
    ids = {decider.decider_id for decider in (base, *others)}
    assert len(ids) == 1 + 2 + len(weights)
    assert PlainDecider(0.75, 0.5, Weights()).decider_id == base.decider_id
