"""Settings: what is read, what wins, and that each refusal names the place and the remedy."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from skillsim.config import Config, load_config
from skillsim.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
SECTIONS = {name: field.annotation for name, field in Config.model_fields.items()}


def toml(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def message(path: Path | None, *assignments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, assignments)
    return str(caught.value)


def value(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


# --- reading ----------------------------------------------------------------------------------------------


def test_without_a_file_every_key_has_its_default() -> None:
    assert load_config() == Config()


def test_a_file_sets_keys_and_leaves_the_rest(tmp_path: Path) -> None:
    path = toml(tmp_path, '[input]\nsource = "jobs"\nseparators = [";"]\n[spark.conf]\n"spark.x.y" = "1g"\n')
    config = load_config(path)
    assert (config.input.source, config.input.separators) == ("jobs", (";",))
    assert config.spark.conf == {"spark.x.y": "1g"}
    assert config.linking == Config().linking


def test_assignments_stand_above_the_file_and_the_last_one_wins(tmp_path: Path) -> None:
    path = toml(tmp_path, "[linking]\nthreshold = 0.9\nnil_threshold = 0.2\n")
    config = load_config(path, ["linking.threshold=0.7", "linking.threshold=0.8"])
    assert (config.linking.threshold, config.linking.nil_threshold) == (0.8, 0.2)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("linking.threshold=0.8", 0.8),
        ("linking.threshold=1", 1.0),
        ("retrieval.top_k=20", 20),
        ("spark.rows_per_task=1_000", 1000),
        ("input.header=true", True),
        ("input.header=false", False),
        ("input.shape=text", "text"),
        ('input.shape="text"', "text"),
        ("input.separators=[',', ' / ']", (",", " / ")),
        ("input.separators=[]", ()),
        ("input.delimiter=;", ";"),
        ("input.delimiter=\t", "\t"),
        ("input.multiline=true", True),
        ("input.path=/data/a=b.csv", "/data/a=b.csv"),
        ("input.id_column=2024", "2024"),
        ("output.root=main.skills", "main.skills"),
        ("taxonomy.version=1.1.1", "1.1.1"),
        ("taxonomy.version=1.1", "1.1"),
        ("taxonomy.version=1", "1"),
        ("encoder.prompt=true", "true"),
        ("encoder.prompt=", ""),
        ("encoder.batch_tokens=512", 512),
        (" encoder.device =cpu", "cpu"),
    ],
)
def test_an_assignment_has_the_type_of_its_key(assignment: str, expected: object) -> None:
    key = assignment.partition("=")[0].strip()
    got = value(load_config(assignments=[assignment]), key)
    assert got == expected
    assert type(got) is type(expected)


def test_spark_settings_keep_their_dotted_names_and_stay_strings(tmp_path: Path) -> None:
    path = toml(tmp_path, '[spark.conf]\n"spark.a" = "file"\n"spark.b" = "file"\n')
    config = load_config(path, ["spark.conf.spark.b=2", "spark.conf.spark.sql.ansi.enabled=true"])
    assert config.spark.conf == {"spark.a": "file", "spark.b": "2", "spark.sql.ansi.enabled": "true"}


def test_effective_separators_follow_the_shape_unless_they_are_set() -> None:
    def effective(*assignments: str) -> tuple[str, ...]:
        return load_config(assignments=assignments).input.effective_separators

    assert effective() == effective("input.shape=array") == ()
    assert "," in effective("input.shape=text")
    assert effective("input.shape=text", "input.separators=[]") == ()
    assert effective("input.separators=['|']") == ("|",)
    assert effective("input.separators=default") == effective("input.shape=text")


# --- refusing ---------------------------------------------------------------------------------------------


def test_an_unknown_section_is_named_with_the_known_ones(tmp_path: Path) -> None:
    path = toml(tmp_path, "[linkng]\nthreshold = 0.8\n")
    said = message(path)
    assert str(path) in said
    assert "unknown key 'linkng'" in said
    assert all(section in said for section in SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_is_named_with_the_known_ones(section: str) -> None:
    said = message(None, f"{section}.no_such=1")
    assert f"unknown key '{section}.no_such'" in said
    assert all(name in said for name in SECTIONS[section].model_fields)


@pytest.mark.parametrize("threshold", ["-0.01", "1.01", "75", "nan", "inf", "high"])
@pytest.mark.parametrize("key", ["linking.threshold", "linking.nil_threshold"])
def test_a_threshold_outside_0_to_1_is_refused(key: str, threshold: str) -> None:
    assert f"'{key}' = " in message(None, f"{key}={threshold}")


def test_a_nil_threshold_above_the_threshold_is_refused(tmp_path: Path) -> None:
    path = toml(tmp_path, "[linking]\nthreshold = 0.5\nnil_threshold = 0.6\n")
    said = message(path)
    assert str(path) in said
    assert "nil_threshold 0.6 is above threshold 0.5" in said
    assert load_config(path, ["linking.nil_threshold=0.5"]).linking.nil_threshold == 0.5


@pytest.mark.parametrize(
    "assignment", ["linking.threshold", "threshold=0.8", "linking.=0.8", ".threshold=0.8", "=0.8", ""]
)
def test_a_malformed_assignment_is_answered_with_the_form(assignment: str) -> None:
    said = message(None, assignment)
    assert said.startswith(f"--set {assignment}:")
    assert "section.key=value" in said


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("input.shape", "cell"),
        ("input.format", "xlsx"),
        ("input.delimiter", "||"),
        ("input.delimiter", ""),
        ("input.delimiter", '"'),
        ("input.delimiter", "\n"),
        ("input.multiline", "often"),
        ("input.max_length", "9"),
        ("input.separators", ","),
        ("taxonomy.language", "English"),
        ("encoder.model", ""),
        ("encoder.precision", "int8"),
        ("encoder.batch_tokens", "0"),
        ("encoder.max_length", "many"),
        ("retrieval.top_k", "2"),
        ("retrieval.top_k", "101"),
        ("retrieval.top_k", "3.5"),
        ("spark.rows_per_slice", "0"),
    ],
)
def test_a_bad_value_is_named_with_its_key(key: str, bad: str) -> None:
    assert f"'{key}' = " in message(None, f"{key}={bad}")


def test_a_number_where_a_file_should_hold_text_is_refused_by_name(tmp_path: Path) -> None:
    assert "'taxonomy.version' = 1.1" in message(toml(tmp_path, "[taxonomy]\nversion = 1.1\n"))


def test_several_mistakes_are_said_at_once() -> None:
    said = message(None, "linking.threshold=2", "retrieval.top_k=0")
    assert "linking.threshold" in said
    assert "retrieval.top_k" in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    said = message(tmp_path / "none.toml")
    assert str(tmp_path / "none.toml") in said
    assert "--config" in said
    assert "cannot be read" in message(tmp_path)  # a folder


@pytest.mark.parametrize("content", [b"[input\n", b"[input]\nsource = jobs\n", b"[input]\nsource = '\xff'\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    said = message(path)
    assert str(path) in said
    assert "not valid TOML" in said


@pytest.mark.parametrize("content", ["linking = 1", "spark = 1", "[spark]\nconf = 1"])
@pytest.mark.parametrize("assignment", ["linking.threshold=0.8", "spark.conf.spark.a=1"])
def test_a_value_where_a_section_should_be_is_a_config_error(tmp_path: Path, content: str, assignment: str) -> None:
    said = message(toml(tmp_path, content), assignment)
    assert content.split()[0].strip("[]") in said


# --- the models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_described(section: str) -> None:
    fields = SECTIONS[section].model_fields
    assert fields
    assert [name for name, field in fields.items() if not (field.description or "").strip()] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_a_config_is_frozen(section: str) -> None:
    config = Config()
    name = next(iter(SECTIONS[section].model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(getattr(config, section), name, "x")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, section, SECTIONS[section]())


def test_an_error_says_where_the_value_was_set(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[report]\ntop = 0\n[spark.conf]\nspark.executor.memory = '4g'\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["linking.threshold=1.5"])
    message = str(caught.value)
    assert "--set linking.threshold: 'linking.threshold' = 1.5" in message
    assert f"--config {path}: 'report.top' = 0" in message
    assert "'spark.conf.spark'" in message
    assert "quote a dotted name" in message


@pytest.mark.parametrize("value", ["careers", '"careers"', "'careers'"])
def test_a_text_may_be_written_bare_or_as_toml(value: str) -> None:
    assert load_config(assignments=[f"input.source={value}"]).input.source == "careers"


@pytest.mark.parametrize("value", ["1.1", "007", "true", "2026-11-24"])
def test_a_text_that_toml_would_read_otherwise_stays(value: str) -> None:
    assert load_config(assignments=[f"taxonomy.version={value}"]).taxonomy.version == value


@pytest.mark.parametrize(("device", "known"), [("cuda:1", True), ("cpu", True), ("banana", False), ("cuda:", False)])
def test_a_device_is_one_that_torch_has(device: str, known: bool) -> None:
    if known:
        assert load_config(assignments=[f"encoder.device={device}"]).encoder.device == device
    else:
        with pytest.raises(ConfigError, match=r"--set encoder\.device"):
            load_config(assignments=[f"encoder.device={device}"])


def test_two_configs_do_not_share_their_spark_settings() -> None:
    first = load_config(assignments=["spark.conf.spark.a=1"])
    assert load_config().spark.conf == {}
    assert first.spark.conf == {"spark.a": "1"}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "conf").glob("*.toml")), ids=lambda path: path.name)
def test_the_shipped_configs_load(path: Path) -> None:
    """Those of a cluster leave the source to each feed."""
    assert bool(load_config(path).input.source) == (path.name not in ("cluster.toml", "gpu.toml"))


def test_there_is_a_config_for_one_machine() -> None:
    assert (REPOSITORY / "conf" / "local.toml").is_file()
