"""What is Spark's to look up and what is on this machine."""

import pytest

from skillsim.spark.paths import is_uri, spark_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dbfs:/x", True),
        ("s3a://b/x", True),
        ("HDFS:/x", True),
        ("abfss://c@a.net/x", True),
        ("file:/x", True),
        ("/x", False),
        ("x:y", False),
        ("C:/x", False),
        ("a/b:/c", False),
        ("catalog.schema.table", False),
    ],
)
def test_a_uri_has_a_scheme(path: str, expected: bool) -> None:
    assert is_uri(path) == expected
    assert (spark_path(path) == path) == expected


def test_a_databricks_volume_keeps_its_plain_path() -> None:
    assert spark_path("/Volumes/main/hr/in*.csv") == r"/Volumes/main/hr/in\*.csv"
