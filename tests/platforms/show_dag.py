"""Prints what a real Airflow makes of the DAGs of a folder, as JSON. Runs in Airflow's own environment."""

import json
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.execution_time.context import VariableAccessor

SUNDAY, MONDAY = datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)


def command(task, date):
    """The spark-submit of a task on 1 December, as Airflow renders it."""
    task = task.prepare_for_execution()
    variables = {"json": VariableAccessor(deserialize_json=True)}
    # As of a manual trigger, which has no logical date and so no ds.
    run = SimpleNamespace(run_after=datetime(2026, 12, 1, 1, 30, tzinfo=UTC))
    task.render_template_fields({"params": {"date": date}, "dag_run": run, "var": variables})
    return task._get_hook()._build_spark_submit_command(task.application)


def told(task):
    of = {"type": task.task_type, "after": sorted(task.upstream_task_ids), "retries": task.retries}
    if task.task_type == "SparkSubmitOperator":
        of |= {"command": command(task, None), "of another day": command(task, "2026-11-30")}
    else:
        runs = [SimpleNamespace(run_after=day) for day in (SUNDAY, MONDAY)]
        of |= {"goes on, on Sunday and Monday": [task.python_callable(dag_run=run) for run in runs]}
    return of


bag = DagBag(sys.argv[1])
dags = {
    name: {
        "tasks": {task.task_id: told(task) for task in dag.tasks},
        "at once": dag.max_active_runs,
        "catchup": dag.catchup,
    }
    for name, dag in bag.dags.items()
}
print("\n" + json.dumps({"errors": bag.import_errors, "dags": dags}))
