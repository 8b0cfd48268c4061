"""The night's increment under Airflow 3, with the provider apache-airflow-providers-apache-spark.

    airflow connections add spark_default --conn-type spark --conn-host spark://HOST --conn-port 7077
    airflow variables set skillsim '{"home": "/opt/skillsim", "source": "careers_site", "mode": "append",
        "feed": "file:/mnt/shared/feeds/careers_site", "taxonomy": "/mnt/shared/esco", "taxonomy_version": "1.1.1",
        "output": "file:/mnt/shared/skills", "artifacts": "/mnt/shared/skillsim"}'

`home` is a checkout after `make env` and `make pack`, on the worker whose PATH has its spark-submit. The feed puts each
night's records into FEED/DATE: what is new or changed (mode append), or all of them (snapshot). Another night's:

    airflow dags trigger skillsim_nightly --conf '{"date": "2026-11-30"}'

A run that failed or was killed is repeated, which is safe: it finishes what is not done. One run at a time, maintenance
included, so that no two drivers write to one output.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, Param, task

OURS = "{{ var.json.skillsim.%s }}"
SUBMIT = {
    "conn_id": "spark_default",
    "packages": "io.delta:delta-spark_4.2_2.13:4.4.0",
    "driver_memory": "4g",
    "executor_cores": 2,
    "executor_memory": "4g",
    "conf": {  # conf/cluster.toml explains them
        "spark.archives": f"{OURS % 'home'}/build/skillsim-env.tar.gz#env",
        "spark.pyspark.python": "./env/bin/python",
        "spark.pyspark.driver.python": f"{OURS % 'home'}/.venv/bin/python",
        "spark.executor.memoryOverhead": "4g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=4",
        "spark.log.level": "WARN",
    },
}


def job(name: str, *options: str) -> SparkSubmitOperator:
    return SparkSubmitOperator(
        task_id=name,
        name=f"skillsim_{name}",
        application=f"{OURS % 'home'}/jobs/{name}.py",
        application_args=["--output", OURS % "output", *options],
        **SUBMIT,
    )


@task.short_circuit
def on_sundays(dag_run=None) -> bool:
    return dag_run.run_after.weekday() == 6


with DAG(
    "skillsim_nightly",
    schedule="30 1 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    # A killed run's lease is taken over after five minutes.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=6)},
    params={"date": Param(None, type=["null", "string"], format="date", description="of the feed; none: the run's")},
    tags=["skillsim"],
):
    normalise = job(
        "normalise_skills",
        *("--config", f"{OURS % 'home'}/conf/cluster.toml"),
        *("--input", f"{OURS % 'feed'}/{{{{ params.date or dag_run.run_after.strftime('%Y-%m-%d') }}}}"),
        *("--set", f"input.source={OURS % 'source'}", "--set", f"input.mode={OURS % 'mode'}"),
        *("--taxonomy", OURS % "taxonomy", "--set", f"taxonomy.version={OURS % 'taxonomy_version'}"),
        *("--set", f"output.artifacts_path={OURS % 'artifacts'}", "--set", "output.wait_minutes=60"),
    )
    normalise >> on_sundays() >> job("maintain", "--set", "output.wait_minutes=60")
