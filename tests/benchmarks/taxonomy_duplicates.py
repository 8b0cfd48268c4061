"""Duplicates in a taxonomy: ours for labels as jobs/deduplicate_skills.py has it, a cosine with components, SemHash.

`python tests/benchmarks/taxonomy_duplicates.py` has two lists, both with the same vectors in the same run. Ours has the
shipped threshold, moved by what the list looks like (skillsim.variants); no pair of the second half was learnt from.

- All labels of the held-out ESCO concepts, as in tests/benchmarks/duplicates.py: nearly each has duplicates. The peers
  choose on the first half, figures are of the second.
- All of ESCO's preferred labels, and of the concepts held out in one half a second label each: one label in 14 is a
  duplicate, as in a taxonomy that people keep. The peers choose by F1 with the first half's duplicates; figures are of
  pairs with a label of the second half, and one of two preferred labels counts for as many as it is drawn from. Ours
  moves its threshold by these pairs, too, as the decision learnt from others of the list.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.encoder import Encoder, load_encoder
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.metrics import Score
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.variants import SHIPPED_FOR, Variants
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show
from tests.benchmarks.duplicates import COSINES, DRAWS, OURS, At, Clusters, best, by_cosine, by_semhash, cell, report
from training import duplicates
from training.command import one_line_errors
from training.duplicates import Duplicates
from training.judged_pairs import joined
from training.protocol import unit_weights
from training.splits.held_out import Concepts
from training.variants import NearPairs

# Below, connected components of a whole taxonomy are one lump.
_HIGH = COSINES[COSINES >= 0.86]

Floats = npt.NDArray[np.float64]
Sets = dict[str, frozenset[str]]
Peer = Callable[[Duplicates, Encoder], At]


def by_us(gold: Duplicates, encoder: Encoder, variants: Variants, kept: "Kept | None" = None) -> tuple[float, Clusters]:
    """(threshold, cluster of each text), as a job has it. Of a taxonomy as `kept` the threshold is moved by pairs that
    were not learnt from alone, each counting for as many as it stands for."""
    near = NearPairs.of(gold.texts, encoder)
    scores = near.scores(variants.score)
    pairs = [(gold.texts[a], gold.texts[b]) for a, b in near.rows.tolist()]
    each = np.array([1.0 if kept is None else kept.of_doubled(*pair) and kept.stands_for(*pair) for pair in pairs])
    looked_at = scores >= variants.keep
    threshold = variants.threshold_among(scores[looked_at], each[looked_at])
    return threshold, near.partition(scores, threshold)


def all_labels(sets: Sets, encoder: Encoder, variants: Variants, peers: dict[str, Peer], console: Console) -> Any:
    chosen, scored = duplicates.half(sets, 0), duplicates.half(sets, 1)
    threshold, partition = by_us(scored, encoder, variants)
    found = {OURS: (threshold, scored.found(partition.tolist()))}
    for name, peer in peers.items():
        at = best(chosen, peer(chosen, encoder), COSINES)
        found[name] = at, scored.found(peer(scored, encoder)(at).tolist())
    return report(console, "all labels of held-out concepts", found)


@dataclass(frozen=True)
class Kept:
    """A taxonomy as people keep it. `doubled`: the concepts with two labels; `preferred`: of all concepts."""

    gold: Duplicates
    doubled: frozenset[str]
    preferred: frozenset[str]

    @staticmethod
    def of(concepts: Concepts, sets: Sets, which: int) -> "Kept":
        doubled = frozenset(duplicates.half(sets, which).sets)
        texts = {
            uri: frozenset({labels[0], *([min(labels[1:], key=_hash)] if uri in doubled and labels[1:] else [])})
            for uri, labels in concepts.labels.items()
        }
        return Kept(Duplicates(texts), doubled, frozenset(labels[0] for labels in concepts.labels.values()))

    @cached_property
    def names(self) -> dict[str, set[str]]:
        """Concepts by label."""
        return duplicates.holders(self.gold.sets)

    def of_doubled(self, a: str, b: str) -> bool:
        return not self.doubled.isdisjoint(self.names[a] | self.names[b])

    def stands_for(self, a: str, b: str) -> float:
        """How many pairs of the list one with a label of a doubled concept is drawn from."""
        share = len(self.doubled) / len(self.gold.sets)
        one_skill = not self.names[a].isdisjoint(self.names[b])
        return 1 / (1 - (1 - share) ** 2) if {a, b} <= self.preferred and not one_skill else 1.0

    def counted(self, cluster: list[int]) -> dict[tuple[str, str], bool]:
        """Whether each pair with a label of a doubled concept, of one concept or joined, is joined."""
        together: dict[int, list[str]] = {}
        for text, one in zip(self.gold.texts, cluster, strict=True):
            together.setdefault(one, []).append(text)
        of_one = {tuple(sorted(pair)) for uri in self.doubled for pair in combinations(self.gold.sets[uri], 2)}
        found = {(a, b): False for a, b in of_one if not duplicates.differ_in_version(a, b)}
        for texts in together.values():
            for a, b in combinations(sorted(texts), 2):
                if self.of_doubled(a, b) and not duplicates.differ_in_version(a, b):
                    found[a, b] = True
        return found

    def told(self, cluster: list[int], draws: int) -> dict[str, Floats]:
        """precision, recall and F1 for each of the draws of doubled concepts; the same ones whatever the partition."""
        names, counted = self.names, self.counted(cluster)
        same = np.array([not names[a].isdisjoint(names[b]) for a, b in counted])
        each = np.array([self.stands_for(*pair) for pair in counted])
        column = {uri: place for place, uri in enumerate(sorted(self.doubled))}
        columns = [column[min((names[a] | names[b]) & self.doubled)] for a, b in counted]
        weights = unit_weights(sorted(self.doubled), draws)[:, columns] * each
        found = joined(same, np.array(list(counted.values())), weights)
        precision, recall = found["precision"], found["recall"]
        return found | {"f1": 2 * precision * recall / np.maximum(precision + recall, 1e-9)}


def _hash(text: str) -> str:
    return hashlib.sha256(f"second label {text}".encode()).hexdigest()


def as_kept(concepts: Concepts, sets: Sets, encoder: Encoder, variants: Variants, peers: dict[str, Peer]) -> Any:
    """By system: (threshold, scores)."""
    chosen, scored = Kept.of(concepts, sets, 0), Kept.of(concepts, sets, 1)
    threshold, partition = by_us(scored.gold, encoder, variants, scored)
    found = {OURS: (threshold, scored.told(partition.tolist(), DRAWS))}
    for name, peer in peers.items():
        at = peer(chosen.gold, encoder)
        f1 = [float(chosen.told(at(float(one)).tolist(), 0)["f1"][0]) for one in _HIGH]
        best_at = float(_HIGH[int(np.argmax(f1))])
        found[name] = best_at, scored.told(peer(scored.gold, encoder)(best_at).tolist(), DRAWS)
    return found


def main(
    shared: Path = typer.Option(SHARED, help="folder of the data"),
    encoder: str = typer.Option(BUILTIN, help="encoder.model of the job"),
    decision: Path = typer.Option(None, help="by training.label_variants; unset: the shipped one"),
    out: Path = typer.Option(RESULTS / "taxonomy_duplicates.json"),
) -> None:
    """Score, print, save."""
    require(shared / "esco")
    console = Console(width=150)
    model = load_encoder(resolve_model(encoder))
    with one_line_errors(console):
        shipped = SHIPPED_FOR["labels"].get(encoder, Path(f"(none is shipped for {encoder})"))
        variants = Variants.load(decision or shipped)
    concepts = Concepts(read_taxonomy(find_bundle(shared / "esco", "en", "1.1.1")))
    sets = duplicates.esco(concepts)
    peers: dict[str, Peer] = {"cosine, connected": by_cosine} | (
        {"SemHash": by_semhash} if find_spec("semhash") else {}
    )
    result: dict[str, Any] = {"machine": machine(), "model_id": model.model_id}
    result["all labels"] = all_labels(sets, model, variants, peers, console)
    kept = as_kept(concepts, sets, model, variants, peers)
    rows, told = [], {}
    for name, (at, scores) in kept.items():
        n = len(duplicates.half(sets, 1).sets)
        ours = Score.of(kept[OURS][1]["f1"] - scores["f1"], n)
        told[name] = {key: vars(Score.of(of, n)) for key, of in scores.items()} | {"threshold": at}
        cells = [cell(Score.of(scores[key], n)) for key in ("precision", "recall", "f1")]
        rows.append([name, f"{at:.2f}", *cells, "" if name == OURS else cell(ours)])
    title = "a taxonomy as people keep it: one label in 14 is a duplicate"
    show(console, title, ["", "from", "precision", "recall", "F1", "ours less it, F1"], rows)
    save(out, result | {"as kept": told})


if __name__ == "__main__":
    typer.run(main)
