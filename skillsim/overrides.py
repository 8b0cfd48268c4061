"""Curators' decisions: a text means a concept, or no concept, or is no skill. They win over everything, until revoked.

Kept with the raw text, from which the key is derived again, so that a better cleaning rule orphans none.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

import pyarrow as pa

from skillsim.errors import ReviewError
from skillsim.text import parse_mention

Verdict = Literal["concept", "nil", "not_skill"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NO_OVERRIDES = "none"
_LONGEST = 1_000  # whatever input.max_length was
OVERRIDE = pa.struct([("verdict", pa.string()), ("concept_uri", pa.string())])


def key_of(raw: str) -> str | None:
    """Of a text as it was decided on; None for what is no skill text."""
    return parse_mention(raw, _LONGEST).text_key


@dataclass(frozen=True)
class Override:
    """One decision; `source` None holds for all feeds, and gives way to one for the feed itself.

    `representative`: of the cluster for all of whose texts it was taken, as the cluster was then: each text has an
    override of its own, but where one held already.
    """

    raw: str
    source: str | None
    verdict: Verdict
    concept_uri: str | None  # of the verdict "concept" alone
    decided_by: str
    decided_at: datetime
    why: str
    representative: str | None = None
    revoked_by: str | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ReviewError(f"{self.raw!r}: {self.verdict!r} is no verdict; they are {', '.join(VERDICTS)}.")
        if (self.concept_uri is not None) != (self.verdict == "concept"):
            raise ReviewError(f"{self.raw!r}: a concept goes with the verdict 'concept', and only with it.")
        if key_of(self.raw) is None:
            raise ReviewError(f"{self.raw!r} is no skill text: nothing would ever be decided by it.")

    @property
    def text_key(self) -> str:
        key = key_of(self.raw)
        assert key is not None
        return key

    @property
    def representative_key(self) -> str | None:
        return key_of(self.representative) if self.representative is not None else None

    @property
    def override_id(self) -> str:
        """The same decision imported twice is one."""
        parts = [
            self.raw,
            self.source,
            self.verdict,
            self.concept_uri,
            self.decided_by,
            self.decided_at.isoformat(),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def active(overrides: Iterable[Override]) -> dict[tuple[str, str | None], Override]:
    """By text_key and source: the latest that is not revoked; of two at one moment the one with the higher id."""
    latest: dict[tuple[str, str | None], Override] = {}
    for override in sorted(overrides, key=lambda one: (one.decided_at, one.override_id)):
        if override.revoked_at is None:
            latest[override.text_key, override.source] = override
    return latest


def of_one_decision(override: Override) -> tuple[object, ...]:
    """What all rows have in common that one decision on a cluster made."""
    return override.representative, override.source, override.decided_by, override.decided_at


def scattered(overrides: Iterable[Override], cluster_of: Mapping[str, str]) -> list[str]:
    """A line of each decision on a cluster whose texts are of several by now.

    `overrides`: those in force; `cluster_of`: by text_key, of the texts that are of a cluster.
    """
    decisions: dict[tuple[object, ...], list[Override]] = {}
    for one in overrides:
        if one.representative is not None and one.text_key in cluster_of:
            decisions.setdefault(of_one_decision(one), []).append(one)
    lines = []
    for of_one in decisions.values():
        parts = Counter(cluster_of[one.text_key] for one in of_one)
        if len(parts) > 1:
            sizes, first = " and ".join(map(str, sorted(parts.values(), reverse=True))), of_one[0]
            lines.append(
                f"{first.concept_uri or first.verdict} by {first.decided_by} for the cluster of "
                f"{first.representative!r}: it has split since, into {sizes} texts. Look in `overrides` whether it "
                "holds for all of them."
            )
    return lines


def succeeded(overrides: Iterable[Override], successors: Mapping[str, str]) -> list[Override]:
    """With the successors of concepts in their place."""
    return [
        one if one.concept_uri is None else replace(one, concept_uri=successors.get(one.concept_uri, one.concept_uri))
        for one in overrides
    ]


def overrides_id(overrides: Iterable[Override]) -> str:
    """Content address of what is in force: under another one, links it speaks of are decided again."""
    rows = sorted(
        [key, source or "", one.verdict, one.concept_uri or ""] for (key, source), one in active(overrides).items()
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12] if rows else NO_OVERRIDES
