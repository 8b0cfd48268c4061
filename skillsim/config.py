"""Settings: one frozen, validated model per stage, read from TOML and `--set section.key=value`.

Every key is described where it is declared; an unknown key or a bad value is a ConfigError that names it.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skillsim.errors import ConfigError
from skillsim.model_files import BUILTIN, Precision
from skillsim.text import TEXT_SEPARATORS

Shape = Literal["cells", "text", "array"]
Format = Literal["auto", "csv", "jsonl", "parquet", "delta", "table"]
LEAST_SCORE = 0.3  # of a pair that is kept: no threshold is set below


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputConfig(_Section):
    """Where the records are and how a row holds its skills."""

    path: str = Field("", description="file, folder or catalog table; `--input` overrides it")
    source: str = Field("", description="a stable name of this feed, part of every mention's key; required")
    format: Format = Field("auto", description="auto (off the name), csv, jsonl, parquet, delta or table")
    shape: Shape = Field(
        "cells",
        description="cells: CSV rows of an id and any number of skill cells; "
        "text: a column holding several skills; array: an array column",
    )
    header: bool = Field(False, description="the CSV's first line names the columns (always so for shape text)")
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        pattern=r'[^"\r\n]',
        description="between CSV fields; unset: a tab for .tsv, else a comma",
    )
    multiline: bool = Field(
        False,
        description="CSV of shape text: true for line breaks in quoted fields, and one open quote then swallows the "
        "records after it; false: one record a line, and an open quote costs that line",
    )
    id_column: str | None = Field(
        None,
        description="the record's id (shapes text, array); none: derived from the content, so an edited record "
        "without an id is a new record",
    )
    skills_column: str = Field("skills", description="the column with the skills (shapes text, array)")
    mode: Literal["append", "snapshot"] = Field(
        "append", description="whether a record that the feed no longer holds stays (append) or is removed (snapshot)"
    )
    max_removed: float = Field(
        0.5, ge=0, le=1, description="share of a feed's records that one snapshot may remove; more is an error"
    )
    separators: tuple[str, ...] | Literal["default"] | None = Field(
        None,
        description='between skills in one field; "default" is the list of skillsim.text; '
        "unset: that list for shape text, none for cells and array",
    )
    max_length: int = Field(100, ge=10, description="a longer mention is rejected as too_long, in characters")

    @property
    def effective_separators(self) -> tuple[str, ...]:
        if self.separators == "default" or (self.separators is None and self.shape == "text"):
            return TEXT_SEPARATORS
        return self.separators or ()


class OutputConfig(_Section):
    root: str = Field("", description="folder, URI or catalog.schema for the tables; `--output` overrides it")
    artifacts_path: str | None = Field(
        None,
        description="where label index and lexicon's vectors go: a folder that driver and executors share, or a URI "
        "that pyarrow opens (s3, gs, abfs, hdfs, file); unset: ROOT/artifacts",
    )

    wait_minutes: float = Field(
        0, ge=0, description="how long to wait for another run on the same output to end; 0: end at once with an error"
    )


class TaxonomyConfig(_Section):
    path: str = Field("", description="ESCO zips as downloaded, or a folder of them; `--taxonomy` overrides it")
    version: str | None = Field(None, description="which one, where the folder holds several")
    language: str = Field("en", pattern=r"^[a-z]{2}(-[a-z]+)?$", description="of the labels")
    successors: str | None = Field(
        None,
        description="CSV of concept_uri, successor_uri: what lexicon and curators said of a concept that the taxonomy "
        "lacks holds for its sole successor",
    )


class EncoderConfig(_Section):
    model: str = Field(
        BUILTIN,
        min_length=1,
        description="builtin, skillsim-small, a sentence-transformers folder, a hub id, or an adapter.safetensors",
    )
    precision: Precision = Field(
        "fp32", description="fp32, or bf16 for GPUs and CPUs with AVX512-BF16 or AMX: another model_id"
    )
    prompt: str = Field("", description="put before every text, for models trained with one")
    max_length: int | None = Field(None, ge=4, description="tokens; unset: the model's own")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:N; auto takes the GPU Spark assigned to the task",
    )
    batch_tokens: int | None = Field(
        None, ge=16, description="token budget of a batch; unset: 768 on a CPU, 65,536 on a GPU"
    )


class RetrievalConfig(_Section):
    top_k: int = Field(30, ge=3, le=100, description="candidates kept for each text")


class LinkingConfig(_Section):
    decider: str = Field(
        "auto",
        min_length=1,
        description="auto: the fitted decision where it holds, else the plain score; plain; or a file that "
        "training.decider wrote",
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="confidence from which a text is matched; unset: the decision's own, .8 if plain"
    )
    nil_threshold: float | None = Field(
        None, ge=0, le=1, description="below it a text has no concept (nil); unset: the decision's own, .5 if plain"
    )
    builtin_lexicon: bool = Field(True, description="whether the project's judged strings take part")
    lexicon: str | None = Field(None, description="a CSV file of your own like it, which stands above it")

    @model_validator(mode="after")
    def _ordered(self) -> "LinkingConfig":
        if self.threshold is not None and self.nil_threshold is not None and self.nil_threshold > self.threshold:
            raise ValueError(f"nil_threshold {self.nil_threshold} is above threshold {self.threshold}")
        return self


class ClustersConfig(_Section):
    decision: str = Field(
        "none",
        min_length=1,
        description="whether two texts are variants of one skill: none (no clusters); auto (the fitted decision where "
        "it holds for the encoder, else no clusters); or a file of training.variants or training.label_variants",
    )
    texts: Literal["mentions", "labels"] = Field(
        "mentions",
        description="what auto is fitted for: mentions, as people write skills; or labels of a taxonomy, each meant to "
        "be one skill, which phrase it in other words",
    )
    threshold: float | None = Field(
        None, ge=LEAST_SCORE, le=1, description="score from which two texts are one skill; unset: the decision's own"
    )
    cells: int = Field(
        5,
        ge=1,
        le=30,
        description="texts are compared that share one of so many nearest concepts, all words but one, or letters",
    )


class ReportConfig(_Section):
    min_records: int = Field(2, ge=1, description="a text seen in fewer records is not shown")
    top: int = Field(100, ge=1, le=1000, description="rows of each list")


class MaintainConfig(_Section):
    retention_hours: float = Field(
        168, ge=0, description="jobs/maintain.py keeps files of older table versions for so long; 168 is Delta's week"
    )


class SparkConfig(_Section):
    master: str | None = Field(None, description="only where no session and no spark-submit gives one")
    rows_per_task: int = Field(
        2_000, ge=1, description="texts in one task of a model stage, records in one of splitting"
    )
    rows_per_slice: int = Field(
        40_000, ge=1, description="texts between two commits of a model stage; five times as many of pairs"
    )
    conf: dict[str, str] = Field(
        default_factory=dict, description="Spark settings for a session made here; one that exists keeps its own"
    )


class Config(_Section):
    """Everything a run depends on."""

    input: InputConfig = InputConfig()
    output: OutputConfig = OutputConfig()
    taxonomy: TaxonomyConfig = TaxonomyConfig()
    encoder: EncoderConfig = EncoderConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    linking: LinkingConfig = LinkingConfig()
    clusters: ClustersConfig = ClustersConfig()
    report: ReportConfig = ReportConfig()
    maintain: MaintainConfig = MaintainConfig()
    spark: SparkConfig = SparkConfig()


def load_config(
    path: str | Path | None = None, assignments: Iterable[str] = (), otherwise: Iterable[str] = ()
) -> Config:
    """Read a TOML file, then apply `section.key=value` assignments; values are TOML, or bare strings.

    `otherwise`: assignments that hold where neither says anything. Raises ConfigError naming the file and the key.
    """
    origin, assignments = f"--config {path}" if path else "settings", list(assignments)
    data: dict[str, Any] = {}
    if path:
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"--config {path}: cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"--config {path}: not valid TOML: {error}.") from error
    said = {f"{section}.{key}" for section, of in data.items() if isinstance(of, dict) for key in of}
    for assignment in (*(one for one in otherwise if one.partition("=")[0] not in said), *assignments):
        _assign(data, assignment)
    assigned = {assignment.partition("=")[0].strip() for assignment in assignments}
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_describe(error, origin, assigned)) from error


def _assign(data: dict[str, Any], assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    section, dot, name = key.strip().partition(".")
    if not (equals and dot and section and name):
        raise ConfigError(f"--set {assignment}: write it as section.key=value, for example linking.threshold=0.8.")
    target = data.setdefault(section, {})
    if section == "spark" and name.startswith("conf.") and isinstance(target, dict):
        target, name = target.setdefault("conf", {}), name.removeprefix("conf.")
        section = "spark.conf"
    if not isinstance(target, dict):
        raise ConfigError(f"--set {assignment}: '{section}' is not a section in the file.")
    parsed = _toml_value(value)
    # A version such as 1.1 is text, whatever TOML makes of it.
    target[name] = value if _is_text(section, name) and not isinstance(parsed, str) else parsed


def _is_text(section: str, name: str) -> bool:
    if section == "spark.conf":
        return True
    model = Config.model_fields.get(section)
    field = model.annotation.model_fields.get(name) if model and model.annotation else None
    return field is not None and field.annotation in (str, str | None)


def _toml_value(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _describe(error: ValidationError, origin: str, assigned: set[str]) -> str:
    """The problems in words, each with where it was set, and the keys that exist where one does not."""
    messages: dict[str, str] = {}  # by key: a union complains once for each of its types
    for problem in error.errors():
        depth = 3 if problem["loc"][:2] == ("spark", "conf") else 2
        key = ".".join(str(part) for part in problem["loc"][:depth])
        if problem["type"] == "extra_forbidden":
            known = Config.model_fields
            if len(problem["loc"]) > 1:
                known = known[str(problem["loc"][0])].annotation.model_fields  # type: ignore[union-attr]
            messages.setdefault(key, f"unknown key '{key}'; known here: {', '.join(known)}")
        else:
            detail = problem["msg"].removeprefix("Value error, ")
            messages.setdefault(key, f"'{key}' = {problem['input']!r}: {detail}" if key else detail)
        if key.startswith("spark.conf."):
            messages[key] += '; quote a dotted name: "spark.executor.memory" = "4g"'
    found = [f"{f'--set {key}' if key in assigned else origin}: {text}" for key, text in messages.items()]
    return "; ".join(found) + "."
