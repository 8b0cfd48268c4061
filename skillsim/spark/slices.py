"""A model stage in slices: ranges of text_key, one commit each, so that a kill loses at most one slice."""

import math
from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.config import SparkConfig
from skillsim.errors import BalanceError
from skillsim.schemas import Table
from skillsim.spark.progress import Meter, Stage
from skillsim.spark.sql import predicate
from skillsim.spark.tables import Tables

_PREFIXES = 16**4  # slices are cut on the first four hex digits of the key


def run_in_slices(
    todo: DataFrame,
    transform: Callable[[DataFrame], DataFrame],
    tables: Tables,
    table: Table,
    constants: dict[str, str],
    config: SparkConfig,
    account: Stage,
) -> None:
    """`transform` the rows of `todo` (with a text_key) into `table`, whose other key columns are `constants`.

    `todo` is materialised first, since it is what `table` lacks and would shrink while `table` grows.
    """
    # Sorted, so that each slice reads its own pages of the staged files.
    staged = tables.stage(f"{table.name}_todo", todo.sortWithinPartitions("text_key"))
    account.rows_in = rows = staged.count()
    if not rows:
        return
    meter = Meter(account.stage, rows)
    slices = math.ceil(rows / config.rows_per_slice)
    # Adaptive execution would run a tiny text shuffle as two tasks; an explicit number of partitions holds.
    tasks = math.ceil(rows / slices / config.rows_per_task)
    for keys in key_ranges(slices):
        part = staged.where(predicate({"text_key": keys})).repartition(tasks)
        done = tables.stage(table.name, transform(part))
        rows_made = done.withColumns({name: F.lit(value) for name, value in constants.items()})
        tables.upsert(table, rows_made, {**constants, "text_key": keys})
        made = done.count()
        account.rows_out += made
        meter.add(made)
    if account.rows_out != rows:
        raise BalanceError(f"{table.name}: {rows} texts went in, {account.rows_out} came out.")


def key_ranges(slices: int) -> list[tuple[str, str]]:
    """Equal ranges of text_key, a hexadecimal hash: from the first, up to and without the second."""
    edges = [f"{_PREFIXES * number // slices:04x}" for number in range(slices)]
    return list(zip(edges, [*edges[1:], "g"], strict=True))
