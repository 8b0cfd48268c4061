"""Whether two texts are variants of one skill: what a pair looks like, and a decision that was fitted on it. No Spark.

The cosine of two texts says that they speak of one thing, and says so of "day shifts" and "night shifts" too. So a
pair is also compared word by word: words are paired off while they are the same up to inflection, a missing space, a
typo or a short form. What is left over then, on one side or on both, tells variants from neighbours.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA, JaroWinkler
from safetensors import SafetensorError, safe_open
from scipy.special import expit
from snowballstemmer.english_stemmer import EnglishStemmer  # not PyStemmer, which snowballstemmer takes where it is

from skillsim.errors import DeciderError
from skillsim.model_files import BUILTIN
from skillsim.trees import Trees

SHIPPED = {BUILTIN: Path(str(files("skillsim") / "data" / "variants" / f"{BUILTIN}.safetensors"))}  # by encoder.model
METADATA = "variants"
KEEP = 0.3  # a pair with a lower score is not kept: no threshold is set below

Floats = npt.NDArray[np.float32]

_STEMMER = EnglishStemmer()
_WORD = re.compile(r"(?:[^\W_]|[^\x00-\x7f\s])+[+#]*|[+#]+")  # with the vowel signs of scripts that have them
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_AGENT = re.compile(r"(?:or|er|ist|ian)s?$")
_FILLERS = frozenset(("a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "using", "with", "your"))
_PREFIXES = frozenset(
    ("anti", "bi", "de", "dis", "down", "hyper", "im", "in", "inter", "intra", "macro", "micro", "mono", "multi", "no")
    + ("non", "out", "over", "post", "pre", "re", "sub", "trans", "un", "under", "up")
)
# Letters of the longer stem from which one slip, or two, make no other word.
_ONE_SLIP, _TWO_SLIPS = 5, 9
_NO_TYPO = 30.0  # letters: longer than any word with one
_UNSEEN = -3.0  # weight of a word that no fitted pair left over
_NOTHING = 9.0  # weight where no word is left over

FEATURES = (
    "cosine",
    "same letters",
    "edit similarity",
    "jaro-winkler",
    "letters of the shorter",
    "letters one adds at its end",
    "words paired",
    "typos",
    "letters of the shortest with a typo",
    "short forms",
    "left over, the fewer",
    "left over, the more",
    "left over, share of letters",
    "left over on one side, weight",
    "left over on both sides, weight",
    "numbers differ",
    "number on one side",
    "initials",
    "prefix",
    "order differs",
    "person or deed",
)


@dataclass(frozen=True, slots=True)
class Form:
    """A text taken apart, once for all of its pairs."""

    words: tuple[str, ...]  # without fillers, where others are left
    stems: tuple[str, ...]  # of the words
    compact: str  # its letters and digits
    numbers: frozenset[str]
    initials: frozenset[str]  # of all words, and of those without fillers


@lru_cache(maxsize=200_000)
def form(text: str) -> Form:
    every = _WORD.findall(text)
    words = tuple(word for word in every if word not in _FILLERS) or tuple(every)
    initials = frozenset("".join(word[0] for word in of) for of in (every, words))
    return Form(words, tuple(map(_stem, words)), "".join(every), frozenset(_NUMBER.findall(text)), initials)


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return str(_STEMMER.stemWord(word)) if word.isalpha() else word


@dataclass
class Pairing:
    """The words of two texts, paired off; `left` and `right` are what is left over, as places."""

    a: Form
    b: Form
    left: list[int]
    right: list[int]
    typos: list[int] = field(default_factory=list)  # letters of the shorter word of each
    short_forms: int = 0

    @staticmethod
    def of(a: Form, b: Form) -> "Pairing":
        found = Pairing(a, b, list(range(len(a.stems))), list(range(len(b.stems))))
        found._pair(lambda x, y: a.stems[x] == b.stems[y])
        found._join()
        found._pair(found._is_typo)
        found._pair(found._is_short)
        return found

    def words(self) -> tuple[list[str], list[str]]:
        """Stems left over of both."""
        return [self.a.stems[place] for place in self.left], [self.b.stems[place] for place in self.right]

    def _pair(self, same: Any) -> None:
        for x in list(self.left):
            for y in self.right:
                if same(x, y):
                    self.left.remove(x)
                    self.right.remove(y)
                    break

    def _join(self) -> None:
        """A word of one side that two or three of what is left of the other make together, in their order."""
        for words, left, others, right in (
            (self.a.words, self.left, self.b.words, self.right),
            (self.b.words, self.right, self.a.words, self.left),
        ):
            for whole in list(left):
                for size in (2, 3):
                    spans = [right[start : start + size] for start in range(len(right) - size + 1)]
                    made = [span for span in spans if "".join(others[place] for place in span) == words[whole]]
                    if made and whole in left:
                        left.remove(whole)
                        for place in made[0]:
                            right.remove(place)

    def _is_typo(self, x: int, y: int) -> bool:
        one, other = self.a.stems[x], self.b.stems[y]
        longer = max(len(one), len(other))
        slips = 0 if longer < _ONE_SLIP else 1 if longer < _TWO_SLIPS else 2
        if not (one.isalpha() and other.isalpha()) or OSA.distance(one, other, score_cutoff=slips) > slips:
            return False
        self.typos.append(min(len(one), len(other)))
        return True

    def _is_short(self, x: int, y: int) -> bool:
        """Whether one word has letters of the other in their order, the first among them: "mgt", not "i18n"."""
        short, long = sorted((self.a.words[x], self.b.words[y]), key=len)
        place = 0
        for letter in short:
            place = long.find(letter, place) + 1
            if not place:
                return False
        found = 2 <= len(short) <= 0.7 * len(long) and short[0] == long[0]
        self.short_forms += found
        return found


def features(
    left: Sequence[str], right: Sequence[str], cosine: Floats, weights: Mapping[str, float] | None = None
) -> Floats:
    """(pairs, FEATURES) of texts and their cosines. `weights`: of words left over, named as by `left_over`."""
    rows = [
        _row(form(a), form(b), float(similar), weights or {}) for a, b, similar in zip(left, right, cosine, strict=True)
    ]
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(FEATURES))


def left_over(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Names of the words left over of two texts: "1 word" where the other side has none, "2 word" where it has."""
    sides = 2 if one and other else 1
    return [f"{sides} {word}" for word in (*one, *other)]


def _row(a: Form, b: Form, cosine: float, weights: Mapping[str, float]) -> list[float]:
    pairing = Pairing.of(a, b)
    one, other = pairing.words()
    short, long = sorted((a.compact, b.compact), key=len)
    weight = min((weights.get(name, _UNSEEN) for name in left_over(one, other)), default=_NOTHING)
    both = bool(one and other)
    shared = set(a.stems) & set(b.stems)
    return [
        cosine,
        a.compact == b.compact,
        1 - OSA.distance(short, long) / max(len(long), 1),
        JaroWinkler.similarity(short, long),
        len(short),
        len(long) - len(short) if long.startswith(short) else 0,
        len(a.stems) - len(one),
        len(pairing.typos),
        min(pairing.typos, default=_NO_TYPO),
        pairing.short_forms,
        min(len(one), len(other)),
        max(len(one), len(other)),
        sum(map(len, (*one, *other))) / max(len(a.compact) + len(b.compact), 1),
        _NOTHING if both else weight,
        weight if both else _NOTHING,
        bool(a.numbers and b.numbers and a.numbers != b.numbers),
        bool(a.numbers) != bool(b.numbers),
        len(short) > 1 and (b.compact in a.initials or a.compact in b.initials),
        any(_prefixed(x, y) or _prefixed(y, x) for x in a.words for y in b.words),
        [s for s in a.stems if s in shared] != [s for s in b.stems if s in shared],
        sum(_differ_in_agent(x, y) for x in a.words for y in b.words if _stem(x) == _stem(y)),
    ]


def _prefixed(word: str, other: str) -> bool:
    """Whether a word is another with a prefix that turns its meaning."""
    return len(word) > len(other) and word.endswith(other) and word[: -len(other)] in _PREFIXES


def _differ_in_agent(word: str, other: str) -> bool:
    """ "auditor" and "auditing" have one stem."""
    return bool(_AGENT.search(word)) != bool(_AGENT.search(other))


@dataclass(frozen=True)
class Variants:
    """A fitted decision.

    `threshold`: the score from which two texts are one skill; `keep`: pairs with less are not kept; `floor`: the cosine
    below which a pair is not looked at unless its letters are alike.
    """

    parameters: Mapping[str, npt.NDArray[Any]]
    weights: Mapping[str, float]
    threshold: float
    keep: float
    floor: float
    model_id: str  # whose cosines it was fitted on

    @staticmethod
    def load(path: Path) -> "Variants":
        """What training.variants wrote. Raises DeciderError for another file, and for one of other features."""
        try:
            with safe_open(str(path), framework="numpy") as file:
                told = json.loads((file.metadata() or {})[METADATA])
                parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if tuple(told["features"]) != FEATURES:
                raise ValueError("it was fitted on other features")
            return Variants(parameters, told["weights"], told["threshold"], KEEP, told["floor"], told["model_id"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DeciderError(
                f"{path} is no fitted decision on variants ({error}): fit one, by `python -m training.variants`."
            ) from error

    @cached_property
    def _trees(self) -> Trees:
        return Trees(self.parameters)

    def score(self, left: Sequence[str], right: Sequence[str], cosine: Floats) -> npt.NDArray[np.float64]:
        """(pairs,): how sure it is that two texts are variants of one skill, 0..1."""
        return np.asarray(expit(self._trees.log_odds(features(left, right, cosine, self.weights))))
