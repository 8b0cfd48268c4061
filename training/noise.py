"""Labels as real skill fields spell them, by kind of noise.

The kinds that the sample's records have (skillsim.sample), and two that only labels of several words can take. A kind
that cannot act on a text returns it as it is.
"""

from collections.abc import Callable
from random import Random

from skillsim.sample import listed, truncate, typo

Noise = Callable[[Random, str], str]

_LITTLE = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])


def proficiency(rng: Random, text: str) -> str:
    """With a level or years, as people add them."""
    return listed(rng, rng.choice(("levels", "years"))).format(text, n=rng.randrange(2, 9))


def casing(rng: Random, text: str) -> str:
    return rng.choice((text.upper(), text.title()))


def separators(rng: Random, text: str) -> str:
    """Words joined by something else than a space, or by nothing, as after a lost hyphen."""
    words = text.split()
    if len(words) == 2 and rng.random() < 0.2:
        return "".join(words)
    return rng.choice(("_", "-", ".", "/")).join(words)


def abbreviation(rng: Random, text: str) -> str:
    """One long word cut to its first three to five letters."""
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) > 7 and word.isalpha()]
    if len(words) < 2 or not long:
        return text
    place = rng.choice(long)
    words[place] = words[place][: rng.randrange(3, 6)] + rng.choice(("", "."))
    return " ".join(words)


def acronym(rng: Random, text: str) -> str:
    """First letters of three words or more, little ones left out."""
    letters = [word[0] for word in text.split() if word not in _LITTLE and word[0].isalpha()]
    return "".join(letters) if len(letters) > 2 else text


KINDS: dict[str, Noise] = {
    "typo": typo,
    "truncation": truncate,
    "casing": casing,
    "separators": separators,
    "proficiency": proficiency,
    "abbreviation": abbreviation,
    "acronym": acronym,
}
# How often each is drawn: acronyms of labels say little of the label, so that few are enough.
_DRAWN = (
    ["typo"] * 6 + ["truncation"] * 3 + ["casing"] + ["separators"] * 3 + ["proficiency"] * 3 + ["abbreviation"] * 3
)
_DRAWN += ["acronym"]


def noisy(rng: Random, text: str, share: float = 1.0) -> str:
    """The text with one kind of noise, in `share` of the calls."""
    return KINDS[rng.choice(_DRAWN)](rng, text) if rng.random() < share else text
