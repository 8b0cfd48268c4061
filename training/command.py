"""How the commands of this folder end on a mistake: one line that names it, and exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from skillsim.errors import SkillsimError


@contextmanager
def one_line_errors(console: Console) -> Iterator[None]:
    try:
        yield
    except SkillsimError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from error
