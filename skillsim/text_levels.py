"""Proficiency and years of experience: "java (3 yrs, advanced)", "fluent english", "good knowledge of sql"."""

import re
from collections.abc import Iterator

from skillsim.text_rules import RULES, any_of

_LEVELS: dict[str, str] = RULES["levels"]  # as written: as kept
_NOT_LEVELS = frozenset((word, level) for word, level in RULES["names"]["not_levels"])
_LEVEL = rf"(?P<level>{any_of(_LEVELS)})"
_NUMBER = r"\d{1,2}(?:\.\d{1,2})?"
_YEARS = (
    rf"(?P<number>{_NUMBER})\s*(?:\+|plus|or more)?(?:\s*(?:-|to)\s*{_NUMBER}\s*\+?)?"
    r"\s*(?P<unit>years?|yrs?|months?|mths?)\b\.?'?"
)
_KIND = r"(?:(?:relevant|work|working|professional|practical|hands[ -]on|industry|total|proven|strong) )*"
_EXPERIENCE = rf"(?:of )?{_KIND}(?:experience|expertise|exp\b\.?)"
_LANGUAGE = rf"(?:{any_of(RULES['names']['languages'])})(?: language)?"
_DEGREE = (
    r"(?:(?:very )?(?P<level>basic|good|strong|excellent|solid|sound|deep|in[ -]depth|thorough|extensive"
    r"|advanced|expert|intermediate|working|practical|hands[ -]on|proven|fair) )"
)
_MUST = r"(?:(?:must|should) (?:have |be |possess )?)?"
_NAME = r"(?:using |the )?(?P<rest>.+)"
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
        rf"{_MUST}(?P<level>expert|expertise|proficient|proficiency|fluent|fluency|skilled|competent)"
        rf" (?:in|at|with|user of) {_NAME}",
        rf"{_MUST}{_DEGREE}?(?:knowledge|experience|exp|expertise|familiarity) (?:in|of|on|with) {_NAME}",
        rf"{_MUST}{_DEGREE}(?:understanding|command|grasp) (?:in|of|on|over) {_NAME}",
        rf"{_MUST}(?P<level>good|strong|excellent) (?:in|at) {_NAME}",
        rf"{_MUST}(?P<level>familiar|experienced) (?:with|in) {_NAME}",
        r"(?P<level>(?:very )?(?:good|strong|excellent|outstanding|great|sound)) "
        r"(?P<rest>.*\b(?:skills?|abilit(?:y|ies)|communications?|knowledge))",
    )
)
_NO_NAME = frozenset((*_LEVELS, *RULES["names"]["no_names"]))
_NO_EXPERIENCE = frozenset(RULES["names"]["no_experience"])
# A quick look whether any of these rules can apply at all, or those of `clean` for "and" and "etc" at the edges.
HINT = re.compile(
    rf"\b(?:{any_of(_LEVELS)}|years?|yrs?|months?|mths?|knowledge|experienced?|exp|expertise|[abc][12]|and|etc"
    r"|command|grasp|understanding|skills?|familiarity|great|outstanding|sound)\b|\d(?:years?|yrs?|mo?n?ths?|/)"
)

_LONGEST = 400  # characters: no longer text is a name with its level, and the rules take the square of its length


def take_level(text: str) -> tuple[str, str | None, float | None]:
    """One statement of level or years, taken where it cannot be part of a name: (rest, proficiency, years).

    After the name in brackets, behind a dash, colon or comma ("java (3 yrs, advanced)", "excel - basic");
    years also bare at the end ("java 5+ yrs"); before it in set phrases ("5 years of experience in", "good
    knowledge of", "proficient in", "excellent ... skills"). A bare level word counts next to a human language
    only: "advanced excel", "visual basic", "seo expert", "expert systems", "basic life support" are names,
    courses or titles. Without a name left, or longer than _LONGEST, the text stays as it is.
    """
    if len(text) > _LONGEST:
        return text, None, None
    for rest, level, years in _readings(text):
        rest = rest.strip(" ,;:-")
        if rest not in _NO_NAME and any(char.isalpha() for char in rest):
            return rest, level, years
    return text, None, None


def _readings(text: str) -> Iterator[tuple[str, str | None, float | None]]:
    """What the rules read in the text, each (rest, proficiency, years): tails of the name, then set phrases."""
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
    """Whether a range was cut: "java 2" and "3 years" are "2 - 3 years" of java, "sage 50" and "2 years" are not."""
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
    """Proficiency as it is kept, and years, of the groups that a pattern matched."""
    word = groups.get("level")
    level = word and (_LEVELS.get(word) or (word.upper() if _CEFR.fullmatch(word) else word))
    number, unit = groups.get("number"), groups.get("unit")
    if number is None or unit is None:
        return level, None
    return level, float(number) if unit.startswith("y") else round(float(number) / 12, 2)
