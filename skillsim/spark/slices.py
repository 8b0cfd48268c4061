"""A model stage in slices: ranges of text_key, one commit each, so that a kill loses at most one slice."""

import math
from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.config import SparkConfig
from skillsim.errors import BalanceError
from skillsim.schemas import Table
from skillsim.spark.progress import Meter, Stage
from skillsim.spark.sql import Scope
from skillsim.spark.tables import Tables

_PREFIXES = 16**4  # slices are cut on the first four hex digits of the key


def run_in_slices(
    todo: DataFrame,
    transform: Callable[[DataFrame], DataFrame],
    tables: Tables,
    table: Table,
    scope: Scope,
    config: SparkConfig,
    account: Stage,
) -> None:
    """`transform` the rows of `todo` (with a text_key) into `table`, whose `scope` columns are constants.

    `todo` is materialised first, since it is what `table` lacks and would shrink while `table` grows.
    """
    staged = tables.stage(f"{table.name}_todo", todo)
    account.rows_in = rows = staged.count()
    if not rows:
        return
    meter = Meter(account.stage, rows)
    slices = math.ceil(rows / config.rows_per_slice)
    number = F.floor(F.conv(F.substring("text_key", 1, 4), 16, 10).cast("int") * slices / _PREFIXES)
    # Adaptive execution would run a tiny text shuffle as two tasks; an explicit number of partitions holds.
    tasks = math.ceil(rows / slices / config.rows_per_task)
    for current in range(slices):
        part = staged.where(number == current).repartition(tasks) if slices > 1 else staged.repartition(tasks)
        done = tables.stage(table.name, transform(part))
        tables.upsert(table, done.withColumns({name: F.lit(value) for name, value in scope.items()}), scope)
        made = done.count()
        account.rows_out += made
        meter.add(made)
    if account.rows_out != rows:
        raise BalanceError(f"{table.name}: {rows} texts went in, {account.rows_out} came out.")
