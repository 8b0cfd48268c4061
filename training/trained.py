"""What a training left behind, read again."""

import json
from pathlib import Path

from rich.console import Console

from skillsim.errors import TrainingError
from skillsim.model_files import EVERYTHING, ModelFiles, adapter_metadata

FILE = "training.json"


def folds_unseen(folder: Path) -> set[int]:
    """Folds of the judged strings that the encoder in a folder did not learn from."""
    try:
        return set(json.loads((folder / FILE).read_text(encoding="utf-8"))["without_folds"])
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder} is no folder that training.train wrote ({error}).") from error


def knows_everything(model: ModelFiles) -> bool:
    """Whether a model was written by a training that held nothing out, as the shipped one was."""
    if model.adapter:
        return adapter_metadata(model.adapter).get(EVERYTHING) == str(True)
    file = model.path.parent / FILE
    return file.is_file() and bool(json.loads(file.read_text(encoding="utf-8")).get("everything"))


def warn_of_everything(console: Console, title: str) -> None:
    told = f"{title} was trained on everything: its figures are no measure."
    console.print(told, style="red", soft_wrap=True)
