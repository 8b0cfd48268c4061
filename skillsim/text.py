"""Skill fields to clean mentions: split a field, clean a string, key it, reject what is no skill text.

The same `clean` makes the keys of mentions and of taxonomy labels, so a rule that rewrites both sides keeps
their exact matches. Rules therefore only have to be consistent, not linguistically perfect; what they must
never do is make two different skills equal or cut a name apart. Pure functions on str, no Spark.

Here are `clean` and what keeps or rejects a mention; the other steps have a file each: `text_splitting`,
`text_repair`, `text_levels`. Their public names are imported from here.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from skillsim.text_levels import HINT, take_level
from skillsim.text_repair import repair
from skillsim.text_rules import RULES
from skillsim.text_splitting import BULLETS, LIST_RULE, TEXT_SEPARATORS, Piece, split_field

__all__ = [
    "LIST_RULE",
    "TEXT_RULES_VERSION",
    "TEXT_SEPARATORS",
    "Cleaned",
    "Mention",
    "Piece",
    "clean",
    "parse_field",
    "parse_mention",
    "repair",
    "split_field",
    "text_key",
]

TEXT_RULES_VERSION: int = 3  # raise on any change of behaviour: records are cleaned again


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What `clean` finds in a string."""

    text: str  # cleaned and case-folded; "" when nothing is left
    proficiency: str | None  # "expert", "basic", "native", "C1", "8/10", ...
    years: float | None  # of experience; the lower end of a range


@dataclass(frozen=True, slots=True)
class Mention:
    """One skill as written, with its cleaned text, or the reason why it has none."""

    raw: str
    text: str | None
    text_key: str | None
    proficiency: str | None
    years: float | None
    reason: str | None  # None when kept, else "empty", "number", "too_long", "email", ... (see _reason)


# --- clean ---

_FOLD_CHARS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´ʼʹ", "'"),  # before NFKC, which makes "´" a space and an accent
        **dict.fromkeys("“”„‟″«»〝〞", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("™®©℠", ""),  # NFKC would write "photoshoptm"
        **dict.fromkeys(BULLETS, " "),
        "♯": "#",
        "İ": "i",  # casefold would leave a second dot
        "⁄": "/",
        "_": " ",
    }
)
_DIGIT_FRACTION = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")  # "1½" is not "11/2"
_PLAIN = re.compile(r"[a-z0-9 ]*")
_TAG = re.compile(r"</?(?:a|b|br|em|font|i|li|ol|p|span|strong|td|tr|u|ul)(?:\s[^<>]*)?/?>")
_NUMBERED = re.compile(r"\s*(?:\(?(?:\d{1,2}|[a-z])\)|\d{1,2}\.)\s+(?=[^\s\d])")
_INNER_QUOTE = re.compile(r'(?<!\d)"')  # 17" stays
_SLASH = re.compile(r"\s*/\s*")
_TIGHT_AMPERSAND = re.compile(
    r"(?<![^\s(])([^\W\d]) ?& ?([^\W\d]{1,2})(?!\w)|(?<![^\s(])([^\W\d]{2}) ?& ?([^\W\d])(?!\w)"
)
_WORD_AMPERSAND = re.compile(r"\s+&\s+|(?<=\w\w\w)\s*&\s*(?=\w\w\w)")
_SPACED_PLUS = re.compile(r"\b([cfgj]|notepad) ?\+ ?\+(?![\w+])")
_SPACED_NAME = re.compile(r"\b(asp|vb|ado|odp|node) ?\. ?(net|js)\b")
_SPACED_SIGN = re.compile(  # c #, and certifications with a plus
    r"\b(?:([cfj]) (#)|(a|security|network|server|linux|cloud|project|pentest|cysa) (\+))(?![\w+])"
)
# Hyphens that a tokeniser took apart: "t - sql", "e - commerce"; but "c - programming" is none.
_PREFIX = r"co|pre|non|anti|semi|self|sub|multi|micro|electro|cross|front|back|full|wi|jax"
_SPACED_HYPHEN = re.compile(
    rf"(?<!\S)([abd-qs-z]|{_PREFIX}) - (?=\w)|(?<=\w) - (?=[abd-z](?!\S))|(?<=objective) - (?=c(?!\S))"
)
_BRACKET_SPACE = re.compile(r"(?<=[(\[]) | (?=[)\],;])")
_BEFORE = re.compile(
    r"(?:[\s!\"#$%&'*+,\-/:;<=>?\\^{|}~)\]]+|\.+(?!(?:net|htaccess)\b)|@+(?!\w)"
    r"|(?:key |technical )?skills? ?:)+"
)
_AFTER = re.compile(
    r"(?:[\s!\"$&'(,\-./:;<=>?@\[\\^{|}~]|(?<!(?<!\w)[ad])\*"  # a* and d* are algorithms
    r"|(?<![\w+#])[+#%]|(?<=[^\W\d]{3})#|(?<=[ ,;.])etc|(?<= )and)+$"
)
_LONGEST_TAIL = 100  # characters of it at a time: the search takes the square of them, and `clean` repeats it


def clean(raw: str) -> Cleaned:
    """The text under which spellings of one skill meet, and what the field said about its level.

    Repaired, NFKC, case-folded; underscores, bullets, quotes, list numbers, edge punctuation and "etc." gone;
    "/" without spaces; " & " between words is " and " ("r&d" stays). The steps are repeated until they change
    nothing, which makes `clean` idempotent on its text; one that 50 rounds do not settle is emptied.
    """
    proficiency: str | None = None
    years: float | None = None
    text = _fold(repair(raw))
    for _ in range(50):
        if _PLAIN.fullmatch(text) and not HINT.search(text):
            return Cleaned(" ".join(text.split()), proficiency, years)
        before = text
        text = _tidy(_fold(repair(text)))
        if HINT.search(text):
            text, level, spent = take_level(text)
            proficiency, years = proficiency or level, spent if years is None else years
        if text == before:
            break
    else:
        text = ""  # no name takes so many steps, and half cleaned it would have a second key
    return Cleaned(text, proficiency, years)


def _fold(text: str) -> str:
    """Case and the variants of one character made equal; "_" and bullets are spaces."""
    if text.isascii():
        return text.replace("_", " ").replace("`", "'").casefold()
    text = unicodedata.normalize("NFKC", _DIGIT_FRACTION.sub(" ", text).translate(_FOLD_CHARS))
    # folding may leave the normal form ("ǰ"), and NFKC makes new signs of full-width ones
    return unicodedata.normalize("NFKC", text.casefold()).translate(_FOLD_CHARS)


def _tidy(text: str) -> str:
    """Punctuation of the field away, punctuation of the name kept (c++, c#, .net, @risk, (isc)2, t-sql)."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    if '"' in text:
        text = _INNER_QUOTE.sub(" ", text)
    if match := _NUMBERED.match(text):
        text = text[match.end() :]
    text = _balance(text)
    if "/" in text:
        text = _SLASH.sub("/", text)
    if "&" in text:
        text = text[match.end() :] if (match := _BEFORE.match(text)) else text  # a first "&" is no "and"
        text = _TIGHT_AMPERSAND.sub(r"\1\3&\2\4", text)
        text = _WORD_AMPERSAND.sub(" and ", text)
    if " - " in text:
        text = _SPACED_HYPHEN.sub(r"\1-", text)
    if "+" in text:
        text = _SPACED_PLUS.sub(r"\1++", text)
    text = _SPACED_SIGN.sub(r"\1\2\3\4", _SPACED_NAME.sub(r"\1.\2", text))
    text = _BRACKET_SPACE.sub("", " ".join(text.split()))
    start = match.end() if (match := _BEFORE.match(text)) else 0
    tail = max(start, len(text) - _LONGEST_TAIL)
    end = match.start() if (match := _AFTER.search(text, tail)) else len(text)
    if not text.isascii():  # not \W, which would cut the vowel signs off Hindi and Thai words
        while start < end and text[start] > "\x7f" and unicodedata.category(text[start])[0] in "PSZCM":
            start += 1
        while start < end and text[end - 1] > "\x7f" and unicodedata.category(text[end - 1])[0] in "PSZC":
            end -= 1
    return text[start:end]


def _balance(text: str) -> str:
    """Spaces for brackets without a partner ("engineer (java"), empty pairs and a pair around the whole text."""
    if not any(char in text for char in "()[]"):
        return text
    chars, opened = list(text), []
    partner: dict[int, int] = {}
    kept = 0  # characters so far that stay and are no space
    for i, char in enumerate(text):
        if char in "([":
            opened.append((i, kept))
            chars[i] = " "  # until its partner is seen
        elif char in ")]":
            chars[i] = " "
            if opened and text[opened[-1][0]] == ("(" if char == ")" else "["):
                first, before = opened.pop()
                if kept > before:
                    chars[first], chars[i], partner[first] = text[first], char, i
                    kept += 2
        elif not char.isspace():
            kept += 1
    start, end = 0, len(chars) - 1
    while start < end and (chars[start] == " " or chars[end] == " " or partner.get(start) == end):
        if partner.get(start) == end:
            chars[start] = chars[end] = " "
        start, end = start + (chars[start] == " "), end - (chars[end] == " ")
    return "".join(chars)


# --- keep or reject ---

_LONGEST = 2_000
_NOTHING = frozenset(RULES["nothing"])
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_URL = re.compile(
    r"(?:https?|ftp)://|(?:^|[\s(])www\.|^[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|io|co|in|eu|uk|de)/\S+$"
)
_PHONE = re.compile(r"(?:tel|phone|mobile|mob|cell|ph)?[\s.:]*[\d\s().+/-]+")


def text_key(text: str) -> str:
    """First 32 hex digits of SHA-256 over the cleaned text: the same from Spark SQL's `sha2`."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def parse_mention(raw: str, max_length: int = 100) -> Mention:
    """Clean one mention and keep it, or say why it is rejected (text and key are then None).

    A string far too long to be a mention is not even cleaned: a page of text in a cell must not stall a job.
    """
    if len(raw) > max(_LONGEST, 4 * max_length):
        return Mention(raw, None, None, None, None, "too_long")
    return _parse_mention(raw, max_length)


@lru_cache(maxsize=65_536)  # about 40 MB when full; fields are Zipf-distributed
def _parse_mention(raw: str, max_length: int) -> Mention:
    cleaned = clean(raw)
    reason = _reason(cleaned.text, raw, max_length)
    if reason is not None:
        return Mention(raw, None, None, cleaned.proficiency, cleaned.years, reason)
    return Mention(raw, cleaned.text, text_key(cleaned.text), cleaned.proficiency, cleaned.years, None)


def _reason(text: str, raw: str, max_length: int) -> str | None:
    """Why a cleaned text is no skill, or None. Personal data first: it is counted whatever its length."""
    if not text:
        return "no_letter" if any(unicodedata.category(char) == "So" for char in raw) else "empty"
    if text in _NOTHING:
        return "empty"
    if "@" in text and _EMAIL.search(text):
        return "email"
    if "." in text and _URL.search(text):
        return "url"
    if sum(map(str.isdigit, text)) >= 9 and _PHONE.fullmatch(text):
        return "phone"
    if not any(map(str.isalpha, text)):
        return "number" if any(map(str.isnumeric, text)) else "no_letter"
    return "too_long" if len(text) > max_length else None


def parse_field(field: str, separators: Sequence[str] = TEXT_SEPARATORS, max_length: int = 100) -> list[Mention]:
    """Every mention of a field, the rejected ones too."""
    return [parse_mention(piece.raw, max_length) for piece in split_field(field, separators)]
