"""Judged strings of one's own to thresholds: python jobs/calibrate.py --judged FILE --taxonomy ESCO

FILE is a CSV with the columns raw, kind, status, exact_uris and broad_uris (skillsim/judged.py says what they hold), of
200 rows or more, drawn at random from the texts to be linked. It runs on one machine and writes no tables.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skillsim.calibration import calibrate, draw
from skillsim.judged import DECIMALS, answers_of, outcomes, read_judged_strings
from skillsim.normaliser import Normaliser
from skillsim.spark.job import Assignments, ConfigFile, run_job, taxonomy_settings


def main(
    judged: Annotated[Path, typer.Option(help="CSV of judged strings")],
    taxonomy: Annotated[str | None, typer.Option(help="ESCO zips as downloaded, or a folder of them")] = None,
    precision: Annotated[list[float] | None, typer.Option(min=0, max=1, help="to be reached; repeatable")] = None,
    chart: Annotated[Path | None, typer.Option(help="draw the precision-recall curve here (.svg, .png, .pdf)")] = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Find the thresholds from which a precision holds, by the decision as it is configured."""
    settings = taxonomy_settings(taxonomy, config, set_)
    strings = read_judged_strings(judged)
    normaliser = Normaliser.from_esco(settings.taxonomy.path, config=settings)
    # With thresholds as they are, what they turn into "not a skill" would be missing below them.
    decider = replace(normaliser.decider, threshold=0.0, nil_threshold=0.0)  # type: ignore[type-var]
    normaliser = replace(normaliser.without(strings["raw"].tolist()), decider=decider)
    links = normaliser.link(strings["raw"].tolist())
    found = outcomes(strings, answers_of(links, normaliser.top_k))
    thresholds = calibrate(found, tuple(precision or (0.95, 0.90, 0.80)))
    table = Table(
        "precision", "threshold [95%]", "precision there", "recall", title=f"{judged}, {len(strings)} strings"
    )
    for one in thresholds:
        cells = (f"{s.value:.3f} [{s.low:.2f}, {s.high:.2f}]" for s in (one.reached, one.recall))
        at = f"{one.threshold:.3f} [{one.low:.2f}, {one.high:.2f}]" if np.isfinite(one.threshold) else "not reached"
        table.add_row(f">= {one.precision:.2f}", *map(escape, (at, *cells)))
    console = Console()
    console.print(table)
    reached = [one for one in thresholds if np.isfinite(one.threshold)]
    if reached:
        at = np.floor(reached[0].threshold * 10**DECIMALS) / 10**DECIMALS  # confidences were rounded
        console.print(f"for a precision of {reached[0].precision:g}: --set linking.threshold={at:g}")
    if chart is not None:
        draw(found, thresholds, chart)
        console.print(f"{chart}: the curve")


if __name__ == "__main__":
    run_job(main)
