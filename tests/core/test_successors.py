"""What follows a concept that a taxonomy lacks."""

from pathlib import Path

import pytest

from skillsim.errors import TaxonomyError
from skillsim.successors import read_successors, sole_successors

HEADER = "concept_uri,successor_uri"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "successors.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8-sig")
    return path


def test_rows_of_one_concept_are_its_successors(tmp_path: Path) -> None:
    found = read_successors(written(tmp_path, "u:a,u:x", "u:b, u:y ", "u:a,u:z", "u:a,u:x"))
    assert found == {"u:a": ("u:x", "u:z"), "u:b": ("u:y",)}


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        (["u:a,"], HEADER, "line 2: two different URIs are wanted"),
        (["u:a,u:b", "u:c,u:c"], HEADER, "line 3: two different URIs are wanted"),
        (["u:a,u:b"], "old,new", "no column concept_uri, successor_uri"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, rows: list[str], header: str, said: str) -> None:
    with pytest.raises(TaxonomyError, match=said):
        read_successors(written(tmp_path, *rows, header=header))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="taxonomy.successors .*nowhere.csv cannot be read"):
        read_successors(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("successors", "sole"),
    [
        ({"gone": ("new",)}, {"gone": "new"}),
        ({"known": ("new",)}, {}),  # the taxonomy still has it
        ({"gone": ("new", "known")}, {}),  # split
        ({"gone": ("between",), "between": ("new",)}, {"gone": "new", "between": "new"}),
        ({"gone": ("between",), "between": ("new", "known")}, {}),
        ({"gone": ("nowhere",)}, {}),
        ({"gone": ("back",), "back": ("gone",)}, {}),
        ({"gone": ("a",), "a": ("b",), "b": ("a",)}, {}),
    ],
)
def test_a_sole_successor_is_followed_to_what_is_known(
    successors: dict[str, tuple[str, ...]], sole: dict[str, str]
) -> None:
    assert sole_successors(successors, {"known", "new"}) == sole
