"""What the commands of this folder share: how they end on a mistake, and how they name models."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from skillsim.errors import SkillsimError, TrainingError


@contextmanager
def one_line_errors(console: Console) -> Iterator[None]:
    """A mistake is one line that names it, and exit code 2."""
    try:
        yield
    except SkillsimError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from error


def titled(argument: str) -> tuple[str, str]:
    """(title, encoder.model) of MODEL, its own title, or of TITLE=MODEL."""
    title, _, model = argument.partition("=")
    return (argument, argument) if not model or Path(argument).exists() else (title, model)


def read_json(file: Path) -> dict[str, Any]:
    """Raises TrainingError where it is none, or no object."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{file} cannot be read as JSON ({error}).") from error
