"""Texts changed as people change them, which stay one skill, and as skills differ, which do not.

What real pairs are few of: spellings of one name, and names that differ in a word, a number or a prefix alone.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from skillsim.sample import typo
from skillsim.text import parse_mention
from training.noise import abbreviation, acronym

Change = Callable[[Random, str], str]

_DEEDS = {
    "administration": "administering",
    "analysis": "analysing",
    "development": "developing",
    "installation": "installing",
    "maintenance": "maintaining",
    "management": "managing",
    "operation": "operating",
    "preparation": "preparing",
}
_ENDINGS = {
    "planning": "plan",
    "programming": "programs",
    "reporting": "reports",
    "scripting": "scripts",
    "testing": "test",
    "training": "train",
}
_SPELLINGS = (
    (re.compile(r"(?<=\w)isation\b"), "ization"),
    (re.compile(r"(?<=\w)ys(?=e|ing)"), "yz"),
    (re.compile(r"(?<=\w)lling\b"), "ling"),
    (re.compile(r"\b(behavi|col|fav|harb|hon|lab|neighb)our"), r"\1or"),
    (re.compile(r"(?<=\w)ogue\b"), "og"),
    (re.compile(r"\bcentre\b"), "center"),
)
_PHRASES = ("{} skills", "{} skill", "{} experience", "{} knowledge", "basic {}", "good {} skills", "{} abilities")
_PREFIXES = ("anti", "de", "in", "inter", "micro", "multi", "non", "post", "pre", "re", "sub", "un")
_SHORTEST = 5  # letters of a word that has a plural: "aws" and "ios" have none
_LONG = 7  # letters of a word that stays legible with a slip


def slip(rng: Random, text: str) -> str:
    """A typo in a long word."""
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) >= _LONG and word.isalpha()]
    if long:
        place = rng.choice(long)
        words[place] = typo(rng, words[place])
    return " ".join(words)


def run_together(rng: Random, text: str) -> str:
    return _joined(rng, text.replace("-", " "), "")


def hyphenated(rng: Random, text: str) -> str:
    return _joined(rng, text, rng.choice("-/"))


def _joined(rng: Random, text: str, by: str) -> str:
    words = text.split()
    if len(words) < 2:
        return text
    place = rng.randrange(len(words) - 1)
    return " ".join([*words[:place], words[place] + by + words[place + 1], *words[place + 2 :]])


def split(rng: Random, text: str) -> str:
    """A space in a long word."""
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) > _LONG and word.isalpha()]
    if long:
        place = rng.choice(long)
        cut = rng.randrange(3, len(words[place]) - 2)
        words[place] = f"{words[place][:cut]} {words[place][cut:]}"
    return " ".join(words)


def turned(rng: Random, text: str) -> str:
    """Two words the other way round."""
    words = text.split()
    return rng.choice(("{1} of {0}", "{1} {0}", "{1} in {0}")).format(*words) if len(words) == 2 else text


def plural(rng: Random, text: str) -> str:
    """Or singular."""
    word = text.rsplit(maxsplit=1)[-1] if text.split() else ""
    if len(word) < _SHORTEST or not word.isalpha() or word.endswith("ss"):
        return text
    return text[:-1] if text.endswith("s") else f"{text}s"


def as_deed(rng: Random, text: str) -> str:
    """ "yard management": "managing yard"; "smoke testing": "smoke test"."""
    words = text.split()
    if len(words) == 2 and words[1] in _DEEDS:
        return f"{_DEEDS[words[1]]} {words[0]}"
    return " ".join(_ENDINGS.get(word, word) for word in words)


def respelled(rng: Random, text: str) -> str:
    """American for British."""
    for british, american in _SPELLINGS:
        text = british.sub(american, text)
    return text


def in_a_phrase(rng: Random, text: str) -> str:
    return rng.choice(_PHRASES).format(text)


def short(rng: Random, text: str) -> str:
    return abbreviation(rng, text).rstrip(".")


KEEPS: tuple[Change, ...] = (
    typo,
    slip,
    run_together,
    hyphenated,
    split,
    turned,
    plural,
    as_deed,
    respelled,
    in_a_phrase,
    short,
    acronym,
)
_TRIED = 4  # of them on each text; many leave it as it is


def made_pairs(texts: Sequence[str], seed: str) -> list[tuple[str, str, bool]]:
    """(text, what became of it, whether it is still that skill). `texts`: of skills, cleaned, in any order."""
    rng, ordered = Random(seed), sorted(texts)
    several = [text.split() for text in ordered if " " in text]
    ends = {0: [words[0] for words in several], -1: [words[-1] for words in several]}
    pairs = []
    for text in ordered:
        pairs += [(text, change(rng, text), True) for change in rng.sample(KEEPS, _TRIED)]
        pairs += [(*pair, False) for pair in _others(rng, text, ends)]
    cleaned = [(a, parse_mention(b).text or a, same) for a, b, same in pairs]
    return [(a, b, same) for a, b, same in cleaned if a != b]


def _others(rng: Random, text: str, ends: dict[int, list[str]]) -> list[tuple[str, str]]:
    """Other skills than the text: one of its words replaced or prefixed, a word more, another number."""
    words, found = text.split(), []
    if ends[0]:
        found.append((text, f"{rng.choice(ends[0])} {text}"))
        if len(words) > 1:
            place = rng.choice((0, -1))
            kept = words[1:] if place == 0 else words[:-1]
            new = [rng.choice(ends[place])]
            found.append((text, " ".join(new + kept if place == 0 else kept + new)))
    place = rng.randrange(len(words))
    if rng.random() < 0.3 and words[place].isalpha() and len(words[place]) > 3:
        prefixed = rng.choice(_PREFIXES) + words[place]
        found.append((text, " ".join([*words[:place], prefixed, *words[place + 1 :]])))
    if re.search(r"\d", text):
        found.append((text, re.sub(r"\d+", lambda number: str(int(number[0]) + rng.randrange(1, 5)), text)))
    elif rng.random() < 0.2:
        one, other = rng.sample(range(1, 13), 2)
        found.append((f"{text} {one}", f"{text} {other}"))
    return found
