"""WorkRB's own tasks on an encoder: `pip install workrb`, then

    python -m training.workrb_tasks TAXONOMY builtin out/skillsim/model --version 1.1.1

Its test queries are ESCO's labels and relations, of which an encoder trained on ESCO has seen most: "held-out" scores
the queries of held-out concepts and occupations alone (training.splits.held_out), over the whole target space; "all" is
what a leaderboard would say, for a model trained on this data no measure. What needs a hub is named as not run.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from skillsim.errors import TrainingError
from skillsim.esco import Bundle, Taxonomy, find_bundle, read_taxonomy
from skillsim.esco_files import read_member
from skillsim.model_files import ModelFiles, resolve_model
from skillsim.network import export_model
from training.command import one_line_errors, read_json, titled
from training.splits.held_out import is_held_out
from training.trained import knows_everything, warn_of_everything

_ROLES = ("skills", "occupations", "occupationSkillRelations")
NOT_RUN = "Not run, as their data is on a hub: validation splits of the job tasks, job normalisation, skill extraction."
Keep = Callable[[str, list[str]], bool]
Scores = dict[str, dict[str, float]]  # by task and metric, by model's title


def place(bundle: Bundle) -> None:
    """Put a bundle's files where WorkRB looks for its version."""
    import appdirs
    from workrb.types import Language

    # Joined as WorkRB joins it: its Language is "Language.EN" in a path or "en", as Python has it.
    folder = Path(appdirs.user_cache_dir("wteb")) / "esco" / bundle.version / Language(bundle.language)
    folder.mkdir(parents=True, exist_ok=True)
    for role in _ROLES:
        member = bundle.member(role)
        if member is None:
            raise TrainingError(f"taxonomy {bundle.taxonomy_id}: no {role} file, which WorkRB needs.")
        target = folder / f"{role}_{bundle.language}.csv"
        data = read_member(member)
        if not target.exists() or target.read_bytes() != data:
            target.write_bytes(data)


def keep_held_out(taxonomy: Taxonomy) -> dict[str, Keep]:
    """Of each task, whether a query (its text, its targets' texts) is held out."""
    concepts = taxonomy.concepts.select(["preferred_label", "concept_uri"])
    skills = dict(zip(*(column.to_pylist() for column in concepts.columns), strict=True))
    found = taxonomy.occupations.select(["preferred_label", "occupation_uri"])
    jobs = dict(zip(*(column.to_pylist() for column in found.columns), strict=True))
    return {
        "ESCOSkillNormRanking": lambda _, targets: all(is_held_out(skills.get(text, "")) for text in targets),
        "ESCOJob2SkillRanking": lambda query, _: query in jobs and is_held_out(jobs[query]),
        "ESCOSkill2JobRanking": lambda query, _: query in skills and is_held_out(skills[query]),
    }


def task_of(name: str, version: str, language: str, keep: Keep | None) -> Any:
    """WorkRB's task on its test split, with the queries that `keep` keeps."""
    import workrb
    from workrb.tasks.abstract.ranking_base import RankingDataset

    task = getattr(workrb.tasks, name)(split="test", languages=[language], esco_version=version)
    for dataset_id, data in list(task.datasets.items()) if keep else []:
        rows = [
            row
            for row, (query, right) in enumerate(zip(data.query_texts, data.target_indices, strict=True))
            if right and keep and keep(query, [data.target_space[place] for place in right])
        ]
        queries, answers = [data.query_texts[row] for row in rows], [data.target_indices[row] for row in rows]
        task.datasets[dataset_id] = RankingDataset(queries, answers, data.target_space, dataset_id=dataset_id)
    return task


def tasks(
    model: ModelFiles, keep: dict[str, Keep], bundle: Bundle, everything: bool
) -> Iterator[tuple[str, dict[str, float]]]:
    """(a task's name and number of queries, what it says of the model by metric)."""
    import workrb

    with TemporaryDirectory() as folder:
        export_model(model, Path(folder))
        encoder = workrb.models.BiEncoderModel(folder)
    for name, one in keep.items():
        for part, kept in (("held-out", one), ("all", None)) if everything else (("held-out", one),):
            task = task_of(name, bundle.version, bundle.language, kept)
            queries = len(task.datasets[bundle.language].query_texts)
            metrics = task.evaluate(encoder, dataset_id=bundle.language)
            yield f"{name}, {part} ({queries})", {metric: float(value) for metric, value in metrics.items()}


def main(
    taxonomy: Path,
    models: list[str] = typer.Argument(..., help="as encoder.model of the job, or TITLE=MODEL"),
    known: Path = typer.Option(None, help="scores of an earlier call, to which these are added"),
    everything: bool = typer.Option(False, "--all", help="all queries too: minutes a model"),
    out: Path = typer.Option(None, help="where the scores go, as JSON"),
    version: str = typer.Option(None, help="of the taxonomy, where the folder holds several"),
    language: str = typer.Option("en", help="of its labels"),
) -> None:
    """Print and save a table."""
    console = Console(width=120)
    with one_line_errors(console):
        try:
            import workrb  # noqa: F401
        except ImportError as error:
            raise TrainingError("WorkRB is not installed: pip install workrb.") from error
        bundle = find_bundle(taxonomy, language, version)
        place(bundle)
        keep = keep_held_out(read_taxonomy(bundle))
        scores: Scores = read_json(known) if known else {}
        for title, model in map(titled, models):
            files = resolve_model(model)
            if knows_everything(files):
                warn_of_everything(console, title)
            for name, metrics in tasks(files, keep, bundle, everything):
                for metric, value in metrics.items():
                    scores.setdefault(f"{name}, {metric}", {})[title] = value
    titles = list(dict.fromkeys(title for by_model in scores.values() for title in by_model))
    table = Table("", *titles, title=f"WorkRB, ESCO {bundle.version}")
    for name, by_model in scores.items():
        table.add_row(name, *(f"{by_model[title]:.3f}" if title in by_model else "-" for title in titles))
    console.print(table)
    console.print(NOT_RUN)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
