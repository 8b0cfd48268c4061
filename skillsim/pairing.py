"""Two texts compared word by word: which words are the same, and what is left over. No Spark."""

import csv
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files

from rapidfuzz.distance import OSA
from snowballstemmer.english_stemmer import EnglishStemmer  # not PyStemmer, which snowballstemmer takes where it is

_STEMMER = EnglishStemmer()
_WORD = re.compile(r"(?:[^\W_]|[^\x00-\x7f\s])+[+#]*|[+#]+")  # with the vowel signs of scripts that have them
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_FILLERS = frozenset(("a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "using", "with", "your"))
_AGENT = re.compile(r"(?:or|er|ist|ian)s?$")
_PREFIXES = ("anti", "bi", "de", "dis", "down", "hyper", "im", "in", "inter", "intra", "macro", "micro", "mono") + (
    ("multi", "no", "non", "out", "over", "post", "pre", "re", "sub", "trans", "un", "under", "up")
)
# Letters of the longer stem from which one slip, or two, make no other word.
LEAST_TYPO, _TWO_SLIPS = 5, 9
MOST_SLIPS = 2
_PAIRS_OF_WORDS = 200_000  # that are remembered


@dataclass(frozen=True, slots=True)
class Form:
    """A text taken apart, once for all of its pairs."""

    words: tuple[str, ...]  # without fillers, where others are left
    stems: tuple[str, ...]  # of the words
    compact: str  # its letters and digits
    numbers: frozenset[str]
    initials: frozenset[str]  # of all words, and of those without fillers
    agents: tuple[bool, ...]  # whether each word is someone who does something
    unprefixed: frozenset[str]  # words without a prefix that turns their meaning


@lru_cache(maxsize=200_000)
def form(text: str) -> Form:
    every = _WORD.findall(text)
    words = tuple(word for word in every if word not in _FILLERS) or tuple(every)
    initials = frozenset("".join(word[0] for word in of) for of in (every, words))
    agents = tuple(bool(_AGENT.search(word)) for word in words)
    unprefixed = frozenset(word[len(of) :] for word in words for of in _PREFIXES if word.startswith(of))
    numbers = frozenset(_NUMBER.findall(text))
    return Form(words, tuple(map(stem, words)), "".join(every), numbers, initials, agents, unprefixed)


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    return str(_STEMMER.stemWord(word)) if word.isalpha() else word


@cache
def opposites() -> frozenset[str]:
    """The stems of each pair of `data/opposites.csv`, "one other" in alphabetical order."""
    with (files("skillsim") / "data" / "opposites.csv").open(encoding="utf-8") as file:
        return frozenset(in_order(stem(row["one"]), stem(row["other"])) for row in csv.DictReader(file))


def in_order(one: str, other: str) -> str:
    """Two stems, as skillsim.pair_features.Words names them that replace each other."""
    return f"{min(one, other)} {max(one, other)}"


def initials_side(a: Form, b: Form) -> int | None:
    """0 where the first text is the initials of the second, 1 where it is the other way round."""
    short = int(len(b.compact) < len(a.compact))
    one, other = (b, a) if short else (a, b)
    stands = 1 < len(one.compact) < len(other.compact) and one.compact in other.initials
    return short if stands else None


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
        found._pair(a.stems, b.stems, operator.eq)
        if found.left and found.right:
            join(a.words, found.left, b.words, found.right)
            found.typos += found._pair(a.words, b.words, typo)
            found.short_forms = len(found._pair(a.words, b.words, is_short))
        return found

    def words(self) -> tuple[list[str], list[str]]:
        """Stems left over of both."""
        return [self.a.stems[place] for place in self.left], [self.b.stems[place] for place in self.right]

    def _pair(self, left: Sequence[str], right: Sequence[str], same: Callable[[str, str], int]) -> list[int]:
        """What `same` says of each two that are paired off: those of which it says anything but 0."""
        told = []
        for x in self.left.copy():
            one = left[x]
            for y in self.right:
                if found := same(one, right[y]):
                    told.append(found)
                    self.left.remove(x)
                    self.right.remove(y)
                    break
        return told


def join(words: Sequence[str], left: list[int], others: Sequence[str], right: list[int]) -> None:
    """Take from what is left over a word of one side that two or three of the other make together, in their order."""
    for one, ours, two, theirs in ((words, left, others, right), (others, right, words, left)):
        for whole in ours.copy() if len(theirs) > 1 else ():
            for size in (2, 3):
                spans = [theirs[start : start + size] for start in range(len(theirs) - size + 1)]
                made = [span for span in spans if "".join([two[place] for place in span]) == one[whole]]
                if made and whole in ours:
                    ours.remove(whole)
                    for place in made[0]:
                        theirs.remove(place)


@lru_cache(maxsize=_PAIRS_OF_WORDS)
def typo(a: str, b: str) -> int:
    """Letters of the shorter one where a slip or two part two stems, or words: a typo may have another ending cut off.

    0 where more than that does, and of opposites ("qualitative", "quantitative").
    """
    if in_order(stem(a), stem(b)) in opposites():
        return 0
    for one, other in ((stem(a), stem(b)), (a, b)):
        longer = max(len(one), len(other))
        slips = 0 if longer < LEAST_TYPO else 1 if longer < _TWO_SLIPS else MOST_SLIPS
        if slips and one.isalpha() and other.isalpha() and OSA.distance(one, other, score_cutoff=slips) <= slips:
            return min(len(one), len(other))
    return 0


@lru_cache(maxsize=_PAIRS_OF_WORDS)
def is_short(a: str, b: str) -> bool:
    """Whether one word has letters of the other in their order, the first among them: "mgt", not "i18n"."""
    short, long = sorted((a, b), key=len)
    if not (2 <= len(short) <= 0.7 * len(long) and short[0] == long[0]):
        return False
    place = 0
    for letter in short:
        place = long.find(letter, place) + 1
        if not place:
            return False
    return True
