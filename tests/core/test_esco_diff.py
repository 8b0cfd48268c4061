"""The diff of two taxonomies: of bundles edited here, and of the two real versions where they lie beside."""

from pathlib import Path

import pytest

from skillsim.esco import find_bundle, read_taxonomy
from skillsim.esco_diff import Change, diff_taxonomies
from tests.core.bundles import SKILL_COLUMNS, sheet, skill, small_files, taxonomy_of

REAL = Path(__file__).parents[3] / "shared" / "data" / "esco"


def test_a_taxonomy_does_not_differ_from_itself(tmp_path: Path) -> None:
    taxonomy = taxonomy_of(tmp_path, small_files())
    diff = diff_taxonomies(taxonomy, taxonomy)
    assert (diff.added, diff.removed, diff.changed) == ({}, {}, {})


def test_what_came_went_and_changed_is_told_apart(tmp_path: Path) -> None:
    before = {
        "skills_en.csv": sheet(
            SKILL_COLUMNS,
            skill("u:a", "Java", "Core Java\nJava SE"),
            skill("u:b", "wiring"),
            skill("u:c", "COBOL", "cobol 85"),
        )
    }
    after = {
        "skills_en.csv": sheet(
            SKILL_COLUMNS,
            skill("u:a", "Java", "java se", "jvaa"),
            skill("u:c", "Cobol", "COBOL  85"),
            skill("u:d", "Rust"),
        )
    }
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    diff = diff_taxonomies(
        taxonomy_of(tmp_path / "before", small_files() | before), taxonomy_of(tmp_path / "after", small_files() | after)
    )
    assert diff.added == {"u:d": "Rust"}
    assert diff.removed == {"u:b": "wiring"}
    assert diff.renamed == {"u:c": ("COBOL", "Cobol")}
    assert diff.relabelled == {"u:a": ({"core java"}, {"jvaa"})}
    assert diff.changed["u:a"] == Change(alternatives=(frozenset({"core java"}), frozenset({"jvaa"})))
    rows = set(diff.sheet().itertuples(index=False, name=None))
    assert rows == {
        ("u:d", "added", "", "Rust"),
        ("u:b", "removed", "wiring", ""),
        ("u:c", "renamed", "COBOL", "Cobol"),
        ("u:c", "description", "", ""),
        ("u:a", "labels", "core java", "jvaa"),
    }
    assert diff.summary().startswith("1 added, 1 removed, 1 renamed, 1 with other alternative labels")


@pytest.mark.skipif(not REAL.is_dir(), reason="the ESCO bundles are not beside the repository")
def test_the_two_real_versions_differ_as_published() -> None:
    old, new = (read_taxonomy(find_bundle(REAL, "en", version)) for version in ("1.1.0", "1.1.1"))
    diff = diff_taxonomies(old, new)
    # Eight altLabels cells differ as published, five of them by a label that repeats another of its concept.
    assert (len(diff.added), len(diff.removed), len(diff.renamed), len(diff.relabelled)) == (5, 0, 2, 3)
    assert diff.renamed["http://data.europa.eu/esco/skill/cd50d616-1f8b-481e-983f-68d2674ff82d"] == (
        "promote inclusion in research",
        "integrate gender dimension in research",
    )
