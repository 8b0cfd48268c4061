"""Versions of the taxonomy on real records: what an upgrade touches and costs, and what a run from nothing says.

The records are linked under ESCO 1.1.0; then 1.1.1 is previewed and run; then an edition of 1.1.1 in which much used
concepts were removed, renamed, split, merged, and labels moved. After each upgrade all is retrieved and decided anew in
a copy without the history that an upgrade goes by: what differs there is what carrying over costs in exactness.
"""

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from deltalake import DeltaTable
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from jobs.normalise_skills import run
from jobs.preview import show as show_preview
from skillsim.config import load_config
from skillsim.spark.job import held_tables
from skillsim.spark.plan import plan_run
from skillsim.spark.preview import preview
from skillsim.spark.runs import Summary
from tests.benchmarks import REPOSITORY, RESULTS, SHARED, machine, require, save, show
from tests.editions import Edits, edit

LOCAL = REPOSITORY / "conf" / "local.toml"
COMPARED = ["status", "concept_uri", "concept_label"]


def links(root: Path, taxonomy_id: str) -> pd.DataFrame:
    table = DeltaTable(str(root / "tables" / "links"))
    return table.to_pandas(partitions=[("taxonomy_id", "=", taxonomy_id)]).set_index("text_key").sort_index()


def differing(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Whether status, concept or its label differs, by text."""
    return pd.concat([one[name].fillna("") != other[name].fillna("") for name in COMPARED], axis=1).any(axis=1)


def unpacked(zips: Path, folder: Path, version: str) -> Path:
    """The CSV files of one version, without their zips."""
    folder.mkdir()
    for archive in sorted(zips.glob(f"*v{version}*.zip")):
        with zipfile.ZipFile(archive) as members:
            for name in members.namelist():
                if name.endswith(".csv"):
                    (folder / Path(name).name).write_bytes(members.read(name))
    return folder


def upgraded(root: Path, before: Summary, settings: list[str]) -> tuple[Summary, dict[str, Any]]:
    """Run under other settings, and say how it compares with the run before and with one without its history."""
    summary = run(load_config(LOCAL, [f"output.root={root}", *settings]))
    old, new = (links(root, one.ids.taxonomy_id) for one in (before, summary))
    shutil.copytree(root, root.with_name("anew"))
    shutil.rmtree(root.with_name("anew") / "tables" / "runs")
    for table in ("links", "candidates"):
        DeltaTable(str(root.with_name("anew") / "tables" / table)).delete(f"taxonomy_id = '{summary.ids.taxonomy_id}'")
    anew = run(load_config(LOCAL, [f"output.root={root.with_name('anew')}", *settings]))
    fresh = links(root.with_name("anew"), summary.ids.taxonomy_id)
    shutil.rmtree(root.with_name("anew"))
    decided = new["run_id"] == summary.run_id
    moved, wrong = differing(old, new), differing(new, fresh)
    changes = DeltaTable(str(root / "tables" / "link_changes")).to_pandas()
    recorded = changes[changes["run_id"] == summary.run_id]
    assert set(recorded["text_key"]) == set(new.index[moved]), "link_changes is not what differs"
    known = set(
        DeltaTable(str(root / "tables" / "taxonomy_concepts")).to_pandas(
            partitions=[("taxonomy_id", "=", summary.ids.taxonomy_id)], columns=["concept_uri"]
        )["concept_uri"]
    )
    named = {one["concept_uri"] for top in new["top"] for one in top} | set(new["concept_uri"].dropna())
    facts = {
        "texts": len(new),
        "decided again": int(decided.sum()),
        "moved": int(moved.sum()),
        "moved by reason": recorded["reason"].value_counts().to_dict(),
        "links to concepts that are gone": len(named - known),
        "carried over, and other than anew": int((wrong & ~decided).sum()),
        "decided again, and other than anew": int((wrong & decided).sum()),
        "seconds": {stage["stage"]: stage["seconds"] for stage in summary.stages},
        "seconds in all": round(sum(stage["seconds"] for stage in summary.stages)),
        "seconds anew": round(sum(stage["seconds"] for stage in anew.stages)),
    }
    return summary, facts


def previewed(settings: list[str], root: Path, console: Console) -> dict[str, Any]:
    with held_tables("preview", str(root), LOCAL, settings) as (spark, tables, config):
        found = preview(spark, tables, plan_run(config), 1_000)
    show_preview(found, root)
    console.print(found.vanished.head(5).T)
    return {"texts": int(found.moves["texts"].sum()), "concepts that differ": len(found.concepts)}


def main(
    records: Path = typer.Option(None, help="CSV of cells; default: the shared skill2vec_50K"),
    shared: Path = typer.Option(SHARED, help="folder of the third-party data"),
    edits: int = typer.Option(21, help="concepts that are edited, seven a round"),
    out: Path = typer.Option(RESULTS / "upgrade.json", help="where the figures go, as JSON"),
) -> None:
    """1.1.0, 1.1.1, and an edition of it."""
    source = records or shared / "noisy" / "skill2vec_50K.csv.gz"
    require(source, shared / "esco")
    console = Console(width=140)
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "out"
        common = [f"input.path={source}", "input.source=skill2vec"]
        esco = [f"taxonomy.path={shared / 'esco'}"]
        before = run(load_config(LOCAL, [f"output.root={root}", *common, *esco, "taxonomy.version=1.1.0"]))
        now = [*common, *esco, "taxonomy.version=1.1.1"]
        result["preview of 1.1.1"] = previewed(now, root, console)
        before, result["1.1.0 to 1.1.1"] = upgraded(root, before, now)
        folder = unpacked(shared / "esco", Path(name) / "edition", "1.1.1")
        used = links(root, before.ids.taxonomy_id).query("status == 'matched'")["concept_uri"].value_counts()
        edit(folder, Edits.of(list(used.index[:edits])))
        now = [*common, f"taxonomy.path={folder}"]
        result["preview of the edition"] = previewed(now, root, console)
        _, result["1.1.1 to the edition"] = upgraded(root, before, now)
    for part, facts in result.items():
        show(console, part, ["", ""], [[key, str(value)] for key, value in facts.items()])
    save(out, result)


if __name__ == "__main__":
    typer.run(main)
