"""The command line of a job as the job takes it: what a scheduler's file says is parsed by the job's own options."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer

from skillsim.config import Config, load_config
from skillsim.errors import ConfigError


def settings_of(job: str, arguments: list[str]) -> Config:
    """The settings of `jobs/JOB.py ARGUMENTS`. Raises ConfigError at an option or a key that it lacks or misses."""
    main, options = _command(job, arguments)
    app = typer.Typer()
    app.command()(main)
    try:
        values = typer.main.get_command(app).make_context(job, options).params
    except Exception as problem:  # of click, which some versions of typer carry under a name of their own
        raise ConfigError(getattr(problem, "format_message", problem.__str__)()) from problem
    named = {"input.path": "input", "taxonomy.path": "taxonomy", "output.root": "output"}
    given = [f"{key}={values[name]}" for key, name in named.items() if values.get(name) is not None]
    return load_config(values["config"], [*given, *(values["set_"] or [])])


def _command(job: str, arguments: list[str]) -> tuple[Callable[..., Any], list[str]]:
    """The function that runs, and its own arguments: where a job has several commands, the first names it."""
    module = import_module(f"jobs.{job}")
    if not hasattr(module, "app"):
        return module.main, list(arguments)
    commands = {one.name or one.callback.__name__: one.callback for one in module.app.registered_commands}
    name, *options = arguments or [""]
    if name not in commands:
        raise ConfigError(f"no command {name}: there are {', '.join(sorted(commands))}.")
    return commands[name], options
