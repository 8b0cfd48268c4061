"""What no encoder of the protocol has learnt from: concepts and occupations held out, and pairs to score it on.

A concept or occupation is held out by a hash of its URI, so that a later version of ESCO leaves the others where they
are. `held_out.json` beside this file says, for the taxonomy it names, how many there are and the SHA-256 of each list,
as committed before any training; `python -m training.splits held-out TAXONOMY` writes it again.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skillsim.errors import TrainingError
from skillsim.esco import Taxonomy, find_bundle, read_taxonomy
from training.splits import committed
from training.splits.committed import digest

FILE = Path(__file__).parent / "held_out.json"
SEED = "skillsim encoder protocol 1"
PERCENT = 15
# Of each held-out concept with two labels or more: two pairs of its labels, and one of each kind with another's label.
POSITIVES = 2


def is_held_out(uri: str) -> bool:
    """Whether the concept or occupation is one of the PERCENT in a hundred."""
    return int(hashlib.sha256(f"{SEED} {uri}".encode()).hexdigest(), 16) % 100 < PERCENT


@dataclass(frozen=True)
class Concepts:
    """The taxonomy by concept: `labels`, cleaned texts with the preferred one first; `siblings`, those that share a
    direct parent; `skills`, the concepts of each occupation. All lists are sorted."""

    taxonomy: Taxonomy

    @property
    def name(self) -> str:
        return f"{self.taxonomy.version} {self.taxonomy.language}"

    @cached_property
    def labels(self) -> dict[str, list[str]]:
        frame = self.taxonomy.labels.select(["concept_uri", "kind", "text"]).to_pandas()
        frame["rank"] = frame["kind"].map({"preferred": 0, "alternative": 1, "hidden": 2})
        ordered = frame.sort_values(["concept_uri", "rank", "text"])
        return {str(uri): texts.tolist() for uri, texts in ordered.groupby("concept_uri")["text"]}

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        return self._objects(("broader",), self.labels)

    @cached_property
    def siblings(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for uri, parents in self.parents.items():
            for parent in parents:
                children.setdefault(parent, []).append(uri)
        return {
            uri: sorted({child for parent in self.parents.get(uri, ()) for child in children[parent]} - {uri})
            for uri in self.labels
        }

    @cached_property
    def related(self) -> dict[str, list[str]]:
        """Concepts that ESCO relates, essential or optional, in its own direction."""
        return self._objects(("essential", "optional"), self.labels)

    @cached_property
    def titles(self) -> dict[str, list[str]]:
        """Of each occupation, the preferred one first."""
        found = self.taxonomy.occupations
        return dict(zip(found["occupation_uri"].to_pylist(), found["labels"].to_pylist(), strict=True))

    @cached_property
    def skills(self) -> dict[str, list[str]]:
        return self._objects(("essential", "optional"), self.titles)

    def _objects(self, predicates: tuple[str, ...], subjects: Iterable[str]) -> dict[str, list[str]]:
        frame = self.taxonomy.relations.to_pandas()
        chosen = frame[frame["predicate"].isin(predicates) & frame["subject_uri"].isin(list(subjects))]
        grouped = chosen.sort_values(["subject_uri", "object_uri"]).groupby("subject_uri")["object_uri"]
        return {str(uri): list(objects) for uri, objects in grouped}


def evaluation_pairs(concepts: Concepts) -> pd.DataFrame:
    """a, b, right (bool), kind (positive, random, sibling), concept: of labels of held-out concepts.

    Half are two labels of one concept; in a quarter each the second is a label of another held-out concept or of a
    sibling (a held-out one where there is any), and never one that the concept has too. Drawn by SEED.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(SEED.encode()).digest()[:8], "little"))
    labels = concepts.labels
    pool = [uri for uri in sorted(labels) if is_held_out(uri)]
    rows: list[tuple[str, str, bool, str, str]] = []
    for uri in pool:
        own = labels[uri]
        siblings = concepts.siblings[uri]
        siblings = [other for other in siblings if is_held_out(other)] or siblings
        if len(own) < 2 or not siblings:
            continue
        for _ in range(POSITIVES):
            a, b = rng.choice(len(own), size=2, replace=False)
            rows.append((own[a], own[b], True, "positive", uri))
        for kind, others in (("random", pool), ("sibling", siblings)):
            other = labels[others[rng.integers(len(others))]]
            unlike = [text for text in other if text not in own]
            if unlike:
                a, b = own[rng.integers(len(own))], unlike[rng.integers(len(unlike))]
                rows.append((a, b, False, kind, uri))
    return pd.DataFrame(rows, columns=["a", "b", "right", "kind", "concept"])


def manifest(concepts: Concepts) -> dict[str, Any]:
    """Count and SHA-256 of each list."""
    lists = {
        "concepts": [uri for uri in sorted(concepts.labels) if is_held_out(uri)],
        "occupations": [uri for uri in sorted(concepts.titles) if is_held_out(uri)],
        "pairs": ["\t".join(map(str, row)) for row in evaluation_pairs(concepts).itertuples(index=False)],
    }
    if empty := [name for name, rows in lists.items() if not rows]:
        raise TrainingError(
            f"taxonomy {concepts.taxonomy.taxonomy_id}: the split holds no {empty[0]} out; it is too small for that. "
            "Name a larger one."
        )
    return {
        "taxonomy": concepts.name,
        "seed": SEED,
        **{name: digest(rows) for name, rows in lists.items()},
    }


def check(concepts: Concepts) -> None:
    """Raise TrainingError where a taxonomy of the committed version no longer splits as committed."""
    committed.check(FILE, manifest(concepts))


def read_checked(taxonomy: Path, language: str, version: str | None) -> Concepts:
    """The concepts of a bundle, checked. Raises TaxonomyError and TrainingError."""
    concepts = Concepts(read_taxonomy(find_bundle(taxonomy, language, version)))
    check(concepts)
    return concepts
