"""The taxonomy's hierarchy: parents without cycles, every way up, and the one group of each concept.

The group rule. A third of the concepts have several parents, and reports need one group each. `group_uri` is
the skill group the fewest steps up, through broader concepts where need be: ESCO itself places nearly all
concepts in exactly one group, and their further parents are concepts, whose groups say less about them. Among
equally near groups one with a pillar code (L, S, T) goes before an ISCED-F field and that before one without
a code, then the lower code, then the URI. So languages stand under "L1 languages" and not under "T1.1
mastering languages", and a skill under what is done (S) before the transversal facet of it (T). On v1.1.1
every concept gets a group; 13,492 of 13,896 have a single nearest one, and 354 of the 404 ties are languages.
"""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

# Far above the 31 ways of v1.1.1's busiest concept; a guard, for ways can multiply with every level.
MAX_PATHS = 1000

Edge = tuple[str, str, str]  # subject, predicate, object
Paths = dict[str, list[list[str]]]


def acyclic_parents(nodes: list[str], broader: Iterable[Edge], notes: list[str]) -> dict[str, list[str]]:
    """Each node's parents, keyed parents before children, with one edge of every cycle cut.

    Cut is the edge of the node that has most other ways up, so that as little as possible loses its root.
    """
    parents: dict[str, list[str]] = {node: [] for node in nodes}
    for child, _, parent in sorted(broader):
        parents[child].append(parent)
    while True:
        try:
            return {node: parents[node] for node in TopologicalSorter(parents).static_order()}
        except CycleError as error:
            cycle = error.args[1]  # parents first, the first again at the end
            steps = ((below, above) for above, below in pairwise(cycle))
            child, parent = min(steps, key=lambda step: (-len(parents[step[0]]), step))
            parents[child].remove(parent)
            notes.append(f"broaderRelationsSkillPillar: cut the cycle at {child}, broader {parent}")


def ways_up(parents: Mapping[str, list[str]], notes: list[str]) -> Paths:
    """Every way up from each node: URIs from its parent to a root, shortest first. A root has none."""
    paths: Paths = {}
    cut = 0
    for node, above in parents.items():
        ways = [[parent, *way] for parent in above for way in (paths[parent] or [[]])]
        ways.sort(key=lambda way: (len(way), way))
        cut += len(ways) > MAX_PATHS
        paths[node] = ways[:MAX_PATHS]
    if cut:
        notes.append(f"broaderRelationsSkillPillar: {cut} nodes keep their {MAX_PATHS} shortest ways up only")
    return paths


def group_of(ways: Iterable[list[str]], codes: Mapping[str, str]) -> str | None:
    """The group rule, over the ways up of a concept and the code of every group ("" for none)."""

    def rank(step: tuple[int, str]) -> tuple[int, bool, bool, str, str]:
        distance, uri = step
        code = codes[uri]
        return distance, not code, not code[:1].isalpha(), code, uri

    steps = {step for way in ways for step in enumerate(way) if step[1] in codes}
    return min(steps, key=rank)[1] if steps else None
