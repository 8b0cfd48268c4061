"""Normalise skills on one machine, without Spark: the job's own functions on arrays."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import platformdirs
import pyarrow as pa

from skillsim.config import Config
from skillsim.encoder import Encoder, load_encoder
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.linking import ConceptNames, PlainDecider, decide
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.retrieval import LabelIndex, index_id
from skillsim.schemas import CANDIDATE, LINKS
from skillsim.text import parse_mention

log = logging.getLogger(__name__)

# Cosine from which the reference model's card calls two skills definitely related.
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
RESULT = pa.schema(
    [("raw", pa.string()), ("text", pa.string()), ("status", pa.string()), ("reason", pa.string())]
    + [LINKS.schema.field(name) for name in _FROM_LINK]
    + [pa.field("candidates", pa.list_(CANDIDATE))]
)


def similarity(a: Sequence[str], b: Sequence[str], model: str = BUILTIN) -> npt.NDArray[np.float32]:
    """Cosine of every string of `a` to every string of `b`: (len(a), len(b)); 0.65 is "definitely related"."""
    encoder = load_encoder(resolve_model(model))
    left, right = (encoder.encode(list(texts)).vectors.astype(np.float32) for texts in (a, b))
    return left @ right.T


@dataclass(frozen=True)
class Normaliser:
    """An encoder, a taxonomy's label index and a decision: `Normaliser.from_esco(path).link(["Core Java"])`."""

    encoder: Encoder
    index: LabelIndex
    decider: PlainDecider
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
        encoder = load_encoder(files, settings.encoder.device, settings.encoder.batch_tokens)
        folder = Path(cache or platformdirs.user_cache_dir("skillsim")) / index_id(bundle.taxonomy_id, files.model_id)
        if not folder.is_dir():
            taxonomy = read_taxonomy(bundle)
            log.info("indexing %d labels of %s, once", taxonomy.labels.num_rows, path)
            encoded = encoder.encode(taxonomy.labels["text"].to_pylist())
            kept = np.array([row not in encoded.failures for row in range(taxonomy.labels.num_rows)], dtype=bool)
            LabelIndex.build(
                taxonomy.concepts,
                taxonomy.labels.filter(pa.array(kept)),
                taxonomy.relations,
                taxonomy.occupations,
                encoded.vectors[kept],
            ).save(folder)
        return Normaliser(
            encoder,
            LabelIndex.load(folder),
            PlainDecider(settings.linking.threshold, settings.linking.nil_threshold),
            settings.retrieval.top_k,
            settings.input.max_length,
        )

    def link(self, skills: Sequence[str]) -> pd.DataFrame:
        """One row a string, in order; columns as in `RESULT`. `probability` is null while uncalibrated.

        What is no string (a gap in a pandas column) is rejected as empty.
        """
        return self.link_table(skills).to_pandas()

    def link_table(self, skills: Sequence[str]) -> pa.Table:
        """As `link`, in Arrow."""
        skills = [raw if isinstance(raw, str) else "" for raw in skills]
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
        candidates = dict(zip((key_list[row] for row in done), found.candidates.to_pylist(), strict=True))
        titles = dict(zip((key_list[row] for row in done), found.occupation_uri.to_pylist(), strict=True))
        texts = pa.table(
            {
                "text_key": pa.array(key_list, pa.string()),
                "candidates": pa.array([candidates.get(key) for key in key_list], pa.list_(CANDIDATE)),
                "occupation_uri": pa.array([titles.get(key) for key in key_list], pa.string()),
                "failure": pa.array([encoded.failures.get(row) for row in range(len(key_list))], pa.string()),
            }
        )
        names = ConceptNames.from_table(self.index.concepts)
        links = {link["text_key"]: link for link in decide(texts, self.decider, names).to_pylist()}
        rows = []
        for raw, mention in zip(skills, mentions, strict=True):
            if mention.text_key is None:
                rows.append({"raw": raw, "status": "rejected", "reason": mention.reason})
                continue
            link = links[mention.text_key]
            row = {name: link[name] for name in ("status", "reason", *_FROM_LINK)}
            rows.append({"raw": raw, "text": mention.text, "candidates": candidates.get(mention.text_key), **row})
        return pa.Table.from_pylist(rows, schema=RESULT)
