"""What skillsim.pairing says of one pair of texts, of many at once: which words are the same, and what is left over.

Words are numbers in arrays with a column for each place in a text, and a rule that looks at two words is asked only
where their letters allow it to hold. No Spark.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skillsim.pairing import LEAST_TYPO, MOST_SLIPS, Form, is_short, join, typo

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_BITS = np.array([value.bit_count() for value in range(2**16)], dtype=np.int8)
_NO_WORD = -1


@dataclass(frozen=True)
class Vocabulary:
    """Words, and what their letters allow. `first`: code point of the first letter; `letters`: a bit for each."""

    names: Sequence[str]
    length: Rows
    first: Rows
    is_alpha: Bools
    letters: npt.NDArray[np.uint32]

    @staticmethod
    def of(names: Sequence[str]) -> "Vocabulary":
        length = np.array([len(one) for one in names], dtype=np.int64)
        codes = np.frombuffer("".join(names).encode("utf-32-le"), dtype=np.uint32)
        letters = np.zeros(len(names), dtype=np.uint32)
        np.bitwise_or.at(letters, np.repeat(np.arange(len(names)), length), np.uint32(1) << (codes % np.uint32(32)))
        first = np.array([ord(one[:1] or " ") for one in names], dtype=np.int64)
        return Vocabulary(names, length, first, np.array([one.isalpha() for one in names], dtype=bool), letters)


class Texts:
    """n texts taken apart. Words are rows of `vocabulary` in (n, most words of one) arrays, _NO_WORD behind the last;
    so are their stems, of `stem_vocabulary`."""

    def __init__(self, forms: Sequence[Form]) -> None:
        self.forms = forms
        self.count = np.array([len(one.stems) for one in forms], dtype=np.int64)
        self.is_word = np.arange(max(self.count, default=0)) < self.count[:, None]
        self.vocabulary, self.words = self._numbered([word for one in forms for word in one.words])
        self.stem_vocabulary, self.stems = self._numbered([stem for one in forms for stem in one.stems])
        self.agents = np.zeros(self.is_word.shape, dtype=bool)
        self.agents[self.is_word] = [agent for one in forms for agent in one.agents]
        self.letters = np.array([len(one.compact) for one in forms], dtype=np.int64)

    def _numbered(self, names: Sequence[str]) -> tuple[Vocabulary, Rows]:
        number: dict[str, int] = {}
        rows = np.full(self.is_word.shape, _NO_WORD, dtype=np.int64)
        rows[self.is_word] = [number.setdefault(name, len(number)) for name in names]
        return Vocabulary.of(list(number)), rows


class Pairings:
    """Of n pairs of texts, `a` and `b`, what skillsim.pairing.Pairing says of each.

    `left`, `right`: (n, most words) whether the word at a place is left over; `least_typo`: letters of the shortest
    word with one, where `typos`, their count, is not 0.
    """

    def __init__(self, texts: Texts, a: Rows, b: Rows) -> None:
        self.texts, self.a, self.b = texts, a, b
        self.left, self.right = texts.is_word[a], texts.is_word[b]
        self.typos, self.short_forms = np.zeros(len(a), np.int64), np.zeros(len(a), np.int64)
        self.least_typo = np.full(len(a), np.iinfo(np.int64).max)
        self._pair(self._same_stem)
        self._join()
        for rows, letters in self._pair(self._typo):
            self.typos[rows] += 1
            self.least_typo[rows] = np.minimum(self.least_typo[rows], letters)
        for rows, _ in self._pair(self._short):
            self.short_forms[rows] += 1

    def least_left(self, lone: Floats, both: Floats, most: float) -> Floats:
        """(n,): the least weight of what is left over, `most` where nothing is.

        `lone`, `both`: of each stem, where one side has words left over and where both have.
        """
        weights = np.stack([lone, both])
        of_both = np.where(self.left.any(axis=1) & self.right.any(axis=1), 1, 0)
        least = np.full(len(self.a), most)
        for left, rows in ((self.left, self.a), (self.right, self.b)):
            for place in range(left.shape[1]):
                asked = np.flatnonzero(left[:, place])
                weight = weights[of_both[asked], self.texts.stems[rows[asked], place]]
                least[asked] = np.minimum(least[asked], weight)
        return least

    def letters_left(self) -> Rows:
        """(n,): of the stems left over of both."""
        total = np.zeros(len(self.a), dtype=np.int64)
        for left, rows in ((self.left, self.a), (self.right, self.b)):
            for place in range(left.shape[1]):
                asked = np.flatnonzero(left[:, place])
                total[asked] += self.texts.stem_vocabulary.length[self.texts.stems[rows[asked], place]]
        return total

    def both_left(self) -> Iterator[tuple[Rows, int, int]]:
        """(pairs, x, y) of which the word at x of the one and the word at y of the other are left over."""
        for x in range(self.left.shape[1]):
            rows = np.flatnonzero(self.left[:, x])
            for y in range(self.right.shape[1]):
                if len(asked := rows[self.right[rows, y]]):
                    yield asked, x, y

    def _pair(self, same: Callable[[Rows, int, int], Rows]) -> list[tuple[Rows, Rows]]:
        """(pairs, what `same` says) of the words that are paired off: those of which it says anything but 0."""
        told = []
        for asked, x, y in self.both_left():
            asked = asked[self.left[asked, x]]
            value = same(asked, x, y)
            hit = asked[value > 0]
            self.left[hit, x] = self.right[hit, y] = False
            told.append((hit, value[value > 0]))
        return told

    def _same_stem(self, rows: Rows, x: int, y: int) -> Rows:
        return (self.texts.stems[self.a[rows], x] == self.texts.stems[self.b[rows], y]).astype(np.int64)

    def _typo(self, rows: Rows, x: int, y: int) -> Rows:
        texts, a, b = self.texts, self.a[rows], self.b[rows]
        may = _may_be_typo(texts.stem_vocabulary, texts.stems[a, x], texts.stems[b, y])
        may |= _may_be_typo(texts.vocabulary, texts.words[a, x], texts.words[b, y])
        return _asked(texts.vocabulary, typo, may, texts.words[a, x], texts.words[b, y])

    def _short(self, rows: Rows, x: int, y: int) -> Rows:
        of, one, other = self.texts.vocabulary, self.texts.words[self.a[rows], x], self.texts.words[self.b[rows], y]
        may = (of.first[one] == of.first[other]) & (of.length[one] != of.length[other])
        return _asked(of, is_short, may, one, other)

    def _join(self) -> None:
        """Only in the few pairs where a word left over may begin with a shorter one of the other side."""
        of, may = self.texts.vocabulary, np.zeros(len(self.a), dtype=bool)
        several = self.left.sum(axis=1) > 1, self.right.sum(axis=1) > 1
        for rows, x, y in self.both_left():
            one, other = self.texts.words[self.a[rows], x], self.texts.words[self.b[rows], y]
            for whole, part, parts in ((one, other, several[1]), (other, one, several[0])):
                begins = (of.first[whole] == of.first[part]) & (of.length[whole] > of.length[part])
                may[rows] |= begins & (of.letters[part] & ~of.letters[whole] == 0) & parts[rows]
        for row in np.flatnonzero(may).tolist():
            left, right = np.flatnonzero(self.left[row]).tolist(), np.flatnonzero(self.right[row]).tolist()
            join(self.texts.forms[self.a[row]].words, left, self.texts.forms[self.b[row]].words, right)
            self.left[row], self.right[row] = False, False
            self.left[row, left], self.right[row, right] = True, True


def _may_be_typo(of: Vocabulary, one: Rows, other: Rows) -> Bools:
    """Whether two words are as long, and have as many letters in common, as slips allow: one changes two letters."""
    length, differ = (of.length[one], of.length[other]), of.letters[one] ^ of.letters[other]
    may = of.is_alpha[one] & of.is_alpha[other] & (np.maximum(*length) >= LEAST_TYPO)
    may &= np.abs(length[0] - length[1]) <= MOST_SLIPS
    return may & (_BITS[differ & 0xFFFF] + _BITS[differ >> 16] <= 2 * MOST_SLIPS)


def _asked(of: Vocabulary, rule: Callable[[str, str], int], may: Bools, one: Rows, other: Rows) -> Rows:
    """(n,): what a rule says of words where they may be anything to it, 0 elsewhere."""
    told = np.zeros(len(may), dtype=np.int64)
    words = zip(one[may].tolist(), other[may].tolist(), strict=True)
    told[may] = [rule(of.names[x], of.names[y]) for x, y in words]
    return told
