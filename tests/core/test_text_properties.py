"""Properties of the text rules on strings nobody would write."""

import hashlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skillsim.text import LIST_RULE, TEXT_SEPARATORS, clean, parse_mention, repair, split_field, text_key

FRAGMENTS = [
    *("&amp;", "&quot ;", "&#39;", "&amp;amp;", "&bull;", "&#1;", "&#44;", "&", ";", "&DE;", "amp;"),
    *(
        "\u0301",
        "\u0308",
        "ﬁ",
        "½",
        "²",
        "Ⅱ",
        "º",
        "♯",
        "İ",
        "ß",
        "ǰ",
        "ΐ",
        "ｶﾞ",
        "Ａ",
        "＆",
        "＃",
        "／",
        "（",
    ),
    *(
        "😀",
        "👩\u200d💻",
        "\u200f",
        "\u202e",
        "\u200b",
        "\ufeff",
        "\u00ad",
        "\u3164",
        "\uf0b7",
        "\ufffd",
        "\ue000",
    ),
    *(
        "\ud800",
        "\udc00",
        "\x00",
        "\x85",
        "\x89ûª",
        "Ã©",
        "â€™",
        "\u2028",
        "\u00a0",
        "\t",
        "\n",
        "_",
        "•",
        "·",
    ),
    *(
        "-",
        "–",
        "*",
        "+",
        "#",
        ".",
        ",",
        ":",
        "/",
        "|",
        "(",
        ")",
        "[",
        "]",
        '"',
        "'",
        "’",
        "<b>",
        "@",
        "%",
        "!",
    ),
    *(
        "java",
        "C",
        "R",
        "c++",
        ".net",
        "r&d",
        "and",
        "or",
        "etc",
        "3",
        "5 years",
        "10+ yrs",
        "(expert)",
        "- basic",
    ),
    *(
        "good",
        "knowledge of",
        "experience in",
        "english",
        "C1",
        "skills",
        "very good",
        "fluent",
        "1.",
        "2)",
        "N/A",
    ),
    *(" ", "  ", "हिन्दी", "日本", "عربي", "skill", "client/server", "health and safety", "ABC (ABC)"),
]
nasty = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(" ".join),
    st.text(st.characters(codec=None), max_size=30),
    st.text("aA0 .,;&/()-+#'\"_:C", max_size=30),
)
separators = st.one_of(
    st.just(TEXT_SEPARATORS),
    st.lists(
        st.sampled_from(
            [*TEXT_SEPARATORS, LIST_RULE, "/", "&", "and", "or", "-", "--", "(", ".", "", "a", "as well as"]
        )
    ).map(tuple),
)


@given(nasty)
@example("&amp;lt;b>")
@example("a (expert) - basic: fluent")
def test_cleaning_twice_changes_nothing(raw: str) -> None:
    once = clean(raw).text
    assert clean(once).text == once
    assert once == once.strip()


@given(nasty)
def test_repairing_twice_changes_nothing(raw: str) -> None:
    once = repair(raw)
    assert repair(once) == once


@given(nasty, separators)
def test_every_character_is_in_a_piece_or_in_a_separator(field: str, given_separators: tuple[str, ...]) -> None:
    found = split_field(field, given_separators)
    position, gaps = 0, []
    for piece in found:
        assert position <= piece.start < piece.end <= len(field)
        assert field[piece.start : piece.end] == piece.raw == piece.raw.strip() != ""
        gaps.append(field[position : piece.start])
        position = piece.end
    gaps.append(field[position:])
    for gap in gaps:
        assert not _without_separators(gap, given_separators)


def _without_separators(gap: str, given_separators: tuple[str, ...]) -> str:
    """What of a gap is neither separator nor white space; with any separator goes "and", with LIST_RULE its words."""
    allowed = {separator for separator in given_separators if separator and separator != LIST_RULE}
    if LIST_RULE in given_separators:
        allowed |= {"or", "&", "/"}
    if allowed:
        allowed.add("and")
    for entity, sign in (("&bull;", "•"), ("&#44;", ","), ("&amp;", "&"), ("&DE;", "")):
        if sign in allowed:
            gap = gap.replace(entity, sign)
    while "&amp;" in gap:
        gap = gap.replace("&amp;", "&")
    for sign in sorted(allowed, key=len, reverse=True):
        gap = gap.replace(sign, " ").replace(sign.upper(), " ").replace(sign.capitalize(), " ")
    return gap.strip()


@given(nasty)
def test_a_field_without_separators_is_one_piece(field: str) -> None:
    assert [piece.raw for piece in split_field(field, ())] == ([field.strip()] if field.strip() else [])


@given(nasty)
def test_a_mention_is_kept_with_a_letter_and_a_key_or_rejected_with_a_reason(raw: str) -> None:
    mention = parse_mention(raw)
    assert mention.raw == raw
    if mention.reason is None:
        assert mention.text is not None
        assert any(char.isalpha() for char in mention.text)
        assert len(mention.text) <= 100
        assert mention.text_key == text_key(mention.text)
    else:
        assert mention.text is None
        assert mention.text_key is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_key_is_hashlibs(text: str) -> None:
    assert text_key(text) == hashlib.sha256(text.encode()).hexdigest()[:32]


@given(nasty)
def test_cleaned_text_has_a_key(raw: str) -> None:
    assert len(text_key(clean(raw).text)) == 32


@pytest.mark.parametrize("end", ["", "x"])
@pytest.mark.parametrize("unit", ["– 5 years ", ", and  .· ", "½", "(expert), fluent ", ". ", "\u0308 "])
def test_the_time_for_a_mention_has_a_bound(unit: str, end: str) -> None:
    started = time.process_time()
    parse_mention("x" + (unit * 2_000)[:1_998] + end)
    assert time.process_time() - started < 0.25


@given(st.sampled_from(FRAGMENTS), st.sampled_from(FRAGMENTS), st.integers(1, 120))
@example("\u0308", " ", 60)
@example("·", "*", 70)
def test_cleaning_settles_however_often_a_thing_is_repeated(one: str, other: str, times: int) -> None:
    for raw in ("java" + (one + other) * times, (one + other) * times + "java"):
        once = clean(raw).text
        assert clean(once).text == once
