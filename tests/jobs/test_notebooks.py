"""The notebooks as a reader runs them, in a kernel of this Python, on the first records of the sample."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import nbformat
import numpy as np
import pandas as pd
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from skillsim.encoder import load_encoder, vectors_of
from skillsim.model_files import resolve_model
from skillsim.normaliser import Normaliser
from tests.spark.conftest import CLUSTERS_ON, SAMPLE
from tests.spark.identity import read
from training.protocol import Protocol, first_ranks
from training.splits.held_out import is_held_out, read_checked

FOLDER = Path(__file__).parents[2] / "jobs" / "notebooks"
NAMES = ("first_steps", "review_and_overrides", "training_and_evaluation")
# What makes Spark quick on little data (tests/spark/conftest.py).
QUICK = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
}
SETTINGS = ["input.source=sample", "input.separators=default", CLUSTERS_ON, "report.min_records=1"]
SETTINGS += [f"spark.conf.{key}={value}" for key, value in QUICK.items()]
_WIDE = "import pandas as pd\npd.set_option('display.width', 400, 'display.max_columns', 30)"


@dataclass(frozen=True)
class Executed:
    """A notebook that ran to its end, and the folder it ran in."""

    cells: dict[str, nbformat.NotebookNode]
    folder: Path

    def shown(self, cell: str) -> str:
        """What a reader sees below a cell, as text; without progress bars and warnings."""
        outputs = [one for one in self.cells[cell]["outputs"] if one.get("name") != "stderr"]
        return "\n".join(one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs)

    def rows(self, cell: str) -> list[list[str]]:
        """The words of each line below a cell."""
        return [line.split() for line in self.shown(cell).splitlines()]


def execute(name: str, folder: Path, **parameters: object) -> Executed:
    """Run a notebook of ours with other parameters than its own, as papermill would: in a cell after theirs.

    A row of a frame is one line there.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    place = [cell["metadata"].get("tags") for cell in notebook["cells"]].index(["parameters"])
    for parameter in parameters:
        assert f"\n{parameter} = " in notebook["cells"][place]["source"]
    given = "\n".join([_WIDE, *(f"{parameter} = {value!r}" for parameter, value in parameters.items())])
    notebook["cells"].insert(place + 1, nbformat.v4.new_code_cell(given))
    # Without folders of kernels the manager gives this very Python's.
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, km=kernel, timeout=600, resources=where).execute()
    return Executed({cell["id"]: cell for cell in notebook["cells"]}, folder)


@pytest.fixture(scope="module", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache and settings of IPython of our own; one thread, as other tests take the other core."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patched.setenv("IPYTHONDIR", str(folder / "ipython"))
        patched.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def first_steps(records: list[str], tmp_path_factory: pytest.TempPathFactory) -> Executed:
    folder = tmp_path_factory.mktemp("first_steps")
    (folder / "records.csv").write_text("".join(records[:100]), encoding="utf-8")
    here = {"RECORDS": str(folder / "records.csv"), "OUTPUT": str(folder / "out")}
    return execute("first_steps", folder, **here, SETTINGS=SETTINGS)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_as_it_was_written(name: str) -> None:
    """Valid, never run, its parameters in the first cell of code, and a word before what is not."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []
    assert code[0]["metadata"] == {"tags": ["parameters"]}
    assert cells[0]["source"].startswith("# ")
    assert max(len(cell["source"].splitlines()) for cell in code) <= 20
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}


def test_no_notebook_goes_untested() -> None:
    assert {path.stem for path in FOLDER.iterdir()} - {".ipynb_checkpoints"} == set(NAMES)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.delta
def test_first_steps_shows_what_stands_in_the_tables(first_steps: Executed) -> None:
    skills = read(first_steps.folder / "out", "normalised_skills")
    counts = skills["status"].value_counts()
    shown = {row[1]: (int(row[2]), float(row[3])) for row in first_steps.rows("coverage")[1:]}
    assert shown == {status: (n, pytest.approx(100 * n / len(skills), abs=0.05)) for status, n in counts.items()}

    matched = skills[skills["status"] == "matched"]
    of_concept = matched.groupby("concept_label").agg(records=("record_id", "nunique"), texts=("text", "nunique"))
    top = of_concept.reset_index().sort_values(["records", "concept_label"], ascending=[False, True]).head(10)
    expected = [[*row.concept_label.split(), str(row.records), str(row.texts)] for row in top.itertuples()]
    assert [row[1:] for row in first_steps.rows("top-skills")[1:]] == expected

    clusters = read(first_steps.folder / "out", "clusters").query("status == 'nil'")
    first = clusters.sort_values(["mentions", "representative"], ascending=[False, True]).iloc[0]
    assert first_steps.rows("lacking")[1][1:-1][: len(first["representative"].split()) + 1] == [
        *first["representative"].split(),
        str(first["mentions"]),
    ]
    said = f"{len(matched):,} of {len(skills):,} mentions are linked to {matched['concept_uri'].nunique():,} concepts"
    assert said in first_steps.shown("without-spark")


@pytest.mark.slow
@pytest.mark.spark
def test_first_steps_links_and_explains_strings_without_the_tables(first_steps: Executed) -> None:
    normaliser = Normaliser.from_esco(SAMPLE / "taxonomy")
    text = "keyword research (expert)"
    assert normaliser.explain(text) in first_steps.shown("explain")
    assert normaliser.link([text])["status"][0] == "ambiguous"
    assert [row[-2:] for row in first_steps.rows("normalise") if "ambiguous" in row] == [["None", "0.778260"]]
    assert '"fork lift driving" OR "operate forklifts" OR "counterbalance"' in first_steps.shown("expand")


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.delta
def test_review_and_overrides_decides_previews_applies_and_takes_back(first_steps: Executed, tmp_path: Path) -> None:
    root = Path(copytree(first_steps.folder / "out", tmp_path / "out"))
    here = {"RECORDS": str(first_steps.folder / "records.csv"), "OUTPUT": str(root), "REVIEW": str(tmp_path / "review")}
    links = read(root, "links").merge(read(root, "texts"), on="text_key").set_index("text")
    ran = execute("review_and_overrides", tmp_path, **here, SETTINGS=SETTINGS, THRESHOLD=0.7, REVIEWER="eve")

    filled = pd.read_csv(tmp_path / "review" / "filled.csv", encoding="utf-8-sig")
    decided, nil = filled["text"][:2]
    assert set(filled["text"]) <= set(links.index[links["status"] == "ambiguous"])
    assert "2 decisions of eve taken" in ran.shown("take")

    moves = pd.read_csv(tmp_path / "review" / "moves.csv").set_index("text")
    over = links[(links["status"] == "ambiguous") & (links["score"] >= 0.7)].index
    assert set(moves.index) == {*over, decided, nil}
    assert set(moves.index[moves["reason"] == "curator"]) == {decided, nil}

    changes = read(root, "link_changes").merge(read(root, "texts"), on="text_key")
    applied, taken_back = (of for _, of in changes.groupby("run_id"))
    assert set(applied["text"]) == set(moves.index)
    assert set(applied.loc[applied["text"] == decided, "new_concept_uri"]) == {filled["uri_1"][0]}
    assert set(taken_back["text"]) == set(moves.index) - {nil}
    for cell, to in (("apply", "matched"), ("revoke", "ambiguous")):
        (row,) = (row for row in ran.rows(cell) if row[1 : 1 + len(decided.split())] == decided.split())
        assert row[1 + len(decided.split()) :][:1] == ["curator"]
        assert to in row

    now = read(root, "links").merge(read(root, "texts"), on="text_key").set_index("text")
    assert now.loc[nil, "status"] == "nil"
    same = links.index.difference([nil])
    assert now.loc[same, "status"].equals(links.loc[same, "status"])
    overrides = read(root, "overrides").set_index("raw")
    assert overrides["revoked_by"].to_dict() == {decided: "eve", nil: None}


def test_training_and_evaluation_scores_and_uses_the_model_it_trained(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = execute("training_and_evaluation", tmp_path, OUT=str(out), STEPS=6, DRAWS=10)
    protocol = Protocol(read_checked(SAMPLE / "taxonomy", "en", None))
    labels = protocol.concepts.labels
    assert f"{len(labels)} concepts, {sum(map(is_held_out, labels))} of them held out" in ran.shown("concepts")
    assert json.loads((out / "training.json").read_text())["steps"] == 6

    encoders = [load_encoder(resolve_model(model)) for model in ("builtin", str(out / "model"))]
    asked = protocol.synonyms
    vectors = [(vectors_of(one, asked.texts), vectors_of(one, protocol.preferred)) for one in encoders]
    mrr = [float((1 / first_ranks(*of, asked.right)).mean()) for of in vectors]
    (shown,) = (row[2:] for row in ran.rows("evaluate") if row[:2] == ["synonym", "mrr"] and len(row) == 4)
    assert list(map(float, shown)) == pytest.approx(mrr, abs=0.002)
    (gain,) = (row[2] for row in ran.rows("gains") if row[:2] == ["synonym", "mrr"] and len(row) == 6)
    assert float(gain) == pytest.approx(mrr[1] - mrr[0], abs=0.002)

    exported = resolve_model(str(out / "exported"))
    assert exported.model_id in ran.shown("export")
    np.testing.assert_allclose(vectors_of(load_encoder(exported), asked.texts), vectors[1][0], atol=1e-3)
    linked = Normaliser.from_esco(SAMPLE / "taxonomy", model=str(out / "exported")).link(["manual milling"])
    assert ran.rows("use")[1][-1] == f"{linked['score'][0]:.6f}"
