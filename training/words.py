"""What fitted pairs and labels say of single words, for skillsim.pair_features.Words. Words are stems here, but for
those that a text begins with."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from skillsim.pairing import Pairing, form, in_order

_PRIOR = 8.0  # pairs that a word's weight is drawn to the mean by
_SEEN = 3  # pairs' weight from which a word has a weight of its own
_TEXTS = 2  # that a first word begins at least
_LABELS = 9  # of a concept that are compared
_LEFT = 2  # words left over on one side, in which one may stand for one of the other
_CONCEPTS = 2  # in which one word must stand for another
_RARE = 5.0  # concepts that are added to those a word is left over in


def left_over_weights(
    names: Sequence[Sequence[str]], same: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
) -> dict[str, float]:
    """Log-odds that a pair is one skill, by a word that is left over in it (skillsim.pair_features.left_over)."""
    rows = pd.DataFrame({"name": list(map(sorted, map(set, names))), "same": same, "weight": weight}).explode("name")
    rows = rows.dropna(subset="name")
    if rows.empty:
        return {}
    sums = rows.pivot_table("weight", "name", "same", "sum", fill_value=0.0).reindex(
        columns=[False, True], fill_value=0.0
    )
    found = {}
    for _, of in sums.groupby(sums.index.str[0]):
        share = (of[True].sum() + 1) / (of.to_numpy().sum() + 2)
        odds = np.log((of[True] + _PRIOR * share) / (of[False] + _PRIOR * (1 - share)))
        found.update(odds[of.sum(axis=1) >= _SEEN].round(4).to_dict())
    return found


def replaced(labels: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """How usual it is that two words stand for each other, as they do in labels of several concepts.

    `labels`: by concept. The logarithm of a cosine: of the concepts in which one word is left over and those in which
    the other is.
    """
    pairs: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for texts in labels.values():
        words: set[str] = set()
        found: set[str] = set()
        for a, b in combinations(texts[:_LABELS], 2):
            one, other = Pairing.of(form(a), form(b)).words()
            words.update(one, other)
            if len(one) <= _LEFT and len(other) <= _LEFT:
                found.update(in_order(x, y) for x in one for y in other)
        pairs.update(found)
        alone.update(words)
    usual = {}
    for pair, count in sorted(pairs.items()):
        if count >= _CONCEPTS:
            x, y = (alone[word] + _RARE for word in pair.split())
            usual[pair] = round(float(np.log(count / np.sqrt(x * y))), 2)
    return usual


def first_words(phrases: Iterable[str], names: Iterable[str]) -> dict[str, float]:
    """Log-odds that a text which begins with a word is one of `phrases` and not of `names`."""
    of_phrases, of_names = (
        Counter(form(text).words[0] for text in sorted(set(texts)) if form(text).words) for texts in (phrases, names)
    )
    every = of_phrases + of_names
    mean = np.log((of_phrases.total() + 1) / (of_names.total() + 1))
    return {
        word: round(float(np.log((of_phrases[word] + 1) / (of_names[word] + 1)) - mean), 2)
        for word, count in sorted(every.items())
        if count >= _TEXTS
    }
