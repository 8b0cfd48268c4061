"""What pairs of texts look like: the features that skillsim.variants decides by. No Spark."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from skillsim.pairing import Form, form, in_order, initials_side, opposites
from skillsim.pairings import Pairings, Rows, Texts

Floats = npt.NDArray[np.float32]
Columns = dict[str, npt.NDArray[Any]]

_NO_TYPO = 30.0  # letters: more than most words with one
_UNSEEN = -3.0  # weight of a word that no fitted pair left over
_NOTHING = 9.0  # weight where no word is left over, or replaced
_PHRASE = 1.0  # log-odds of both
_FEW_WORDS, _AT_ONCE = 8, 1_024  # of a text; pairs of longer ones

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
    "opposites",
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
    that a text which begins with a word, not its stem ("manage" and "manager" tell), is a label of a taxonomy.
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
    found = np.empty((len(left), len(FEATURES)), dtype=np.float32)
    for rows in _alike_in_width(left, right):
        number: dict[str, int] = {}
        a, b = (
            np.array([number.setdefault(side[row], len(number)) for row in rows.tolist()], dtype=np.int64)
            for side in (left, right)
        )
        texts = Texts([form(text) for text in number])
        told = {"cosine": cosine[rows]} | _of_letters(texts, a, b) | _of_words(texts, a, b, words)
        told |= _of_texts(texts, a, b, words)
        found[rows] = np.column_stack([told[name] for name in FEATURES])
    return found


def are_phrases(rows: Floats) -> npt.NDArray[np.bool_]:
    """(pairs,): whether two texts are phrases as a taxonomy's labels are ("use oil paints"), by rows of features.

    By how both begin, as naive Bayes would say, and both have two words at least, one of them three.
    """
    told = dict(zip(FEATURES, rows.T, strict=True))
    long = (told["words of the shorter"] >= 2) & (told["words of the longer"] >= 3)
    return np.asarray(long & (told["phrase, the less"] + told["phrase, the more"] > _PHRASE))


def _alike_in_width(left: Sequence[str], right: Sequence[str]) -> Iterator[Rows]:
    """Rows of the pairs of texts of few words, then of some of the others at a time, as arrays are as wide as the
    longest text."""
    widest = (max(len(form(a).stems), len(form(b).stems)) for a, b in zip(left, right, strict=True))
    is_wide = np.fromiter(widest, dtype=np.int64, count=len(left)) > _FEW_WORDS
    if not is_wide.all():
        yield np.flatnonzero(~is_wide)
    wide = np.flatnonzero(is_wide)
    for start in range(0, len(wide), _AT_ONCE):
        yield wide[start : start + _AT_ONCE]


def _of_letters(texts: Texts, a: Rows, b: Rows) -> Columns:
    swap = texts.letters[a] > texts.letters[b]
    shorter, longer = np.where(swap, b, a), np.where(swap, a, b)
    short, long = ([texts.forms[row].compact for row in rows.tolist()] for rows in (shorter, longer))
    both = list(zip(short, long, strict=True))
    more = texts.letters[longer] - texts.letters[shorter]
    return {
        "same letters": np.array([one == other for one, other in both], dtype=bool),
        "edit similarity": 1 - cpdist(short, long, scorer=OSA.distance) / np.maximum(texts.letters[longer], 1),
        "jaro-winkler": cpdist(short, long, scorer=JaroWinkler.similarity, dtype=np.float64),
        "letters of the shorter": texts.letters[shorter],
        "letters one adds at its end": np.where([other.startswith(one) for one, other in both], more, 0),
    }


def _of_words(texts: Texts, a: Rows, b: Rows, words: Words) -> Columns:
    found = Pairings(texts, a, b)
    one, other = found.left.sum(axis=1), found.right.sum(axis=1)
    fewer, of_both = np.minimum(one, other), (one > 0) & (other > 0)
    lone, both = (
        np.array([words.left_over.get(f"{sides} {stem}", _UNSEEN) for stem in texts.stem_vocabulary.names])
        for sides in (1, 2)
    )
    weight = found.least_left(lone, both, _NOTHING)
    replaced, usual = _replaced(found, words)
    return {
        "words of the shorter": np.minimum(texts.count[a], texts.count[b]),
        "words of the longer": np.maximum(texts.count[a], texts.count[b]),
        "words paired": np.minimum(texts.count[a] - one, texts.count[b] - other),
        "typos": found.typos,
        "letters of the shortest with a typo": np.where(found.typos > 0, found.least_typo, _NO_TYPO),
        "short forms": found.short_forms,
        "left over, the fewer": fewer,
        "left over, the more": np.maximum(one, other),
        "left over, share of letters": found.letters_left() / np.maximum(texts.letters[a] + texts.letters[b], 1),
        "left over on one side, weight": np.where(of_both, _NOTHING, weight),
        "left over on both sides, weight": np.where(of_both, weight, _NOTHING),
        "not replaced, the fewer": fewer - replaced,
        "not replaced, of both": one + other - 2 * replaced,
        "replaced, the least usual": usual,
        "opposites": _either_side(found, opposites()),
    }


def _either_side(found: Pairings, pairs: Iterable[str]) -> npt.NDArray[np.bool_]:
    """(pairs,): whether one of the words of some "one other" is left over on one side, and the other on the other."""
    has = np.zeros(len(found.a), dtype=bool)
    number = {name: row for row, name in enumerate(found.texts.stem_vocabulary.names)}
    both = [(number[x], number[y]) for x, y in map(str.split, pairs) if x in number and y in number]
    known = np.unique([x * len(number) + y for one in both for x, y in (one, one[::-1])])
    for rows, x, y in found.both_left() if len(known) else ():
        stems = found.texts.stems[found.a[rows], x] * len(number) + found.texts.stems[found.b[rows], y]
        has[rows] |= known[np.minimum(np.searchsorted(known, stems), len(known) - 1)] == stems
    return has


def _replaced(found: Pairings, words: Words) -> tuple[Rows, npt.NDArray[np.float64]]:
    """(pairs,): how many words left over are replaced, and how usual the least usual of these is."""
    count, least = np.zeros(len(found.a), dtype=np.int64), np.full(len(found.a), _NOTHING)
    forms = found.texts.forms
    for row in np.flatnonzero(_either_side(found, words.replaced)).tolist():
        one, other = (
            [stem for stem, is_left in zip(forms[text[row]].stems, left[row].tolist(), strict=False) if is_left]
            for text, left in ((found.a, found.left), (found.b, found.right))
        )
        usual = replacements(one, other, words.replaced)
        count[row], least[row] = len(usual), min(usual, default=_NOTHING)
    return count, least


def replacements(one: Sequence[str], other: Sequence[str], usual: Mapping[str, float]) -> list[float]:
    """How usual each is of the words of one side that stand for one of the other; each word once, the most usual first.

    `usual`: as Words.replaced.
    """
    known = [
        (found, x, y)
        for x, left in enumerate(one)
        for y, right in enumerate(other)
        if (found := usual.get(in_order(left, right))) is not None
    ]
    told: list[float] = []
    left_done, right_done = set[int](), set[int]()
    for found, x, y in sorted(known, key=lambda row: (-row[0], row[1:])):
        if x not in left_done and y not in right_done:
            told.append(found)
            left_done.add(x)
            right_done.add(y)
    return told


def _of_texts(texts: Texts, a: Rows, b: Rows, words: Words) -> Columns:
    forms = texts.forms
    first = np.array([words.first.get(one.words[0], 0.0) if one.words else 0.0 for one in forms])
    most = np.array([max(map(len, one.initials), default=0) for one in forms], dtype=np.int64)
    shorter = np.minimum(texts.letters[a], texts.letters[b])
    may = (shorter > 1) & (shorter <= np.maximum(most[a], most[b]))
    initials = [of and initials_side(forms[x], forms[y]) is not None for of, x, y in zip(may, a, b, strict=True)]
    cut = np.array([bool(one.unprefixed) for one in forms], dtype=bool)
    prefix = [of and _differ_in_prefix(forms[x], forms[y]) for of, x, y in zip(cut[a] | cut[b], a, b, strict=True)]
    number: dict[frozenset[str], int] = {frozenset(): 0}
    numbers = np.array([number.setdefault(one.numbers, len(number)) for one in forms], dtype=np.int64)
    one, other = numbers[a], numbers[b]
    order, agents = _of_shared_stems(texts, a, b)
    return {
        "phrase, the less": np.minimum(first[a], first[b]),
        "phrase, the more": np.maximum(first[a], first[b]),
        "numbers differ": (one > 0) & (other > 0) & (one != other),
        "number on one side": (one > 0) != (other > 0),
        "initials": np.array(initials, dtype=bool),
        "prefix": np.array(prefix, dtype=bool),
        "order differs": order,
        "person or deed": agents,
    }


def _differ_in_prefix(one: Form, other: Form) -> bool:
    """Whether one has a word of the other with a prefix that turns its meaning."""
    return not (one.unprefixed.isdisjoint(other.words) and other.unprefixed.isdisjoint(one.words))


def _of_shared_stems(texts: Texts, a: Rows, b: Rows) -> tuple[npt.NDArray[np.bool_], Rows]:
    """((pairs,) whether stems that both have stand in another order, (pairs,) how many words are a person in one)."""
    width = texts.stems.shape[1]
    in_a, in_b = np.zeros((len(a), width), dtype=bool), np.zeros((len(a), width), dtype=bool)
    order, agents = np.zeros(len(a), dtype=bool), np.zeros(len(a), dtype=np.int64)
    for x in range(width):
        rows = np.flatnonzero(texts.is_word[a, x])
        for y in range(width if len(rows) else 0):
            same = rows[texts.stems[a[rows], x] == texts.stems[b[rows], y]]
            in_a[same, x] = in_b[same, y] = True
            agents[same] += texts.agents[a[same], x] != texts.agents[b[same], y]
    for row in np.flatnonzero(np.maximum(in_a.sum(axis=1), in_b.sum(axis=1)) > 1).tolist():
        one, other = texts.stems[a[row]][in_a[row]], texts.stems[b[row]][in_b[row]]
        order[row] = not np.array_equal(one, other)
    return order, agents
