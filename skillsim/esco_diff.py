"""What differs between two taxonomies of one language: which concepts came, went, were renamed or relabelled."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skillsim.esco import Taxonomy

Labels = frozenset[str]


@dataclass(frozen=True)
class Change:
    """Of a concept that both taxonomies hold; each None where the two agree."""

    preferred: tuple[str, str] | None = None  # before, after
    alternatives: tuple[Labels, Labels] | None = None  # gone, new; hidden labels count as alternative ones
    description: bool = False
    group: tuple[str | None, str | None] | None = None  # label before, after: v1.1.1 gave 423 groups new URIs


@dataclass(frozen=True)
class TaxonomyDiff:
    """`added` and `removed`: preferred labels by concept URI. `changed`: concepts of both that differ."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, Change]

    @property
    def renamed(self) -> dict[str, tuple[str, str]]:
        return {uri: change.preferred for uri, change in self.changed.items() if change.preferred}

    @property
    def relabelled(self) -> dict[str, tuple[Labels, Labels]]:
        return {uri: change.alternatives for uri, change in self.changed.items() if change.alternatives}

    def summary(self) -> str:
        """One line of counts."""
        described = sum(change.description for change in self.changed.values())
        moved = sum(change.group is not None for change in self.changed.values())
        return (
            f"{len(self.added)} added, {len(self.removed)} removed, {len(self.renamed)} renamed, "
            f"{len(self.relabelled)} with other alternative labels, {described} described otherwise, {moved} moved"
        )

    def sheet(self) -> pd.DataFrame:
        """A row each difference: concept_uri, difference (added, removed, renamed, labels, description, group), before,
        after; labels one a line."""
        rows = [(uri, "added", "", label) for uri, label in self.added.items()]
        rows += [(uri, "removed", label, "") for uri, label in self.removed.items()]
        for uri, change in self.changed.items():
            if change.preferred:
                rows.append((uri, "renamed", *change.preferred))
            if change.alternatives:
                gone, new = ("\n".join(sorted(labels)) for labels in change.alternatives)
                rows.append((uri, "labels", gone, new))
            if change.description:
                rows.append((uri, "description", "", ""))
            if change.group:
                before, after = (label or "" for label in change.group)
                rows.append((uri, "group", before, after))
        return pd.DataFrame(rows, columns=["concept_uri", "difference", "before", "after"])


def diff_taxonomies(old: Taxonomy, new: Taxonomy) -> TaxonomyDiff:
    """Compare by concept URI; labels as cleaned texts, so that spelling that cleaning removes is no change.

    Raises ValueError for taxonomies of different languages.
    """
    if old.language != new.language:
        raise ValueError(f"a diff is of one language: {old.language} and {new.language} given")
    before, after = (_concepts(taxonomy) for taxonomy in (old, new))
    labels_before, labels_after = (_alternatives(taxonomy) for taxonomy in (old, new))
    changed = {}
    for uri in before.keys() & after.keys():
        was, now = before[uri], after[uri]
        had, has = labels_before.get(uri, frozenset()), labels_after.get(uri, frozenset())
        change = Change(
            (was["preferred_label"], now["preferred_label"])
            if was["preferred_label"] != now["preferred_label"]
            else None,
            (had - has, has - had) if had != has else None,
            was["description"] != now["description"],
            (was["group_label"], now["group_label"]) if was["group_label"] != now["group_label"] else None,
        )
        if change != Change():
            changed[uri] = change
    return TaxonomyDiff(
        {uri: after[uri]["preferred_label"] for uri in sorted(after.keys() - before.keys())},
        {uri: before[uri]["preferred_label"] for uri in sorted(before.keys() - after.keys())},
        dict(sorted(changed.items())),
    )


def _concepts(taxonomy: Taxonomy) -> dict[str, dict[str, str]]:
    columns = ["concept_uri", "preferred_label", "description", "group_label"]
    return {row["concept_uri"]: row for row in taxonomy.concepts.select(columns).to_pylist()}


def _alternatives(taxonomy: Taxonomy) -> dict[str, Labels]:
    others = taxonomy.labels.filter(pc.not_equal(taxonomy.labels["kind"], "preferred"))
    grouped: pa.Table = others.group_by("concept_uri").aggregate([("text", "list")])
    return {row["concept_uri"]: frozenset(row["text_list"]) for row in grouped.to_pylist()}
