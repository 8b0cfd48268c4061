"""Another version of the taxonomy: whose candidates and links its changes touch, and which can be carried over.

A text is touched where a concept that came, went, or has other labels is or would be among its candidates, or is voted
for by memory; where its best three have moved to another group; where its very text came or went as an occupation's
title; and where lexicon or curators say otherwise of it. All others keep their candidates and their decision, and an
upgrade moves nothing that nobody changed: character n-grams keep the weights of the version they were found under.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from skillsim.encoder import unpack_vectors
from skillsim.esco import Taxonomy
from skillsim.esco_diff import TaxonomyDiff
from skillsim.lexicon import Lexicon
from skillsim.linking import ConceptNames
from skillsim.memory import Memory
from skillsim.overrides import Override, active, succeeded
from skillsim.retrieval import EXACT_FIRST, FUSION, LabelIndex, title_table
from skillsim.schemas import CANDIDATE
from skillsim.signals import LEXICALLY_NEAR, fused
from skillsim.successors import sole_successors

_NEAR = np.float32(1e-5)  # scores nearer than this differ by rounding
_BLOCK = 256
CARRIED = pa.schema(
    [
        ("text_key", pa.string()),
        ("occupation_uri", pa.string()),
        ("candidates", pa.list_(CANDIDATE)),
        ("group_uri", pa.string()),
        ("group_label", pa.string()),
    ]
)

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Touch:
    """`gone`: concepts of the old version alone; `relabelled`: of the new one, new or with other labels; `moved`: to a
    group with another label; `keys`: of texts that are touched whatever their candidates are."""

    gone: frozenset[str]
    relabelled: frozenset[str]
    moved: frozenset[str]
    keys: frozenset[str]

    @staticmethod
    def of(diff: TaxonomyDiff, relabelled: Collection[str], keys: Collection[str]) -> "Touch":
        moved = frozenset(uri for uri, change in diff.changed.items() if change.group)
        return Touch(frozenset(diff.removed), frozenset(relabelled) | frozenset(diff.renamed), moved, frozenset(keys))


def relabelled(old: Taxonomy, new: Taxonomy) -> set[str]:
    """Concepts of `new` that `old` lacks or has with another label, cleaned text of one, or kind of one."""
    before, after = (_labels(taxonomy) for taxonomy in (old, new))
    return {uri for uri, labels in after.items() if before.get(uri) != labels}


def _labels(taxonomy: Taxonomy) -> dict[str, set[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {}
    for row in taxonomy.labels.select(["concept_uri", "kind", "label", "text"]).to_pylist():
        # How a label other than the preferred one is written decides nothing.
        shown = row["label"] if row["kind"] == "preferred" else ""
        found.setdefault(row["concept_uri"], set()).add((row["kind"], shown, row["text"]))
    return found


@dataclass(frozen=True)
class Decisions:
    """What lexicon and curators say under one version, successors in place of the concepts it lacks."""

    lexicon: Lexicon
    overrides: Collection[Override]
    concept_uris: Collection[str]

    @staticmethod
    def under(
        concept_uris: Collection[str],
        lexicon: Lexicon,
        overrides: Collection[Override],
        successors: Mapping[str, tuple[str, ...]],
    ) -> "Decisions":
        """From what is kept, and the successors that a file names."""
        sole = sole_successors(successors, concept_uris)
        return Decisions(lexicon.succeeded(sole), succeeded(overrides, sole), concept_uris)

    @property
    def known_lexicon(self) -> Lexicon:
        return self.lexicon.within(self.concept_uris)[0]

    def differing(self, other: "Decisions") -> set[str]:
        """Keys of the texts that the two decide otherwise, or remember otherwise."""
        ours, theirs = self._said(), other._said()
        return {key for key, of in ours.keys() | theirs.keys() if ours.get((key, of)) != theirs.get((key, of))}

    def _said(self) -> dict[tuple[str, str | None], tuple[object, ...]]:
        said: dict[tuple[str, str | None], tuple[object, ...]] = {
            (key, "the lexicon's"): entry.verdict for key, entry in self.known_lexicon.entries.items()
        }
        for (key, source), one in active(self.overrides).items():
            if one.concept_uri is None or one.concept_uri in self.concept_uris:
                said[key, f"curators' {source}"] = one.verdict, one.concept_uri
        return said


def retitled(old: Taxonomy, new: Taxonomy) -> set[str]:
    """Keys of the texts that are an occupation's label in one of the two alone, or another occupation's."""
    before, after = (
        set(
            zip(
                *(title_table(one.occupations)[name].to_pylist() for name in ("text_key", "occupation_uri")),
                strict=True,
            )
        )
        for one in (old, new)
    )
    return {key for key, _ in before ^ after}


def carried(
    texts: pa.Table,
    touch: Touch,
    index: LabelIndex,
    nearby: LabelIndex,
    names: ConceptNames,
    top_k: int,
    memories: Collection[Memory],
) -> pa.Table:
    """CARRIED of the texts that are not touched, as they stand under the new version.

    `texts`: text_key, text, vector, occupation_uri and candidates (as found under the old version), and of its link
    concept_uri, group_uri, group_label and top. `index`, `names`: of the new version; `nearby`: of its concepts that
    are relabelled; `memories`: those of a fitted decision under either version.
    """
    groups = [_group_now(link, names) for link in texts.select(["concept_uri", "group_label", "top"]).to_pylist()]
    lost = np.array([uri is not None for uri in texts["group_uri"].to_pylist()], dtype=bool) & np.array(
        [group is None for group in groups], dtype=bool
    )
    kept = ~(_named(texts, touch) | lost | _approached(texts, nearby, top_k))
    for memory in memories:
        kept &= ~_voted(texts, memory, touch)
    rows = pa.array(np.flatnonzero(kept))
    left = texts.select(["text_key", "occupation_uri", "candidates"]).take(rows)
    of_group = [groups[row] or (None, None) for row in rows.to_pylist()]
    return pa.table(
        [
            left["text_key"],
            left["occupation_uri"],
            _counted_anew(left["candidates"].combine_chunks(), index),
            pa.array([uri for uri, _ in of_group], pa.string()),
            pa.array([label for _, label in of_group], pa.string()),
        ],
        schema=CARRIED,
    )


def _named(texts: pa.Table, touch: Touch) -> Bools:
    """Candidates or best three name what changed, or the very text is touched."""
    changed = pa.array(sorted(touch.gone | touch.relabelled), pa.string())
    moved = pa.array(sorted(touch.gone | touch.relabelled | touch.moved), pa.string())
    by_key = pc.is_in(texts["text_key"], value_set=pa.array(sorted(touch.keys), pa.string()))
    by_link = pc.is_in(texts["concept_uri"], value_set=moved)
    named = by_key.to_numpy() | by_link.to_numpy()
    for column, value_set in (("candidates", changed), ("top", moved)):
        lists = texts[column].combine_chunks()
        hits = pc.is_in(pc.struct_field(lists.flatten(), "concept_uri"), value_set=value_set)
        named[pc.list_parent_indices(lists).to_numpy()[hits.to_numpy(zero_copy_only=False)]] = True
    return named


def _group_now(link: Mapping[str, object], names: ConceptNames) -> tuple[str | None, str | None] | None:
    """The link's group under the new version; None where none of its concepts has one of that label."""
    if link["concept_uri"] is not None:
        found = names.of.get(str(link["concept_uri"]))
        return found[1:] if found else None
    for one in link["top"] or ():  # type: ignore[attr-defined]
        _, uri, label = names.of.get(one["concept_uri"], (None, None, None))
        if label is not None and label == link["group_label"]:
            return uri, label
    return None


def _approached(texts: pa.Table, nearby: LabelIndex, top_k: int) -> Bools:
    """A concept with new labels would be among the `top_k`."""
    approached = np.zeros(texts.num_rows, dtype=bool)
    if not nearby.concepts.num_rows:
        return approached
    lists = texts["candidates"].combine_chunks()
    of = pc.list_parent_indices(lists).to_numpy()
    least = np.full(texts.num_rows, np.inf, dtype=np.float32)
    np.minimum.at(least, of, _fused(lists.flatten()))
    least[np.bincount(of, minlength=len(least)) < top_k] = -np.inf
    vectors = unpack_vectors(texts["vector"])
    best = nearby.candidates(texts["text"].to_pylist(), texts["text_key"].to_pylist(), vectors, 1)
    return np.asarray(_fused(best.candidates.flatten()) >= least - _NEAR)


def _fused(candidates: pa.StructArray) -> npt.NDArray[np.float32]:
    """Retrieval's order of flat candidates."""
    signals = {name: pc.struct_field(candidates, name).to_numpy(zero_copy_only=False) for name in FUSION}
    signals["occupations"] = np.log1p(signals["occupations"]).astype(np.float32)
    exact = pc.is_valid(pc.struct_field(candidates, "exact")).to_numpy(zero_copy_only=False)
    return fused(signals) + np.float32(EXACT_FIRST) * exact.astype(np.float32)


def _voted(texts: pa.Table, memory: Memory, touch: Touch) -> Bools:
    """Memory's nearest strings have a concept that changed, or are judged otherwise under the other version."""
    concepts = pa.array(sorted(touch.gone | touch.relabelled), pa.string())
    lists = memory.entries["concepts"].combine_chunks()
    hits = pc.is_in(lists.flatten(), value_set=concepts).to_numpy(zero_copy_only=False)
    keys = pa.array(sorted(touch.keys), pa.string())
    judged = np.flatnonzero(pc.is_in(memory.entries["text_key"], value_set=keys).to_numpy())
    entries = np.union1d(pc.list_parent_indices(lists).to_numpy()[hits], judged).astype(np.int64)
    voted = np.zeros(texts.num_rows, dtype=bool)
    if not len(entries):
        return voted
    vectors, strings = unpack_vectors(texts["vector"]), texts["text"].to_pylist()
    for start in range(0, texts.num_rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        voted[block] = memory.near(strings[block], vectors[block], entries, LEXICALLY_NEAR)
    return voted


def _counted_anew(candidates: pa.ListArray, index: LabelIndex) -> pa.ListArray:
    """Each concept is used by as many occupations as the new version says."""
    flat = candidates.flatten()
    row = pc.index_in(pc.struct_field(flat, "concept_uri"), value_set=index.concept_uris)
    used = pa.array(index.occupations[row.to_numpy()], pa.int32())
    columns = [used if field.name == "occupations" else pc.struct_field(flat, field.name) for field in CANDIDATE]
    lengths = pc.list_value_length(candidates).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(CANDIDATE)))
