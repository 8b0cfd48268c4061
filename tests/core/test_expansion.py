"""Terms of a query on the sample taxonomy, whose labels and relations are known."""

from collections import Counter
from pathlib import Path

import pytest

from skillsim import normaliser
from skillsim.esco import Taxonomy
from skillsim.expansion import Expander, Kind, Term, boolean_query
from skillsim.normaliser import Normaliser
from skillsim.text import text_key
from tests.fakes import RememberingEncoder

SKILL = "https://skillsim.example/skill/"


@pytest.fixture(scope="module")
def expander(
    sample_path: Path, taxonomy: Taxonomy, remembering: RememberingEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Expander:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normaliser, "load_encoder", lambda *args: remembering)
        linker = Normaliser.from_esco(sample_path, cache=tmp_path_factory.mktemp("cache"))
    spellings = {f"{SKILL}java": ["Core Java", "java 8"], text_key("solar panel fitting"): ["PV fitting"]}
    return Expander.of(linker, taxonomy, spellings)


def terms(expander: Expander, query: str, kind: Kind, k: int = 1) -> list[str]:
    return [one.term for one in expander.expand(query, k) if one.kind is kind]


def test_a_label_brings_its_concept_with_labels_relations_and_spellings(expander: Expander) -> None:
    found = expander.expand("J2EE", k=1)
    assert {(one.concept_uri, one.concept_label) for one in found} == {(f"{SKILL}java", "Java")}
    assert found[0].term == "Java"
    assert "Java SE" in terms(expander, "J2EE", Kind.ALTERNATIVE)
    assert "J2EE" not in [one.term for one in found]
    assert terms(expander, "J2EE", Kind.SPELLING) == ["java 8"]  # "core Java" is a label already
    assert "design programming interfaces" in terms(expander, "J2EE", Kind.RELATED)
    assert terms(expander, "J2EE", Kind.BROADER)
    assert len({one.term.casefold() for one in found}) == len(found)


def test_more_concepts_come_in_their_order_and_kinds_are_bounded(expander: Expander) -> None:
    found = expander.expand("databases", k=3, each=2)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert len({one.concept_uri for one in found}) == 3
    assert max(Counter((one.concept_uri, one.kind) for one in found).values()) <= 2


def test_a_skill_without_a_concept_has_the_spellings_of_its_cluster(expander: Expander) -> None:
    assert expander.expand("Solar Panel Fitting")[0] == Term("PV fitting", Kind.SPELLING, None, "", 1.0)


@pytest.mark.parametrize("query", ["", "2019", "   "])
def test_no_skill_has_no_terms(expander: Expander, query: str) -> None:
    assert expander.expand(query) == []


def test_the_boolean_query_leaves_out_what_finds_others_and_quotes() -> None:
    found = [
        Term('say "hello"', Kind.LABEL, "u", "u", 0.9),
        Term("java", Kind.ALTERNATIVE, "u", "u", 0.9),
        Term("wide", Kind.BROADER, "u", "u", 0.9),
        Term("kin", Kind.RELATED, "u", "u", 0.9),
        Term("unsure", Kind.LABEL, "v", "v", 0.4),
        Term("spelt", Kind.SPELLING, None, "", 1.0),
    ]
    assert boolean_query("java", found) == '"java" OR "say hello" OR "spelt"'
    assert boolean_query("java", found, most=2) == '"java" OR "say hello"'
