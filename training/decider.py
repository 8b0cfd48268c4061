"""Fit the decision on the judged strings and say what it is worth:

    python -m training.decider JUDGED_FOLDER TAXONOMY [--out FILE] [--set section.key=value] [--trained DIR ...]

Scores come from grouped cross-validation (training.splits): no string is judged by a decision that saw its fold, nor
with its own judgement, or a near-duplicate's, in memory. The file that is written was fitted on all strings; its
thresholds are those of the cross-validation. An encoder that learnt from judged strings knows them better than any
it will meet: --trained names encoders that did not see some folds, and each text's signals come from such a one.
"""

import json
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from safetensors.numpy import save_file

from skillsim.config import load_config
from skillsim.decider import SHIPPED, FittedFor
from skillsim.errors import DeciderError
from skillsim.esco import find_bundle
from training.command import one_line_errors
from training.examples import cross_fitted, examples, with_memory
from training.fitting import fit
from training.judged import read_judged
from training.splits import with_folds
from training.validation import NIL_THRESHOLD, Validated, gains, show


def main(
    folder: Path,
    taxonomy: Path,
    out: Path = typer.Option(None, help="unset: the file that is shipped for this encoder"),
    settings: list[str] = typer.Option([], "--set"),
    trained: list[Path] = typer.Option(
        [], help="folder of training.train that did not learn from some folds; repeatable, until all folds are covered"
    ),
    against: str = typer.Option(
        None, help="another encoder.model, which learnt no judged string: the gain over it, paired"
    ),
) -> None:
    """Cross-validate, fit, write."""
    console = Console(width=130)
    with one_line_errors(console):
        config, other = (
            load_config(None, ["linking.decider=plain", *settings, *more])
            for more in ([], [f"encoder.model={against}"] if against else [])
        )
        target = out or SHIPPED.get(config.encoder.model)
        if target is None:
            raise DeciderError(f"a decision for encoder.model {config.encoder.model}: say with --out where it goes.")
        judged = with_folds(read_judged(folder))
        normaliser = with_memory(taxonomy, config)
        data = cross_fitted(judged, taxonomy, config, trained) if trained else examples(judged, normaliser)
        validated = Validated.of(data, normaliser)
        validated.show(console)
        if against:
            theirs = with_memory(taxonomy, other)
            show(console, f"less {against}", gains(validated, Validated.of(examples(judged, theirs), theirs)))
    bundle = find_bundle(taxonomy, config.taxonomy.language, "1.1.1")
    model_id, top_k = normaliser.encoder.model_id, normaliser.top_k
    fitted_for = FittedFor(model_id, bundle.language, bundle.family, top_k, config.linking.builtin_lexicon)
    thresholds = json.dumps([validated.threshold, NIL_THRESHOLD])
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(fit(data), target, metadata={"fitted_for": json.dumps(asdict(fitted_for)), "thresholds": thresholds})
    console.print(f"{target}: {target.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
