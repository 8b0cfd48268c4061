"""Nothing is lost: what went into the stages of a run came out of them."""

from pyspark.sql import DataFrame

from skillsim.errors import BalanceError
from skillsim.schemas import MENTIONS, NORMALISED_SKILLS, TEXTS
from skillsim.spark.progress import Stage
from skillsim.spark.tables import Tables


def balance(tables: Tables, links: DataFrame, stage: Stage) -> dict[str, int]:
    """Mentions by status. Raises BalanceError where a mention or a text went missing between two stages.

    `links`: those of the run's taxonomy and model.
    """
    rows = tables.read(NORMALISED_SKILLS).groupBy("status").count().collect()
    statuses = {row["status"] or "undecided": row["count"] for row in rows}
    stage.rows_in, stage.rows_out = tables.read(MENTIONS).count(), sum(statuses.values())
    if stage.rows_in != stage.rows_out:
        raise BalanceError(f"mentions holds {stage.rows_in} rows, normalised_skills {stage.rows_out}.")
    texts, linked = tables.read(TEXTS).count(), links.count()
    if texts != linked:
        raise BalanceError(f"texts holds {texts} rows, links {linked} for this taxonomy and model.")
    if "undecided" in statuses:
        raise BalanceError(f"normalised_skills: {statuses['undecided']} mentions have no status.")
    return statuses
