"""The word lists of the text rules: data/text_rules.toml as a dictionary."""

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files

RULES = tomllib.loads((files("skillsim") / "data" / "text_rules.toml").read_text(encoding="utf-8"))


def any_of(words: Iterable[str]) -> str:
    """A pattern that matches any of the words, the longest that fits."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
