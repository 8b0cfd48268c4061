"""Cut a field that holds several skills into pieces, without cutting a name apart."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from skillsim.text_repair import COMMON_ENTITY, unescape
from skillsim.text_rules import RULES, any_of

LIST_RULE = "<list>"
"""A separator that is a rule, usable in the config's `separators` like any literal one.

In an enumeration cut by commas, the words "and", "or" and the sign "&" also cut its last item, and "/" cuts
any item of a field that holds several: "Word, Excel and PowerPoint" gives three, "planning and scheduling"
alone stays one. `_list_cuts` has the conditions. A literal "and" cuts everywhere outside protected names.
"""

BULLETS = "•‣⁃∙▪▫■□●○◦◆◇❖➢➤►▶✓✔★☆\uf0b7\uf0a7\uf0d8\uf0fc"  # the last four: Wingdings bullets of word processors
_LIST_COMMAS = (",", "，", "、", "،")

TEXT_SEPARATORS: tuple[str, ...] = (
    *_LIST_COMMAS,
    *(";", "；", "؛", "|", "｜", "\r\n", "\n", "\r", "\t"),
    *BULLETS,
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


_Span = tuple[int, int]  # start and end in the field

LONGEST_FIELD = 50_000
"""Characters; a longer field is one piece, whatever it holds: it is a document, and must not stall a job."""

_LONGEST_ABBREVIATION = 40  # in brackets: eight initials with signs between them are 24

_LEADING_AND = re.compile(r"(?:(?:[Aa]nd|AND(?=[^a-z]+$))[\s_]+)+(?=\S)")  # not that of "AND gate"
_AMP = r"&(?:amp ?;)*"
_SPACE = r"[ _\u00a0]"
_AMPERSAND = re.compile(r"&(?:amp ?;)+", re.IGNORECASE)
_ENTITY_CHAIN = rf"{_AMP}(?:{COMMON_ENTITY}(?: ?;|(?![\w;]))|#\d+;|#x[\da-f]+;|[a-z][a-z\d]{{1,23}};)|&(?:amp ?;)+"

_LOOSE = {  # what a part of a protected name also covers in a field
    ", ": rf",{_SPACE}*",
    " and ": rf",?{_SPACE}+(?:and|{_AMP}){_SPACE}+",
    " & ": rf"{_SPACE}+(?:and|{_AMP}){_SPACE}+",
    " ": rf"{_SPACE}+",
    "&": rf"{_SPACE}?{_AMP}{_SPACE}?",
    "/": rf"{_SPACE}?/{_SPACE}?",
}


def _name_pattern(name: str) -> str:
    """A protected name with the spellings of `_LOOSE`."""
    return "".join(_LOOSE.get(part) or re.escape(part) for part in re.split(f"({any_of(_LOOSE)})", name))


_NAMES = "|".join(map(_name_pattern, sorted(RULES["protected"], key=len, reverse=True)))
_PROTECTED = "|".join(
    (
        rf"(?<![^\W_])(?:{_NAMES})s?(?![^\W_]|[+#])",
        r"(?:https?://|www\.)[^\s,;|]+",
        r"(?<!\d)(?:\d{1,3}(?:,\d{3})+|\d+(?:[.,]\d{1,2})+)(?!\d)",  # 1,000 and 3.5 and "7,8"
        # one letter or a number beside a slash: i/o, pro/e, OS/390, 802.11a/b/g; but C and R are languages
        r"(?<![\w/])[abd-qs-z]/\w+(?![\w/+#])|(?<![\w/])\w{1,4}/[abd-qs-z](?![\w/+#])|(?<!\w)\w++ ?/ ?\d++(?!\w)"
        r"|(?<!\d)\d+[a-z]?(?:/[a-z]{1,2})+(?!\w)",
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
    alternatives = [any_of(signs)] if signs else []
    if words:
        alternatives.append(rf"(?<![^\s_])(?i:{any_of(word.strip() for word in words)})(?![^\s_])")
    found = "|".join(alternatives) or r"(?!)"
    soft = r"(?<=\s)(?:[Aa]nd|AND|[Oo]r|&)(?=\s)|/" if LIST_RULE in separators else r"(?!)"
    tokens = rf"(?P<entity>(?i:{_ENTITY_CHAIN}))|(?P<name>(?i:{_PROTECTED}))|(?P<cut>{found})|(?P<soft>{soft})"
    return re.compile(rf"{found}|{soft}|&"), re.compile(tokens)


def split_field(field: str, separators: Sequence[str]) -> list[Piece]:
    """The pieces of a field, in order; between them stand separators, their "and" and white space only.

    Separators are literal strings, those of letters whole words between spaces in any case; LIST_RULE stands
    for a rule. Nothing is cut inside a protected name (data/text_rules.toml), an entity, a number, a URL or
    brackets: "Microsoft Office (Word, Excel)" stays one, for its parts alone would lose what they belong to.
    An "and" right behind a separator belongs to it ("Word; and Excel").
    """
    probe, tokens = _scanner(tuple(separators))
    cuts: list[_Span] = []
    if separators and len(field) <= LONGEST_FIELD and probe.search(field):
        hard, soft = _scan(field, tokens, frozenset(separators) - {""})
        cuts = sorted(hard + _list_cuts(field, hard, soft)) if soft and hard else hard
    spans = _between(field, 0, len(field), cuts)
    for place, (start, end) in enumerate(spans):
        if cuts and cuts[0][1] <= start and (word := _LEADING_AND.match(field, start, end)):
            spans[place] = (word.end(), end)
    return [Piece(start, end, field[start:end]) for start, end in spans]


def _between(field: str, start: int, end: int, cuts: Sequence[_Span]) -> list[_Span]:
    """The spans that the cuts leave, trimmed, without the empty ones."""
    spans: list[_Span] = []
    for cut_start, cut_end in (*cuts, (end, end)):
        part = field[start:cut_start]
        if part.strip():
            spans.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
        start = cut_end
    return spans


def _scan(field: str, tokens: re.Pattern[str], separators: frozenset[str]) -> tuple[list[_Span], list[_Span]]:
    """Where separators (hard) and list words (soft) stand outside names, entities and brackets."""
    hard: list[_Span] = []
    soft: list[_Span] = []
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
    sign = _AMPERSAND.sub("&", sign)
    while (decoded := unescape(sign)) != sign:
        sign = decoded
    if len(sign) > 1 and sign.startswith("&"):
        escaped = _AMPERSAND.match(match.string, match.start())
        return "&", escaped.end() if escaped else match.start() + 1
    return sign, match.end()


def _bracket_spans(field: str) -> list[_Span]:
    """Pairs of brackets on one line, with the name before them that they abbreviate.

    A pair around the whole field protects nothing.
    """
    spans: list[_Span] = []
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
    if last - first > _LONGEST_ABBREVIATION:
        return first
    initials = [char for char in field[first + 1 : last].removesuffix("s") if char not in " &/-."]
    if not 2 <= len(initials) <= 8 or not all(map(str.isupper, initials)):
        return first
    start = max(0, first - 120)
    start = max(start, *(field.rfind(end, start, first) + 1 for end in "\r\n\t;|"))
    for word in reversed(list(re.finditer(r"[^\W_]+", field[start:first]))):
        if word[0][0].upper() == initials[-1]:
            initials.pop()
        elif word[0].lower() not in ("and", "or", "of", "the", "in", "for"):
            break
        if not initials:
            return start + word.start()
    return first


def _list_cuts(field: str, hard: Sequence[_Span], soft: Sequence[_Span]) -> list[_Span]:
    """The list words that cut, by LIST_RULE; an enumeration is what single commas hold together on one line.

    "/" cuts an item of a field with several, when its parts have at most two words, none is shorter than
    three letters and one is longer ("HTML/CSS", not "CAD/CAM"). "and", "or", "&" cut the last item of an
    enumeration into parts of at most two words, unless an earlier item has such a word too: then the items
    are of that form. Right behind a comma such a word belongs to the comma ("a, b, and c").
    """
    items = _between(field, 0, len(field), hard)
    cuts: list[_Span] = []
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


def _short(field: str, start: int, end: int, cuts: Sequence[_Span]) -> bool:
    """Whether the cuts leave parts of one or two words only, none of them empty."""
    parts = _between(field, start, end, cuts)
    return len(parts) > len(cuts) and all(len(field[first:last].split()) <= 2 for first, last in parts)
