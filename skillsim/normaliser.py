"""Normalise skills on one machine, without Spark: the job's own functions on arrays."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from filelock import FileLock

from skillsim.artifacts import host_cache, is_artifact, localise, write
from skillsim.config import Config
from skillsim.decider import Decider, Judgement, choose_decider
from skillsim.encoder import Encoder, load_encoder, pack_vectors, vectors_of
from skillsim.errors import ModelError
from skillsim.esco import Taxonomy, find_bundle, read_taxonomy
from skillsim.explanation import evidence, in_words, remembered
from skillsim.lexicon import Lexicon, configured_lexicon
from skillsim.linking import ConceptNames, best_first, links_of
from skillsim.memory import Memory, memory_name
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.overrides import OVERRIDE
from skillsim.retrieval import LabelIndex, index_id
from skillsim.schemas import CANDIDATE, LINKS
from skillsim.successors import read_successors, sole_successors
from skillsim.text import parse_mention

log = logging.getLogger(__name__)

# Cosine from which the card of alvperez/skill-sim-model calls two skills definitely related.
DEFINITELY_RELATED = 0.65

_FROM_LINK = (
    "concept_uri",
    "concept_label",
    "score",
    "probability",
    "method",
    "group_uri",
    "group_label",
    "top",
)
# Memory's candidates have no signals of retrieval.
RANKED = pa.struct([*CANDIDATE, pa.field("score", pa.float64())])
RESULT = pa.schema(
    [("raw", pa.string()), ("text", pa.string()), ("proficiency", pa.string()), ("years", pa.float64())]
    + [("status", pa.string()), ("reason", pa.string())]
    + [LINKS.schema.field(name) for name in _FROM_LINK]
    + [pa.field("candidates", pa.list_(RANKED))]
)


def similarity(a: Sequence[str], b: Sequence[str], model: str = BUILTIN) -> npt.NDArray[np.float32]:
    """Cosine of every string of `a` to every string of `b`: (len(a), len(b)).

    From DEFINITELY_RELATED on, the card of the reference model calls two skills definitely related; another model,
    the built-in one too, has another scale (skillsim-small's is on its card). Raises ValueError for a string without a
    vector.
    """
    encoder = _encoder(model)
    left, right = (vectors_of(encoder, _listed(texts)) for texts in (a, b))
    return left @ right.T


@lru_cache(maxsize=2)
def _encoder(model: str) -> Encoder:
    return load_encoder(resolve_model(model))


def _listed(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError(f"a list of strings is wanted, not the one string {texts[:40]!r}: write [{texts[:40]!r}]")
    return list(texts)


@dataclass(frozen=True)
class Normaliser:
    """An encoder, a taxonomy's label index and a decision: `Normaliser.from_esco(path).link(["Core Java"])`."""

    encoder: Encoder
    index: LabelIndex
    decider: Decider
    lexicon: Lexicon
    memory: Memory | None  # of a fitted decider
    top_k: int
    max_length: int = 100

    @staticmethod
    def from_esco(
        path: str | Path,
        model: str | None = None,
        version: str | None = None,
        language: str | None = None,
        config: Config | None = None,
        cache: str | Path | None = None,
    ) -> "Normaliser":
        """Read a bundle (zips or folder) and index its labels; minutes for all of ESCO, once.

        The index is kept in `cache` (default: the user's cache folder) under the content of bundle and model.
        `config` gives thresholds and encoder settings; `model`, `version` and `language` stand above it.
        """
        settings = config or Config()
        bundle = find_bundle(path, language or settings.taxonomy.language, version or settings.taxonomy.version)
        wanted = settings.encoder
        files = resolve_model(model or wanted.model, wanted.precision, wanted.prompt, wanted.max_length)
        decider, reasons = choose_decider(settings, bundle, files.model_id)
        for reason in reasons:
            log.info("%s", reason)
        encoder = load_encoder(files, settings.encoder.device, settings.encoder.batch_tokens)
        base = Path(cache).expanduser().resolve() if cache else host_cache()
        folder = base / index_id(bundle.taxonomy_id, files.model_id)
        base.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not is_artifact(str(folder)):
                log.info("indexing the labels of %s, once", path)
                write(folder, _build_index(read_taxonomy(bundle), encoder).save)
        index = LabelIndex.load(localise(str(folder)))
        lexicon = configured_lexicon(settings.linking.lexicon, settings.linking.builtin_lexicon, bundle.language)
        successors = sole_successors(read_successors(settings.taxonomy.successors), bundle.concept_uris)
        lexicon = lexicon.succeeded(successors).within(index.concept_row)[0]
        memory = None
        if decider.calibrated:
            folder = base / memory_name(bundle.taxonomy_id, files.model_id, lexicon.lexicon_id)
            with FileLock(f"{folder}.lock"):
                if not is_artifact(str(folder)):
                    log.info("embedding the lexicon, once")
                    write(folder, Memory.of(lexicon, encoder, index.concept_row).save)
            memory = Memory.load(localise(str(folder)), index.concept_row)
        retrieval, max_length = settings.retrieval, settings.input.max_length
        return Normaliser(encoder, index, decider, lexicon, memory, retrieval.top_k, max_length)

    def without(self, skills: Sequence[str]) -> "Normaliser":
        """The same as if none of these strings had been judged: to score it on judged strings."""
        keys = [key for raw in skills if (key := parse_mention(raw, self.max_length).text_key)]
        memory = self.memory.without(keys) if self.memory is not None else None
        return replace(self, lexicon=self.lexicon.without(keys), memory=memory)

    def link(self, skills: Sequence[str]) -> pd.DataFrame:
        """One row a string, in order; columns as in `RESULT`. `probability` is null while uncalibrated.

        What is no string (a gap in a pandas column) is rejected as empty.
        """
        return self.link_table(skills).to_pandas()

    def explain(self, skill: str) -> str:
        """What decided this string's link: a sentence, then a line for each of its best candidates and for memory."""
        link = self.link_table([skill]).to_pylist()[0]
        lines = [in_words(link)]
        for candidate in (link["candidates"] or ())[:3]:
            lines.append(evidence(candidate, self._concept_label(candidate["concept_uri"]), link["text"]))
        if self.memory is not None and link["candidates"]:
            votes = self.memory.votes([link["text"]], self.encoder.encode([link["text"]]).vectors)
            near = [(*self._judged(row), float(votes.cosine[0, row])) for row in votes.neighbours[0].tolist()]
            lines.append(remembered(near))
        return "\n".join(lines)

    def _judged(self, row: int) -> tuple[str, str]:
        """(string, what it was judged to be) of an entry of the memory."""
        assert self.memory is not None
        entry = self.lexicon.entries[self.memory.entries["text_key"][row].as_py()]
        if not entry.concepts:
            return entry.string, "no concept" if entry.kind == "skill" else entry.kind
        return entry.string, self._concept_label(entry.concepts[0])

    def _concept_label(self, uri: str) -> str:
        return str(self.index.concepts["preferred_label"][self.index.concept_row[uri]])

    def link_table(self, skills: Sequence[str]) -> pa.Table:
        """As `link`, in Arrow."""
        skills = [_readable(raw) if isinstance(raw, str) else "" for raw in _listed(skills)]
        mentions = [parse_mention(raw, self.max_length) for raw in skills]
        keys = {m.text_key: m.text for m in mentions if m.text_key and m.text}
        encoded = self.encoder.encode(list(keys.values()))
        done = [row for row in range(len(keys)) if row not in encoded.failures]
        key_list, text_list = list(keys), list(keys.values())
        found = self.index.candidates(
            [text_list[row] for row in done],
            [key_list[row] for row in done],
            encoded.vectors[done],
            self.top_k,
        )
        place = {row: number for number, row in enumerate(done)}
        at = pa.array([place.get(row) for row in range(len(keys))], pa.int64())
        texts = pa.table(
            {
                "text_key": pa.array(key_list, pa.string()),
                "text": pa.array(text_list, pa.string()),
                "candidates": found.candidates.take(at),
                "occupation_uri": found.occupation_uri.take(at),
                "vector": pack_vectors(encoded),
                "failure": pa.array([encoded.failures.get(row) for row in range(len(key_list))], pa.string()),
                "entry": self.lexicon.column(key_list),
                "override": pa.nulls(len(key_list), OVERRIDE),
            }
        )
        judgement = self.decider.judge(texts, self.index, self.memory)
        names = ConceptNames.from_table(self.index.concepts)
        decided = links_of(texts, judgement, self.decider, names, self.lexicon.lexicon_id)
        links = {link["text_key"]: link for link in decided.to_pylist()}
        candidates = dict(zip(key_list, _ranked(texts, judgement, names), strict=True))
        rows: list[dict[str, object]] = []
        for raw, mention in zip(skills, mentions, strict=True):
            if mention.text_key is None:
                rows.append({"raw": raw, "status": "rejected", "reason": mention.reason})
                continue
            said: dict[str, object] = {
                "raw": raw,
                "text": mention.text,
                "proficiency": mention.proficiency,
                "years": mention.years,
            }
            link = {name: links[mention.text_key][name] for name in ("status", "reason", *_FROM_LINK)}
            rows.append({**said, **link, "candidates": candidates.get(mention.text_key)})
        return pa.Table.from_pylist(rows, schema=RESULT)


def _ranked(texts: pa.Table, judgement: Judgement, names: ConceptNames) -> list[list[dict[str, object]] | None]:
    """All that was judged of each text, best first; None where it has no vector."""
    rows: list[list[dict[str, object]] | None] = []
    for raw, pairs in zip(texts["candidates"].to_pylist(), best_first(judgement, texts.num_rows), strict=True):
        retrieved = {candidate["concept_uri"]: candidate for candidate in raw or ()}
        found = ((judgement.uri[i], float(judgement.confidence[i])) for i in pairs)
        ranked = [
            {**retrieved.get(uri, {"concept_uri": uri, "label": names.of[uri][0]}), "score": score}
            for uri, score in found
        ]
        rows.append(ranked if raw is not None else None)
    return rows


def _readable(raw: str) -> str:
    """Half of a surrogate pair, which no Arrow string holds, becomes "?"."""
    return raw.encode("utf-8", "replace").decode()


def _build_index(taxonomy: Taxonomy, encoder: Encoder) -> LabelIndex:
    encoded = encoder.encode(taxonomy.labels["text"].to_pylist())
    transient = sum(reason.startswith("device:") for reason in encoded.failures.values())
    if transient:
        raise ModelError(f"{transient} labels have no vector, as the device failed: try again, or on another device")
    for note in taxonomy.notes:
        log.info("taxonomy: %s", note)
    kept = np.array([row not in encoded.failures for row in range(taxonomy.labels.num_rows)], dtype=bool)
    return LabelIndex.build(
        taxonomy.concepts,
        taxonomy.labels.filter(pa.array(kept)),
        taxonomy.relations,
        taxonomy.occupations,
        encoded.vectors[kept],
    )
