"""What pairs of texts look like, many at once: the features that skillsim.variants decides by. No Spark.

It says of each pair what skillsim.pairing says of one, by arrays with a column a word: a rule that looks at two words
is asked only where their letters allow it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from skillsim.pairing import LEAST_TYPO, MOST_SLIPS, Form, form, initials_side, is_short, join, typo

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NO_TYPO = 30  # letters: longer than any word with one
_UNSEEN = -3.0  # weight of a word that no fitted pair left over
_NOTHING = 9.0  # weight where no word is left over, or replaced
_BITS = np.array([value.bit_count() for value in range(2**16)], dtype=np.int8)

FEATURES = (
    "cosine",
    "same letters",
    "edit similarity",
    "jaro-winkler",
    "letters of the shorter",
    "letters one adds at its end",
    "words of the shorter",
    "words of the longer",
    "words paired",
    "typos",
    "letters of the shortest with a typo",
    "short forms",
    "left over, the fewer",
    "left over, the more",
    "left over, share of letters",
    "left over on one side, weight",
    "left over on both sides, weight",
    "not replaced, the fewer",
    "not replaced, of both",
    "replaced, the least usual",
    "phrase, the less",
    "phrase, the more",
    "numbers differ",
    "number on one side",
    "initials",
    "prefix",
    "order differs",
    "person or deed",
)


@dataclass(frozen=True)
class Words:
    """What fitted pairs say of stems.

    `left_over`: log-odds that a pair is one skill which leaves this over, named as by `left_over`; `replaced`: of
    "one other", in alphabetical order, how usual it is that they stand for each other, a logarithm; `first`: log-odds
    that a text which begins with it is a phrase of a taxonomy and not a name.
    """

    left_over: Mapping[str, float] = field(default_factory=dict)
    replaced: Mapping[str, float] = field(default_factory=dict)
    first: Mapping[str, float] = field(default_factory=dict)


def left_over(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Names of the words left over of two texts: "1 word" where the other side has none, "2 word" where it has."""
    sides = 2 if one and other else 1
    return [f"{sides} {word}" for word in (*one, *other)]


def features(left: Sequence[str], right: Sequence[str], cosine: Floats, words: Words) -> Floats:
    """(pairs, FEATURES) of texts and their cosines."""
    place: dict[str, int] = {}
    a, b = (np.array([place.setdefault(text, len(place)) for text in side], np.int64) for side in (left, right))
    texts = _Texts([form(text) for text in place], words)
    told = _of_letters(texts, a, b), _of_words(texts, a, b, words), _of_texts(texts, a, b)
    return np.column_stack([cosine, *told]).astype(np.float32)


@dataclass(frozen=True)
class _Vocabulary:
    """Words, and what their letters allow. `first`: code point of the first letter; `letters`: a bit of each."""

    names: Sequence[str]
    length: Rows
    first: Rows
    is_alpha: Bools
    letters: npt.NDArray[np.uint32]

    @staticmethod
    def of(names: Sequence[str]) -> "_Vocabulary":
        length = np.array([len(one) for one in names], dtype=np.int64)
        codes = np.frombuffer("".join(names).encode("utf-32-le"), dtype=np.uint32)
        letters = np.zeros(len(names), dtype=np.uint32)
        np.bitwise_or.at(letters, np.repeat(np.arange(len(names)), length), np.uint32(1) << (codes % np.uint32(32)))
        is_alpha = np.array([one.isalpha() for one in names], dtype=bool)
        return _Vocabulary(names, length, np.array([ord(one[0]) for one in names], np.int64), is_alpha, letters)


class _Texts:
    """Distinct texts; in (texts, most words of one) arrays of their words, -1 is where there is none."""

    def __init__(self, forms: Sequence[Form], words: Words) -> None:
        self.forms = forms
        self.count = np.array([len(one.stems) for one in forms], dtype=np.int64)
        place = np.arange(max(self.count, default=0)) < self.count[:, None]
        self.stem, self.stems = _numbered([stem for one in forms for stem in one.stems], place)
        self.word, self.words = _numbered([word for one in forms for word in one.words], place)
        self.agents = np.zeros(place.shape, dtype=bool)
        self.agents[place] = [agent for one in forms for agent in one.agents]
        self.letters = np.array([len(one.compact) for one in forms], dtype=np.int64)
        self.initials = np.array([max(map(len, one.initials), default=0) for one in forms], dtype=np.int64)
        self.phrase = np.array([words.first.get(one.stems[0], 0.0) if one.stems else 0.0 for one in forms], np.float32)
        numbers: dict[frozenset[str], int] = {frozenset(): 0}
        self.numbers = np.array([numbers.setdefault(one.numbers, len(numbers)) for one in forms], dtype=np.int64)
        self.unprefixed = np.array([bool(one.unprefixed) for one in forms], dtype=bool)


def _numbered(names: Sequence[str], place: Bools) -> tuple[_Vocabulary, Rows]:
    """(the distinct names, the row of each at its place)."""
    row: dict[str, int] = {}
    rows = np.full(place.shape, -1, dtype=np.int64)
    rows[place] = [row.setdefault(name, len(row)) for name in names]
    return _Vocabulary.of(list(row)), rows


def _of_letters(texts: _Texts, a: Rows, b: Rows) -> npt.NDArray[Any]:
    """(pairs, 5)"""
    swap = texts.letters[a] > texts.letters[b]
    shorter, longer = (texts.letters[rows] for rows in (np.where(swap, b, a), np.where(swap, a, b)))
    short, long = (
        [texts.forms[row].compact for row in np.where(swap, one, other).tolist()] for one, other in ((b, a), (a, b))
    )
    both = list(zip(short, long, strict=True))
    return np.column_stack(
        [
            np.array([one == other for one, other in both], dtype=bool),
            1 - cpdist(short, long, scorer=OSA.distance) / np.maximum(longer, 1),
            cpdist(short, long, scorer=JaroWinkler.similarity, dtype=np.float64),
            shorter,
            np.where([other.startswith(one) for one, other in both], longer - shorter, 0),
        ]
    )


def _of_words(texts: _Texts, a: Rows, b: Rows, words: Words) -> npt.NDArray[Any]:
    """(pairs, 14)"""
    found = _Pairings(texts, a, b)
    one, other = found.left.sum(axis=1), found.right.sum(axis=1)
    lone, both = (
        np.array([words.left_over.get(f"{sides} {stem}", _UNSEEN) for stem in texts.stem.names]) for sides in (1, 2)
    )
    of_both = (one > 0) & (other > 0)
    weight = np.where(of_both, found.least_left(both), found.least_left(lone))
    replaced, usual = _replaced(found, words)
    return np.column_stack(
        [
            np.minimum(texts.count[a], texts.count[b]),
            np.maximum(texts.count[a], texts.count[b]),
            texts.count[a] - one,
            found.typos,
            found.least_typo,
            found.short_forms,
            np.minimum(one, other),
            np.maximum(one, other),
            found.letters_left() / np.maximum(texts.letters[a] + texts.letters[b], 1),
            np.where(of_both, _NOTHING, weight),
            np.where(of_both, weight, _NOTHING),
            np.minimum(one, other) - replaced,
            one + other - 2 * replaced,
            usual,
        ]
    )


class _Pairings:
    """As skillsim.pairing.Pairing of n pairs. `left`, `right`: (n, most words) whether a word is left over."""

    def __init__(self, texts: _Texts, a: Rows, b: Rows) -> None:
        self.texts, self.a, self.b = texts, a, b
        self.left, self.right = texts.stems[a] >= 0, texts.stems[b] >= 0
        self.typos, self.short_forms = np.zeros(len(a), np.int64), np.zeros(len(a), np.int64)
        self.least_typo = np.full(len(a), _NO_TYPO)
        self._pair(self._same_stem)
        self._join()
        for rows, letters in self._pair(self._typo):
            self.typos[rows] += 1
            self.least_typo[rows] = np.minimum(self.least_typo[rows], letters)
        for rows, _ in self._pair(self._short):
            self.short_forms[rows] += 1

    def least_left(self, weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n,): the least weight, given by stem, of what is left over."""
        sides = ((self.left, self.a), (self.right, self.b))
        told = [np.where(left, weight[self.texts.stems[rows]], _NOTHING) for left, rows in sides if left.size]
        return np.concatenate([np.full((len(self.a), 1), _NOTHING), *told], axis=1).min(axis=1)

    def letters_left(self) -> Rows:
        """(n,): of the stems left over of both."""
        sides = ((self.left, self.a), (self.right, self.b))
        told = [np.where(left, self.texts.stem.length[self.texts.stems[rows]], 0) for left, rows in sides if left.size]
        return np.concatenate([np.zeros((len(self.a), 1), np.int64), *told], axis=1).sum(axis=1)

    def _pair(self, same: Callable[[Rows, int, int], Rows]) -> list[tuple[Rows, Rows]]:
        """(pairs, what `same` says) of the words that are paired off: those of which it says anything but 0."""
        told = []
        for x in range(self.left.shape[1]):
            rows = np.flatnonzero(self.left[:, x])
            for y in range(self.right.shape[1]):
                asked = rows[self.right[rows, y]]
                if not len(asked):
                    continue
                value = same(asked, x, y)
                hit = asked[value > 0]
                self.left[hit, x] = self.right[hit, y] = False
                rows = rows[self.left[rows, x]]
                told.append((hit, value[value > 0]))
        return told

    def _same_stem(self, rows: Rows, x: int, y: int) -> Rows:
        return (self.texts.stems[self.a[rows], x] == self.texts.stems[self.b[rows], y]).astype(np.int64)

    def _typo(self, rows: Rows, x: int, y: int) -> Rows:
        texts, (a, b) = self.texts, (self.a[rows], self.b[rows])
        may = _may_be_typo(texts.stem, texts.stems[a, x], texts.stems[b, y])
        may |= _may_be_typo(texts.word, texts.words[a, x], texts.words[b, y])
        return _asked(texts.word.names, typo, may, texts.words[a, x], texts.words[b, y])

    def _short(self, rows: Rows, x: int, y: int) -> Rows:
        word, one, other = self.texts.word, self.texts.words[self.a[rows], x], self.texts.words[self.b[rows], y]
        may = word.first[one] == word.first[other]
        may &= word.length[one] != word.length[other]
        return _asked(word.names, is_short, may, one, other)

    def _join(self) -> None:
        """In the few pairs where a word left over begins as a shorter one of the other side does."""
        word, may = self.texts.word, np.zeros(len(self.a), dtype=bool)
        for whole, in_whole, part, in_part in (
            (self.left, self.texts.words[self.a], self.right, self.texts.words[self.b]),
            (self.right, self.texts.words[self.b], self.left, self.texts.words[self.a]),
        ):
            several = part.sum(axis=1) > 1
            for x in range(whole.shape[1]):
                rows = np.flatnonzero(whole[:, x] & several)
                for y in range(part.shape[1] if len(rows) else 0):
                    asked = rows[part[rows, y]]
                    one, other = in_whole[asked, x], in_part[asked, y]
                    begins = (word.first[one] == word.first[other]) & (word.length[one] > word.length[other])
                    may[asked] |= begins & (word.letters[other] & ~word.letters[one] == 0)
        for row in np.flatnonzero(may).tolist():
            left, right = np.flatnonzero(self.left[row]).tolist(), np.flatnonzero(self.right[row]).tolist()
            join(self.texts.forms[self.a[row]].words, left, self.texts.forms[self.b[row]].words, right)
            self.left[row], self.right[row] = False, False
            self.left[row, left], self.right[row, right] = True, True


def _may_be_typo(of: _Vocabulary, one: Rows, other: Rows) -> Bools:
    """Whether two words are as long, and have as many letters in common, as slips allow."""
    length, differ = (of.length[one], of.length[other]), of.letters[one] ^ of.letters[other]
    may = of.is_alpha[one] & of.is_alpha[other] & (np.maximum(*length) >= LEAST_TYPO)
    may &= np.abs(length[0] - length[1]) <= MOST_SLIPS
    return may & (_BITS[differ & 0xFFFF] + _BITS[differ >> 16] <= 2 * MOST_SLIPS)


def _asked(names: Sequence[str], rule: Callable[[str, str], int], may: Bools, one: Rows, other: Rows) -> Rows:
    """(n,): what a rule says of words where they may be anything to it, 0 elsewhere."""
    told = np.zeros(len(may), dtype=np.int64)
    words = zip(one[may].tolist(), other[may].tolist(), strict=True)
    told[may] = [rule(names[x], names[y]) for x, y in words]
    return told


def _replaced(found: _Pairings, words: Words) -> tuple[Rows, npt.NDArray[np.float64]]:
    """(pairs,): how many words left over are replaced, and how usual the least usual of these is."""
    count, least = np.zeros(len(found.a), dtype=np.int64), np.full(len(found.a), _NOTHING)
    forms, may = found.texts.forms, np.zeros(len(found.a), dtype=bool)
    names = found.texts.stem.names
    row_of = {name: row for row, name in enumerate(names)}
    both = [(row_of[x], row_of[y]) for x, y in map(str.split, words.replaced) if x in row_of and y in row_of]
    known = np.unique([x * len(names) + y for one in both for x, y in (one, one[::-1])])
    for x in range(found.left.shape[1] if len(known) else 0):
        rows = np.flatnonzero(found.left[:, x])
        for y in range(found.right.shape[1] if len(rows) else 0):
            asked = rows[found.right[rows, y]]
            stems = found.texts.stems[found.a[asked], x] * len(names) + found.texts.stems[found.b[asked], y]
            may[asked] |= known[np.minimum(np.searchsorted(known, stems), len(known) - 1)] == stems
    for row in np.flatnonzero(may).tolist():
        one, other = (
            [stem for stem, is_left in zip(forms[text[row]].stems, left[row].tolist(), strict=False) if is_left]
            for text, left in ((found.a, found.left), (found.b, found.right))
        )
        usual = replacements(one, other, words.replaced)
        count[row], least[row] = len(usual), min(usual)
    return count, least


def replacements(one: Sequence[str], other: Sequence[str], usual: Mapping[str, float]) -> list[float]:
    """How usual each is of the words of one side that stand for one of the other; each word once, the most usual first.

    `usual`: as Words.replaced.
    """
    known = [
        (found, x, y)
        for x, left in enumerate(one)
        for y, right in enumerate(other)
        if (found := usual.get(f"{left} {right}" if left <= right else f"{right} {left}")) is not None
    ]
    if len(known) < 2:
        return [found for found, _, _ in known]
    told: list[float] = []
    left_done, right_done = set[int](), set[int]()
    for found, x, y in sorted(known, key=lambda row: (-row[0], row[1:])):
        if x not in left_done and y not in right_done:
            told.append(found)
            left_done.add(x)
            right_done.add(y)
    return told


def _of_texts(texts: _Texts, a: Rows, b: Rows) -> npt.NDArray[Any]:
    """(pairs, 8)"""
    initials, prefix = np.zeros(len(a), dtype=bool), np.zeros(len(a), dtype=bool)
    shorter, most = np.minimum(texts.letters[a], texts.letters[b]), np.maximum(texts.initials[a], texts.initials[b])
    for row in np.flatnonzero((shorter > 1) & (shorter <= most)).tolist():
        initials[row] = initials_side(texts.forms[a[row]], texts.forms[b[row]]) is not None
    for row in np.flatnonzero(texts.unprefixed[a] | texts.unprefixed[b]).tolist():
        one, other = texts.forms[a[row]], texts.forms[b[row]]
        prefix[row] = not (one.unprefixed.isdisjoint(other.words) and other.unprefixed.isdisjoint(one.words))
    numbers = texts.numbers[a], texts.numbers[b]
    return np.column_stack(
        [
            np.minimum(texts.phrase[a], texts.phrase[b]),
            np.maximum(texts.phrase[a], texts.phrase[b]),
            (numbers[0] > 0) & (numbers[1] > 0) & (numbers[0] != numbers[1]),
            (numbers[0] > 0) != (numbers[1] > 0),
            initials,
            prefix,
            *_of_shared_stems(texts, a, b),
        ]
    )


def _of_shared_stems(texts: _Texts, a: Rows, b: Rows) -> tuple[Bools, Rows]:
    """((pairs,) whether stems that both have stand in another order, (pairs,) how many words are a person in one)."""
    most = texts.stems.shape[1]
    in_a, in_b = np.zeros((len(a), most), dtype=bool), np.zeros((len(a), most), dtype=bool)
    agents = np.zeros(len(a), dtype=np.int64)
    for x in range(most):
        rows = np.flatnonzero(texts.stems[a, x] >= 0)
        for y in range(most if len(rows) else 0):
            same = rows[texts.stems[a[rows], x] == texts.stems[b[rows], y]]
            in_a[same, x] = in_b[same, y] = True
            agents[same] += texts.agents[a[same], x] != texts.agents[b[same], y]
    order = np.zeros(len(a), dtype=bool)
    for row in np.flatnonzero(np.maximum(in_a.sum(axis=1), in_b.sum(axis=1)) > 1).tolist():
        one, other = texts.stems[a[row]][in_a[row]], texts.stems[b[row]][in_b[row]]
        order[row] = not np.array_equal(one, other)
    return order, agents
