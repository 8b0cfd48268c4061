"""Skill fields to clean mentions: split a field, clean a string, key it, reject what is no skill text.

The same `clean` makes the keys of mentions and of taxonomy labels, so a rule that rewrites both sides keeps
their exact matches. Rules therefore only have to be consistent, not linguistically perfect; what they must
never do is make two different skills equal or cut a name apart. Pure functions on str, no Spark.
"""

import hashlib
import html
import re
import tomllib
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html.entities import html5
from importlib.resources import files

import ftfy

TEXT_RULES_VERSION: int = 1  # raise on any change of behaviour: records are cleaned again

LIST_RULE = "<list>"
"""A separator that is a rule, usable in the config's `separators` like any literal one.

In an enumeration cut by commas, the words "and", "or" and the sign "&" also cut its last item, and "/" cuts
any item of a field that holds several: "Word, Excel and PowerPoint" gives three, "planning and scheduling"
alone stays one. `_list_cuts` has the conditions. A literal "and" cuts everywhere outside protected names.
"""

_BULLETS = (
    "•‣⁃∙▪▫■□●○◦◆◇❖➢➤►▶✓✔★☆\uf0b7\uf0a7\uf0d8\uf0fc"  # the last four: Wingdings bullets of word processors
)
_LIST_COMMAS = (",", "，", "、", "،")

TEXT_SEPARATORS: tuple[str, ...] = (
    *_LIST_COMMAS,
    *(";", "；", "؛", "|", "｜", "\r\n", "\n", "\r", "\t"),
    *_BULLETS,
    *(" · ", " * "),  # bullets only between spaces: "col·lecció", "pro*c"
    LIST_RULE,
)
"""For a text column that holds several skills in a field."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a field: `field[start:end] == raw`, without white space around it."""

    start: int
    end: int
    raw: str


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


_RULES = tomllib.loads((files("skillsim") / "data" / "text_rules.toml").read_text(encoding="utf-8"))
_NOTHING = frozenset(_RULES["nothing"])
_LEVELS: dict[str, str] = _RULES["levels"]
_NOT_LEVELS = frozenset((word, level) for word, level in _RULES["names"]["not_levels"])


def _any_of(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


# --- repair -----------------------------------------------------------------------------------------------

# Five names are also read with a space before their semicolon or without one ("&quot ; bpo", "R&amp D"): seen
# in scraped data. All others need the semicolon at once, so that "R&D; copy" and "&copywriting" stay.
_COMMON_ENTITY = r"(?:amp|quot|apos|nbsp|#39)"
_ENTITY = re.compile(
    rf"&{_COMMON_ENTITY}(?: ?;|(?![\w;]))|&(?:#\d{{1,7}}|#x[\da-f]{{1,6}}|[a-z][a-z\d]{{1,23}});",
    re.IGNORECASE,
)
_FTFY = ftfy.TextFixerConfig(unescape_html=False, uncurl_quotes=False, normalization="NFC", explain=False)
# UTF-8 punctuation read as Mac Roman and then as Latin-1 by a scraper, beyond ftfy ("won\x89Ûªt").
_MAC_MOJIBAKE = re.compile(r"\x89[Ûû]([ªÒòÓóÏï÷])|[Åå][Êê]")
_MAC_CHARS = {"ª": "'", "Ò": "-", "ò": "-", "Ó": "-", "ó": "-", "Ï": '"', "ï": '"', "÷": "'"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Without a glyph though no category says so; and the mark of lossy decoding, whose letter is lost for good.
_NO_GLYPH = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffd]")


def _unescape(match: re.Match[str]) -> str:
    name = match[0].rstrip("; ")[1:]
    if name.startswith("#"):
        return html.unescape(f"&{name};")
    return html5.get(f"{name};") or html5.get(f"{name.lower()};") or match[0]


def _visible(char: str) -> str:
    """White space and private glyphs (icon fonts) are spaces; control, format, unassigned characters go."""
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    return " " if category == "Co" else "" if category in ("Cc", "Cf", "Cn", "Cs") else char


def repair(raw: str) -> str:
    """The string as its writer saw it: entities, mojibake, invisible characters and white space put right.

    Casing and punctuation stay, so it also gives the display form of taxonomy labels. Unicode form is NFC,
    which leaves "H₂O" and "PM²" readable; `clean` goes on to NFKC, where spellings have to meet.
    """
    text = raw
    for _ in range(8):  # double-escaped entities and double mojibake come off layer by layer
        before = text
        if "&" in text:
            text = _ENTITY.sub(_unescape, text)
        if not text.isascii():
            if _SURROGATE.search(text):  # joins pairs; a lone one becomes U+FFFD, dropped below
                text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            text = _MAC_MOJIBAKE.sub(lambda match: _MAC_CHARS.get(match[1], " "), text)
            text = _NO_GLYPH.sub("", ftfy.fix_text(text, _FTFY))
        if not (text.isascii() and text.isprintable()):
            text = unicodedata.normalize("NFC", "".join(map(_visible, text)))
        text = " ".join(text.split())
        if text == before:
            break
    return text


# --- clean ------------------------------------------------------------------------------------------------

_FOLD_CHARS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´ʼʹ", "'"),  # before NFKC, which makes "´" a space and an accent
        **dict.fromkeys("“”„‟″«»〝〞", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("™®©℠", ""),  # NFKC would write "photoshoptm"
        **dict.fromkeys(_BULLETS, " "),
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
_SPACED_NAME = re.compile(r"\b(asp|vb|ado|odp|node) ?\. ?(net|js)\b")
# The plus: certifications.
_SPACED_SIGN = re.compile(
    r"\b(?:([cfj]) (\+\+|#)|(a|security|network|server|linux|cloud|project|pentest|cysa) (\+))(?![\w+])"
)
# Hyphens that a tokeniser took apart: "t - sql", "e - commerce"; but "c - programming" is none.
_PREFIX = r"co|pre|non|anti|semi|self|sub|multi|micro|electro|cross|front|back|full|wi|jax"
_SPACED_HYPHEN = re.compile(
    rf"(?<!\S)([abd-qs-z]|{_PREFIX}) - (?=\w)|(?<=\w) - (?=[abd-z](?!\S))|(?<=objective) - (?=c(?!\S))"
)
_BRACKET_SPACE = re.compile(r"(?<=[(\[]) | (?=[)\],;])")
_BEFORE = re.compile(
    r"(?:[\s!\"#$%&'*+,\-/:;<=>?\\^{|}~)\]]+|\.+(?!(?:net|htaccess)\b)|@+(?!\w)"
    r"|(?:key |technical )?skills? ?:|and )+"
)
_AFTER = re.compile(
    r"(?:[\s!\"$&'(*,\-./:;<=>?@\[\\^{|}~]|(?<![\w+#])[+#%]|(?<=[^\W\d]{3})#|(?<=[ ,;.])etc|(?<= )and)+$"
)


def clean(raw: str) -> Cleaned:
    """The text under which spellings of one skill meet, and what the field said about its level.

    Repaired, NFKC, case-folded; underscores, bullets, quotes, list numbers, edge punctuation and "etc." gone;
    "/" without spaces; " & " between words is " and " ("r&d" stays). The steps are repeated until they change
    nothing, which makes `clean` idempotent on its text.
    """
    proficiency: str | None = None
    years: float | None = None
    text = _fold(repair(raw))
    for _ in range(50):
        if _PLAIN.fullmatch(text) and not _HINT.search(text):
            return Cleaned(" ".join(text.split()), proficiency, years)
        before = text
        text = _tidy(_fold(repair(text)))
        if _HINT.search(text):
            text, level, spent = _take_level(text)
            proficiency, years = proficiency or level, spent if years is None else years
        if text == before:
            break
    return Cleaned(text, proficiency, years)


def _fold(text: str) -> str:
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
        text = _TIGHT_AMPERSAND.sub(lambda m: f"{m[1] or m[3]}&{m[2] or m[4]}", text)
        text = _WORD_AMPERSAND.sub(" and ", text)
    if " - " in text:
        text = _SPACED_HYPHEN.sub(lambda m: f"{m[1] or ''}-", text)
    text = _SPACED_SIGN.sub(r"\1\2\3\4", _SPACED_NAME.sub(r"\1.\2", text))
    text = _BRACKET_SPACE.sub("", " ".join(text.split()))
    start = match.end() if (match := _BEFORE.match(text)) else 0
    end = match.start() if (match := _AFTER.search(text, start)) else len(text)
    if not text.isascii():  # not \W, which would cut the vowel signs off Hindi and Thai words
        while start < end and text[start] > "\x7f" and unicodedata.category(text[start])[0] in "PSZCM":
            start += 1
        while start < end and text[end - 1] > "\x7f" and unicodedata.category(text[end - 1])[0] in "PSZC":
            end -= 1
    return text[start:end]


def _balance(text: str) -> str:
    """Brackets without a partner become spaces ("linux)", "engineer (java"), as do empty pairs and a pair
    around the whole text."""
    if not any(char in text for char in "()[]"):
        return text
    chars, opened = list(text), []
    for i, char in enumerate(text):
        if char in "([":
            opened.append(i)
        elif char in ")]" and opened and text[opened[-1]] == ("(" if char == ")" else "["):
            first = opened.pop()
            if not text[first + 1 : i].strip() or not (text[:first].strip() or text[i + 1 :].strip()):
                chars[first] = chars[i] = " "
        elif char in ")]":
            chars[i] = " "
    for i in opened:
        chars[i] = " "
    return "".join(chars)


# --- level and years of experience ------------------------------------------------------------------------

_LEVEL = rf"(?P<level>{_any_of(list(_LEVELS))})"
_NUMBER = r"\d{1,2}(?:\.\d{1,2})?"
_YEARS = (
    rf"(?P<number>{_NUMBER})\s*(?:\+|plus|or more)?(?:\s*(?:-|to)\s*{_NUMBER}\s*\+?)?"
    r"\s*(?P<unit>years?|yrs?|months?|mths?)\b\.?'?"
)
_KIND = r"(?:(?:relevant|work|working|professional|practical|hands[ -]on|industry|total|proven|strong) )*"
_EXPERIENCE = rf"(?:of )?{_KIND}(?:experience|expertise|exp\b\.?)"
_LANGUAGE = rf"(?:{_any_of(_RULES['names']['languages'])})(?: language)?"
_DEGREE = (
    r"(?:(?:very )?(?P<degree>basic|good|strong|excellent|solid|sound|deep|in[ -]depth|thorough|extensive"
    r"|advanced|expert|intermediate|working|practical|hands[ -]on|proven|fair) )"
)
# What may stand in brackets or behind a dash or colon, all of it.
_ATTRIBUTES = (
    re.compile(rf"{_LEVEL}(?: (?:level|user|knowledge|skills?|proficiency|speaker|understanding|command))?"),
    re.compile(rf"(?:level|proficiency) ?:? ?{_LEVEL}"),
    re.compile(rf"(?:min(?:imum)?\.? |at least |over )?{_YEARS}(?: {_EXPERIENCE})?"),
    re.compile(r"(?P<level>\d{1,2}/(?:5|10))"),
)
_CEFR_LEVEL = r"(?:level |niveau )?(?P<level>[abc][12]\+?(?: ?[-/] ?[abc][12])?)(?: (?:level|certified))?"
_CEFR = re.compile(_CEFR_LEVEL)
_BRACKETS = re.compile(r"(?P<rest>.*\S)\s*[(\[](?P<tail>[^()\[\]]+)[)\]]")
_JOINT = re.compile(r" - ?| ?: ?|, ")
# Set phrases around a name, tried in this order.
_PHRASES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_LEVEL}(?: language)?(?: ?[:-])? (?P<rest>{_LANGUAGE})(?: speaker)?",
        rf"{_CEFR_LEVEL}(?: in)? (?P<rest>{_LANGUAGE})",
        rf"(?P<rest>{_LANGUAGE}),? (?P<level>fluent|native|basic|intermediate|advanced|mother tongue)",
        rf"(?P<rest>{_LANGUAGE}),? {_CEFR_LEVEL}",
        rf"(?:min(?:imum)?\.? (?:of )?|at least |over |more than )?{_YEARS} {_EXPERIENCE}"
        r" (?:in|with|of|on|as|using) (?:an? |the )?(?P<rest>.+)",
        rf"{_YEARS} of (?P<rest>.+)",
        r"(?P<number>\d{1,2})\s*\+\s*(?P<unit>years?|yrs?) (?:of )?(?P<rest>.+?)(?: experience| exp)?",
        rf"(?P<rest>.*?)(?P<last>\S+?),? {_YEARS}(?: {_EXPERIENCE})?",
        r"(?:(?:must|should) (?:have |be |possess )?)?(?:"
        r"(?P<level>expert|expertise|proficient|proficiency|fluent|fluency|skilled|competent)"
        r" (?:in|at|with|user of)"
        rf"|{_DEGREE}?(?:knowledge|experience|exp|expertise|familiarity) (?:in|of|on|with)"
        rf"|{_DEGREE.replace('degree', 'grade')}(?:understanding|command|grasp) (?:in|of|on|over)"
        r"|(?P<good>good|strong|excellent) (?:in|at)|(?P<known>familiar|experienced) (?:with|in)"
        r") (?:using |the )?(?P<rest>.+)",
        r"(?P<level>(?:very )?(?:good|strong|excellent|outstanding|great|sound)) "
        r"(?P<rest>.*\b(?:skills?|abilit(?:y|ies)|communications?|knowledge))",
    )
)
_NO_NAME = frozenset((*_LEVELS, *_RULES["names"]["no_names"]))
_NO_EXPERIENCE = frozenset(_RULES["names"]["no_experience"])
# A quick look whether any of these rules, or the last "and" and "etc" of _tidy, can apply at all.
_HINT = re.compile(
    rf"\b(?:{_any_of(list(_LEVELS))}|years?|yrs?|months?|mths?|knowledge|experienced?|exp|expertise|[abc][12]|and|etc"
    r"|command|grasp|understanding|skills?|familiarity|great|outstanding|sound)\b|\d(?:years?|yrs?|mo?n?ths?|/)"
)


def _take_level(text: str) -> tuple[str, str | None, float | None]:
    """One statement of level or years, taken where it cannot be part of a name: (rest, proficiency, years).

    After the name in brackets, behind a dash, colon or comma ("java (3 yrs, advanced)", "excel - basic");
    years also bare at the end ("java 5+ yrs"); before it in set phrases ("5 years of experience in", "good
    knowledge of", "proficient in", "excellent ... skills"). A bare level word counts next to a human language
    only: "advanced excel", "visual basic", "seo expert", "expert systems", "basic life support" are names,
    courses or titles. Without a name left the text stays as it is.
    """
    for rest, level, years in _readings(text):
        rest = rest.strip(" ,;:-")
        if rest not in _NO_NAME and any(char.isalpha() for char in rest):
            return rest, level, years
    return text, None, None


def _readings(text: str) -> Iterator[tuple[str, str | None, float | None]]:
    tails = [(m["rest"], m["tail"])] if (m := _BRACKETS.fullmatch(text)) else []
    tails += [(text[: m.start()], text[m.end() :]) for m in _JOINT.finditer(text)]
    for rest, tail in tails:
        if rest.strip() and not _is_range(rest, tail) and (found := _attributes(rest, tail)):
            yield rest, *found
    for pattern in _PHRASES:
        if match := pattern.fullmatch(text):
            groups = match.groupdict()
            rest, last = groups["rest"], groups.get("last")
            if last is None:
                yield rest, *_values(groups)
            elif last not in _NO_EXPERIENCE:
                yield rest + last, *_values(groups)


def _is_range(rest: str, tail: str) -> bool:
    """ "java 2" and "3 years" are "2 - 3 years" of java, while "sage 50" and "2 years" are not."""
    low, high = re.search(r"(?<!\S)\d{1,2}$", rest), re.match(r"\d{1,2}(?!\d)", tail)
    return bool(low and high and int(low[0]) < int(high[0]))


def _attributes(rest: str, tail: str) -> tuple[str | None, float | None] | None:
    """Level and years if the tail says nothing else ("3 yrs, advanced"); CEFR levels of a language only."""
    level: str | None = None
    years: float | None = None
    language = re.search(rf"\b{_LANGUAGE}$", rest)
    for part in re.split(r"\s*[,;|]\s*|\s+-\s+(?=[a-z])", tail.strip()):
        patterns = (*_ATTRIBUTES, _CEFR) if language else _ATTRIBUTES
        match = next((match for pattern in patterns if (match := pattern.fullmatch(part))), None)
        if match is None or (rest.split()[-1], match.groupdict().get("level")) in _NOT_LEVELS:
            return None
        found_level, found_years = _values(match.groupdict())
        level, years = level or found_level, found_years if years is None else years
    return level, years


def _values(groups: dict[str, str | None]) -> tuple[str | None, float | None]:
    word = next(
        (groups[name] for name in ("level", "degree", "grade", "good", "known") if groups.get(name)), None
    )
    level = word and (_LEVELS.get(word) or (word.upper() if _CEFR.fullmatch(word) else word))
    number, unit = groups.get("number"), groups.get("unit")
    if number is None or unit is None:
        return level, None
    return level, float(number) if unit.startswith("y") else round(float(number) / 12, 2)


# --- key and reject ---------------------------------------------------------------------------------------

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_URL = re.compile(
    r"(?:https?|ftp)://|(?:^|[\s(])www\.|^[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|io|co|in|eu|uk|de)/\S+$"
)
_PHONE = re.compile(r"(?:tel|phone|mobile|mob|cell|ph)?[\s.:]*[\d\s().+/-]+")


def text_key(text: str) -> str:
    """First 32 hex digits of SHA-256 over the cleaned text: the same from Spark SQL's `sha2`."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


_LONGEST = 2_000


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
    """Personal data and addresses first, so that the report can count them whatever their length."""
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


# --- split ------------------------------------------------------------------------------------------------

_AMP = r"&(?:amp ?;)*"
_SPACE = r"[ _\u00a0]"
_AMPERSAND = re.compile(r"&(?:amp ?;)+", re.IGNORECASE)
_ENTITY_CHAIN = (
    rf"{_AMP}(?:{_COMMON_ENTITY}(?: ?;|(?![\w;]))|#\d+;|#x[\da-f]+;|[a-z][a-z\d]{{1,23}};)|&(?:amp ?;)+"
)


_LOOSE = {
    ", ": rf",{_SPACE}*",
    " and ": rf",?{_SPACE}+(?:and|{_AMP}){_SPACE}+",
    " & ": rf"{_SPACE}+(?:and|{_AMP}){_SPACE}+",
    " ": rf"{_SPACE}+",
    "&": rf"{_SPACE}?{_AMP}{_SPACE}?",
    "/": rf"{_SPACE}?/{_SPACE}?",
}


def _name_pattern(name: str) -> str:
    return "".join(
        _LOOSE.get(part) or re.escape(part) for part in re.split(f"({_any_of(list(_LOOSE))})", name)
    )


_NAMES = "|".join(map(_name_pattern, sorted(_RULES["protected"], key=len, reverse=True)))
_PROTECTED = "|".join(
    (
        rf"(?<![^\W_])(?:{_NAMES})s?(?![^\W_]|[+#])",
        r"(?:https?://|www\.)[^\s,;|]+",
        r"(?<!\d)(?:\d{1,3}(?:,\d{3})+|\d+(?:[.,]\d{1,2})+)(?!\d)",  # 1,000 and 3.5 and "7,8"
        # one letter or a number beside a slash: i/o, pro/e, OS/390, 802.11a/b/g; but C and R are languages
        r"(?<![\w/])[abd-qs-z]/\w+(?![\w/+#])|(?<![\w/])\w{1,4}/[abd-qs-z](?![\w/+#])|\w+ ?/ ?\d+(?!\w)"
        r"|\d+[a-z]?(?:/[a-z]{1,2})+(?!\w)",
        r",\s*(?:inc|ltd|llc|llp|plc|gmbh)\b\.?",
        rf"(?<!\w)(?:\w{_AMP}\w{{1,2}}|\w\w{_AMP}\w)(?!\w)",
    )
)


@lru_cache(maxsize=64)
def _scanner(separators: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """(does the field hold any separator?, the tokens: entity, protected name, separator, list word)."""
    literal = [separator for separator in separators if separator and separator != LIST_RULE]
    words = [separator for separator in literal if separator.replace(" ", "").isalpha()]
    signs = [separator for separator in literal if separator not in words]
    alternatives = [_any_of(signs)] if signs else []
    if words:
        alternatives.append(rf"(?<![^\s_])(?i:{_any_of([word.strip() for word in words])})(?![^\s_])")
    found = "|".join(alternatives) or r"(?!)"
    soft = r"(?<=\s)(?:[Aa]nd|AND|[Oo]r|&)(?=\s)|/" if LIST_RULE in separators else r"(?!)"
    tokens = (
        rf"(?P<entity>(?i:{_ENTITY_CHAIN}))|(?P<name>(?i:{_PROTECTED}))|(?P<cut>{found})|(?P<soft>{soft})"
    )
    return re.compile(rf"{found}|{soft}|&"), re.compile(tokens)


def split_field(field: str, separators: Sequence[str]) -> list[Piece]:
    """The pieces of a field, in order; between them stand separators and white space only.

    Separators are literal strings, those of letters whole words between spaces in any case; LIST_RULE stands
    for a rule. Nothing is cut inside a protected name (data/text_rules.toml), an entity, a number, a URL or
    brackets: "Microsoft Office (Word, Excel)" stays one, for its parts alone would lose what they belong to.
    """
    probe, tokens = _scanner(tuple(separators))
    cuts: list[tuple[int, int]] = []
    if probe.search(field):
        hard, soft = _scan(field, tokens, frozenset(separators) - {""})
        cuts = sorted(hard + _list_cuts(field, hard, soft)) if soft and hard else hard
    return [Piece(start, end, field[start:end]) for start, end in _between(field, 0, len(field), cuts)]


def parse_field(field: str, separators: Sequence[str], max_length: int = 100) -> list[Mention]:
    """Every mention of a field, the rejected ones too."""
    return [parse_mention(piece.raw, max_length) for piece in split_field(field, separators)]


def _between(field: str, start: int, end: int, cuts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans that the cuts leave, trimmed, without the empty ones."""
    spans = []
    for cut_start, cut_end in (*cuts, (end, end)):
        part = field[start:cut_start]
        if part.strip():
            spans.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
        start = cut_end
    return spans


def _scan(
    field: str, tokens: re.Pattern[str], separators: frozenset[str]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where separators (hard) and list words (soft) stand outside names, entities and brackets."""
    hard: list[tuple[int, int]] = []
    soft: list[tuple[int, int]] = []
    brackets = _bracket_spans(field)
    position = 0
    while match := tokens.search(field, position):
        start, position = match.span()
        kind, sign = match.lastgroup, match[0]
        if kind == "entity":
            sign, position = _decoded(match)
            spaced = field[start - 1 : start].isspace() and field[position : position + 1].isspace()
            kind = "cut" if sign in separators else "soft" if sign == "&" and spaced else "name"
        nearest = bisect_right(brackets, start, key=lambda span: span[0])
        if kind == "name" or (nearest and start < brackets[nearest - 1][1]):
            continue
        (hard if kind == "cut" else soft).append((start, position))
    return hard, soft if LIST_RULE in separators else []


def _decoded(match: re.Match[str]) -> tuple[str, int]:
    """The sign an entity stands for, and its end; of what only looks like one ("R&DE;"), the ampersand."""
    sign = match[0]
    while (decoded := _ENTITY.sub(_unescape, sign)) != sign:
        sign = decoded
    if len(sign) > 1 and sign.startswith("&"):
        escaped = _AMPERSAND.match(match.string, match.start())
        return "&", escaped.end() if escaped else match.start() + 1
    return sign, match.end()


def _bracket_spans(field: str) -> list[tuple[int, int]]:
    """Pairs of brackets on one line, with the name before them that they abbreviate; a pair around the whole
    field protects nothing."""
    spans: list[tuple[int, int]] = []
    opened: list[int] = []
    for i, char in enumerate(field):
        if char in "([":
            opened.append(i)
        elif char in "\r\n":
            opened.clear()
        elif char in ")]" and opened:
            first = opened.pop()
            while spans and spans[-1][0] >= first:
                spans.pop()
            spans.append((_abbreviated_from(field, first, i), i))
    whole = len(spans) == 1 and not (field[: spans[0][0]] + field[spans[0][1] + 1 :]).strip()
    return [] if whole and field.strip()[0] in "([" else spans


def _abbreviated_from(field: str, first: int, last: int) -> int:
    """Where the words begin whose initials are bracketed: "Mechanical, Electrical, and Plumbing (MEP)"."""
    initials = [char for char in field[first + 1 : last].removesuffix("s") if char not in " &/-."]
    if not 2 <= len(initials) <= 8 or not all(map(str.isupper, initials)):
        return first
    start = max(first - 120, *(field.rfind(end, 0, first) + 1 for end in "\r\n\t;|"))
    for word in reversed(list(re.finditer(r"[^\W_]+", field[start:first]))):
        if word[0][0].upper() == initials[-1]:
            initials.pop()
        elif word[0].lower() not in ("and", "or", "of", "the", "in", "for"):
            break
        if not initials:
            return start + word.start()
    return first


def _list_cuts(
    field: str, hard: Sequence[tuple[int, int]], soft: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The list words that cut, by LIST_RULE; an enumeration is what single commas hold together on one line.

    "/" cuts an item of a field with several, when its parts have at most two words, none is shorter than
    three letters and one is longer ("HTML/CSS", not "CAD/CAM"). "and", "or", "&" cut the last item of an
    enumeration into parts of at most two words, unless an earlier item has such a word too: then the items
    are of that form. Right behind a comma such a word belongs to the comma ("a, b, and c").
    """
    items = _between(field, 0, len(field), hard)
    cuts: list[tuple[int, int]] = []
    earlier = False
    for i, (start, end) in enumerate(items):
        inside = soft[bisect_left(soft, (start, 0)) : bisect_left(soft, (end, 0))]
        slashes = [cut for cut in inside if field[cut[0]] == "/"]
        words = [cut for cut in inside if field[cut[0]] != "/"]
        follows = i > 0 and field[items[i - 1][1] : start].strip() in _LIST_COMMAS
        goes_on = i + 1 < len(items) and field[end : items[i + 1][0]].strip() in _LIST_COMMAS
        earlier = earlier and follows
        if follows and words and words[0][0] == start:
            cuts.append(words[0])
            start = words.pop(0)[1]
        elif words and follows and not goes_on and not earlier and _short(field, start, end, words):
            cuts.extend(words)
        if slashes and len(items) > 1 and _short(field, start, end, slashes):
            lengths = [last - first for first, last in _between(field, start, end, slashes)]
            cuts.extend(slashes if min(lengths) >= 3 and max(lengths) >= 4 else [])
        earlier = earlier or bool(words)
    return cuts


def _short(field: str, start: int, end: int, cuts: Sequence[tuple[int, int]]) -> bool:
    parts = _between(field, start, end, cuts)
    return len(parts) > len(cuts) and all(len(field[first:last].split()) <= 2 for first, last in parts)
