"""Two texts compared word by word: which words are the same, and what is left over. No Spark."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from rapidfuzz.distance import OSA
from snowballstemmer.english_stemmer import EnglishStemmer  # not PyStemmer, which snowballstemmer takes where it is

_STEMMER = EnglishStemmer()
_WORD = re.compile(r"(?:[^\W_]|[^\x00-\x7f\s])+[+#]*|[+#]+")  # with the vowel signs of scripts that have them
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_FILLERS = frozenset(("a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "using", "with", "your"))
# Letters of the longer stem from which one slip, or two, make no other word.
_ONE_SLIP, _TWO_SLIPS = 5, 9


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
    return Form(words, tuple(map(stem, words)), "".join(every), frozenset(_NUMBER.findall(text)), initials)


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    return str(_STEMMER.stemWord(word)) if word.isalpha() else word


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
        found._pair(lambda x, y: a.stems[x] == b.stems[y])
        found._join()
        found._pair(found._is_typo)
        found._pair(found._is_short)
        return found

    def words(self) -> tuple[list[str], list[str]]:
        """Stems left over of both."""
        return [self.a.stems[place] for place in self.left], [self.b.stems[place] for place in self.right]

    def _pair(self, same: Callable[[int, int], bool]) -> None:
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
        """Of the stems, or of the words: a typo may have another ending cut off."""
        for of_a, of_b in ((self.a.stems, self.b.stems), (self.a.words, self.b.words)):
            one, other = of_a[x], of_b[y]
            longer = max(len(one), len(other))
            slips = 0 if longer < _ONE_SLIP else 1 if longer < _TWO_SLIPS else 2
            if one.isalpha() and other.isalpha() and OSA.distance(one, other, score_cutoff=slips) <= slips:
                self.typos.append(min(len(one), len(other)))
                return True
        return False

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
