"""What every job shares: its log, its error line, its exit code."""

import logging
import sys
from collections.abc import Callable

import typer

from skillsim.errors import BalanceError, SkillsimError
from skillsim.spark.session import explained


def run_job(main: Callable[..., None]) -> None:
    """Run `main` with the options of the command line.

    Exit codes: 0 done; 1 an unforeseen error, with its traceback; 2 an error that the user can mend, on one line;
    3 rows went missing, which is a bug.
    """
    start_logging()
    try:
        with explained():
            typer.run(main)
    except BalanceError as error:
        print(f"error: {error} This is a bug of skillsim: please report it with this log.", file=sys.stderr)
        sys.exit(3)
    except SkillsimError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def start_logging() -> None:
    """Log lines with date, time and level to standard error."""
    # Some library has configured logging on import by now.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S", force=True
    )
    logging.getLogger("py4j").setLevel(logging.WARNING)
