"""Undo what exports and scrapers do to a string: entities, mojibake, invisible characters, white space."""

import html
import re
import unicodedata
from html.entities import html5

import ftfy

# Five names are also read with a space before their semicolon or without one ("&quot ; bpo", "R&amp D"): seen
# in scraped data. All others need the semicolon at once, so that "R&D; copy" and "&copywriting" stay.
COMMON_ENTITY = r"(?:amp|quot|apos|nbsp|#39)"
_ENTITY = re.compile(
    rf"&{COMMON_ENTITY}(?: ?;|(?![\w;]))|&(?:#\d{{1,7}}|#x[\da-f]{{1,6}}|[a-z][a-z\d]{{1,23}});",
    re.IGNORECASE,
)
_FTFY = ftfy.TextFixerConfig(unescape_html=False, uncurl_quotes=False, normalization="NFC", explain=False)
# UTF-8 punctuation read as Mac Roman and then as Latin-1 by a scraper, beyond ftfy ("won\x89Ûªt").
_MAC_MOJIBAKE = re.compile(r"\x89[Ûû]([ªÒòÓóÏï÷])|[Åå][Êê]")
_MAC_CHARS = {"ª": "'", "Ò": "-", "ò": "-", "Ó": "-", "ó": "-", "Ï": '"', "ï": '"', "÷": "'"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Without a glyph though no category says so; and the mark of lossy decoding, whose letter is lost for good.
_NO_GLYPH = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffd]")


def unescape(text: str) -> str:
    """HTML entities as the characters they stand for, one layer of escapes."""
    return _ENTITY.sub(_entity_char, text)


def _entity_char(match: re.Match[str]) -> str:
    """The character of one entity; what only looks like an entity ("&DE;") stays."""
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
    if raw.isascii() and raw.isprintable() and "&" not in raw:
        return " ".join(raw.split())
    text = raw
    for _ in range(8):  # double-escaped entities and double mojibake come off layer by layer
        before = text
        if "&" in text:
            text = unescape(text)
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
