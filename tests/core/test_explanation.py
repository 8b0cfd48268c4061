"""Every way a link can be decided has its sentence."""

import pytest

from skillsim.explanation import evidence, in_words, remembered, why_one_skill

TOP = [
    {"concept_uri": "u:a", "concept_label": "Java", "score": 0.71},
    {"concept_uri": "u:b", "concept_label": "coffee", "score": 0.2},
]
BASE = {
    "concept_label": None,
    "probability": 0.71,
    "group_uri": None,
    "group_label": None,
    "top": TOP,
}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (
            {"method": None, "status": "rejected", "reason": "too_long", "top": None},
            "Rejected by the text rules: too_long.",
        ),
        (
            {"method": "override", "status": "matched", "reason": "decided by a curator", "concept_label": "Java"},
            "A curator decided: Java.",
        ),
        ({"method": "override", "status": "nil", "reason": "…"}, "A curator decided: a skill without a concept."),
        ({"method": "override", "status": "not_skill", "reason": "…"}, "A curator decided: no skill."),
        (
            {"method": "lexicon", "status": "not_skill", "reason": "job title, by the lexicon"},
            "The skill lexicon holds this very text: a job title.",
        ),
        (
            {"method": "exact", "status": "matched", "reason": "preferred label", "concept_label": "Java"},
            "It is the preferred label of Java, and of no other concept.",
        ),
        (
            {"method": "exact", "status": "not_skill", "reason": "job title"},
            "It is the label of an occupation and of no concept: a job title.",
        ),
        (
            {"method": "hybrid", "status": "matched", "reason": "…", "concept_label": "Java"},
            "Most likely Java (probability 0.71), before coffee (0.20).",
        ),
        (
            {"method": "hybrid", "status": "matched", "reason": "…", "concept_label": "Java", "probability": None},
            "Most likely Java (score 0.71), before coffee (0.20).",
        ),
        ({"method": "hybrid", "status": "ambiguous", "reason": "…"}, "Undecided between Java (0.71), coffee (0.20)."),
        (
            {"method": "hybrid", "status": "ambiguous", "reason": "…", "group_uri": "g", "group_label": "drinks"},
            "Undecided between Java (0.71), coffee (0.20). The group drinks is likely enough.",
        ),
        (
            {"method": "hybrid", "status": "ambiguous", "reason": "not embedded: text: x", "top": []},
            "Undecided: not embedded: text: x.",
        ),
        ({"method": "hybrid", "status": "nil", "reason": "…"}, "No concept is likely: the best is Java (0.71)."),
        (
            {"method": "hybrid", "status": "not_skill", "reason": "job title, by the model"},
            "It reads like a job title.",
        ),
        (
            {"method": "hybrid", "status": "not_skill", "reason": "no skill, by the model"},
            "It reads like a text that is no skill.",
        ),
    ],
)
def test_what_decided(link: dict[str, object], words: str) -> None:
    assert in_words(BASE | link) == words


@pytest.mark.parametrize(
    ("candidate", "line"),
    [
        ({"exact": "alternative", "sharers": 1}, "0.71 Java: 'core java' is its alternative label"),
        ({"exact": "hidden", "sharers": 3}, "0.71 Java: 'core java' is its hidden label, which 3 concepts have"),
        (
            {"exact": None, "sharers": 0, "cosine": 0.8123},
            "0.71 Java: its label 'Java SE' is near (cosine 0.81)",
        ),
        ({"exact": None, "sharers": None, "cosine": None}, "0.71 Java: judged strings near the text have it"),
    ],
)
def test_what_makes_a_candidate(candidate: dict[str, object], line: str) -> None:
    found = {"label": "Java SE", "score": 0.71, "cosine": 1.0} | candidate
    assert evidence(found, "Java", "core java") == line


def test_three_of_the_voters_are_shown() -> None:
    near = [("java", "Java", 0.91), ("team", "no concept", 0.5), ("nurse", "title", 0.4), ("x", "y", 0.1)]
    said = "judged strings near it: 'java' = Java (0.91), 'team' = no concept (0.50), 'nurse' = title (0.40)"
    assert remembered(near) == said


@pytest.mark.parametrize(
    ("text", "leader", "words"),
    [
        ("ware-house", "ware house", "the same letters"),
        ("pos", "point of sale", "the initials"),
        ("managing stocks", "stock management", "the same words"),
        ("data anlysis", "data analysis", "misspelt"),
        ("warehouse mgt", "warehouse management", "shortened"),
        ("client service", "customer services", "client for customer"),
        ("comunication skills", "communication", "misspelt, with skills"),
        ("sharepoint", "microsoft sharepoint", "without microsoft"),
    ],
)
def test_why_two_texts_are_one_skill(text: str, leader: str, words: str) -> None:
    assert why_one_skill(text, leader) == words
