"""What the commands of this folder share: how they end on a mistake, and how they name models."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from skillsim.errors import SkillsimError


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
    return title, model or title
