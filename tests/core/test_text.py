"""What cleaning does to strings as people write them, one line per case; what is rejected; keys."""

import hashlib

import pytest

from skillsim.text import Cleaned, clean, parse_mention, repair, text_key


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Core  Java ", "Core Java"),
        ("R&amp;D", "R&D"),
        ("R&amp;amp;D", "R&D"),
        ("&amp;quot ; Sales&amp;quot ;", '" Sales"'),
        ("R&amp D", "R& D"),
        ("AT&T; copy", "AT&T; copy"),
        ("R&DE;", "R&DE;"),
        ("Q&copyediting", "Q&copyediting"),
        ("men&#39;s wear &#x26; shoes", "men's wear & shoes"),
        ("caf\u00c3\u00a9 management", "café management"),
        ("won\x89\u00dbªt", "won't"),
        ("cafe\u0301", "café"),
        ("Java\u200bScript", "JavaScript"),
        ("soft\u00adware", "software"),
        ("\u202bعربي\u202c", "عربي"),
        ("\ufeffSQL", "SQL"),
        ("MS\u00a0Office\u2003365", "MS Office 365"),
        ("Java\tEE\r\nBeans", "Java EE Beans"),
        ("\uf0b7 Java", "Java"),
        ("a\x00b", "ab"),
        ("a\ud800b", "ab"),
        ("\ud83d\ude80 rockets", "🚀 rockets"),
        ("caf\ufffd", "caf"),
        ("PM²", "PM²"),
        ("H₂O", "H₂O"),
        ("Ｊａｖａ", "Java"),
        ("ﬁnance", "finance"),
        ("use “quotes” – well…", "use “quotes” – well…"),
        ("", ""),
    ],
)
def test_repair_restores_what_the_writer_saw(raw: str, expected: str) -> None:
    assert repair(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # edges
        ("Excel.", "excel"),
        ("  - Java", "java"),
        ("* Java", "java"),
        ("•Java", "java"),
        ("➢ Java ✓", "java"),
        ("1. Java", "java"),
        ("2) Java", "java"),
        ('"Java"', "java"),
        ("«Java»", "java"),
        ("(Java)", "java"),
        ("Skills : Java", "java"),
        ("and marketing", "and marketing"),
        ("AND gate", "and gate"),
        ("marketing &", "marketing"),
        ("LAN /", "lan"),
        ("Java :", "java"),
        ("oracle etc.", "oracle"),
        ("Trademarks, etc", "trademarks"),
        ("Java 🚀", "java"),
        ("Yahoo!", "yahoo"),
        ("C&amp;A", "c&a"),
        # inside
        ("sas_base_programming", "sas base programming"),
        ("Linux)", "linux"),
        ("Software Engineer (Java", "software engineer java"),
        ("Team Lead ( BDM )", "team lead (bdm)"),
        ("((([ Java ])) ())", "java"),
        ("(ab) (cd)", "(ab) (cd)"),
        ("(" * 300 + "Java" + ")" * 300, "java"),
        ('recruitment "HR recruiter"', "recruitment hr recruiter"),
        ('17" monitors', '17" monitors'),
        ("children’s rights", "children's rights"),
        ("children`s rights", "children's rights"),
        ("pick‐up – loading", "pick-up - loading"),
        ("<b>Java</b>", "java"),
        ("Photoshop™", "photoshop"),
        # spellings that have to meet
        ("PL / SQL", "pl/sql"),
        ("TCP/ IP", "tcp/ip"),
        ("R & D", "r&d"),
        ("R &D manager", "r&d manager"),
        ("FP &amp; A", "fp&a"),
        ("Sales &amp; Marketing", "sales and marketing"),
        ("mergers&acquisitions", "mergers and acquisitions"),
        ("C# & Windows", "c# and windows"),
        ("Chapter 7 & 13", "chapter 7 and 13"),
        ("ASP .NET", "asp.net"),
        ("Node. JS", "node.js"),
        ("C ++", "c++"),
        ("C + +", "c++"),
        ("C+ + developer", "c++ developer"),
        ("Notepad ++", "notepad++"),
        ("G + +", "g++"),
        ("A + +", "a+"),
        ("Java*", "java"),
        ("A**", "a*"),
        ("- & marketing", "marketing"),
        ("C #", "c#"),
        ("Security +", "security+"),
        ("Perl +", "perl"),
        ("C♯", "c#"),
        ("T - SQL", "t-sql"),
        ("E - Commerce", "e-commerce"),
        ("Objective - C", "objective-c"),
        ("C - programming", "c - programming"),
        ("Engineer - Java", "engineer - java"),
        # Unicode forms
        ("Ｃ＋＋", "c++"),
        ("Nº 1", "no 1"),
        ("H₂O", "h2o"),
        ("PM²", "pm2"),
        ("1½ t", "1 1/2 t"),
        ("Straße", "strasse"),
        ("ǰ", "ǰ"),
        ("İSTANBUL", "istanbul"),
        ("Étude", "étude"),
    ],
)
def test_clean_makes_spellings_meet(raw: str, expected: str) -> None:
    assert clean(raw) == Cleaned(expected, None, None)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "c",
            "r",
            "c++",
            "c#",
            "f#",
            "visual c#",
            ".net",
            ".net core",
            "asp.net",
            "node.js",
            "notepad++",
            "a+",
            "a*",
            "d*",
            "grade a*",
        ),
        *("(isc)2", "@risk", "objective-c", "t-sql", "3d", "5s", "as/400", "j2ee", "autocad 2d/3d", "401(k)"),
        *("pro*c", "sql*plus", "time@work", "at&t", "802.11n", "iso 9001", "windows 7", "office 365", "etcd"),
        *("sql server 2012", "go-to-market strategy", "x-ray", "business development", "or nurse"),
        *(
            "日本語",
            "写真",
            "アニメーション",
            "हिन्दी",
            "ภาษาไทย",
            "عربي",
            "λογιστική",
            "бухгалтерия",
            "français",
        ),
    ],
)
def test_names_keep_their_characters(name: str) -> None:
    assert clean(name) == Cleaned(name, None, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        *[(raw, "empty") for raw in ("", "  ", "-", "...", "N/A", "n.a.", "None", "nil", "NULL", "nan", "etc.")],
        *[(raw, "empty") for raw in ("&nbsp;", "\u200b", "\u3164", "&quot;&quot;", "()")],
        *[(raw, "number") for raw in ("2019", "12345", "3.5", "24/7", "802.11", "10+2", "½", "1,000", "4.0+", "٣")],
        *[(raw, "no_letter") for raw in ("★★★", "🚀", "👍🏽")],
        *[(raw, "email") for raw in ("jane.doe@mail.example", "CV: jane@x.org", "<a@b.co>")],
        *[(raw, "phone") for raw in ("+91 98765 43210", "(555) 123-4567 8", "Tel: 0123456789", "9876543210")],
        *[(raw, "url") for raw in ("www.x.com/jobs", "https://x.org", "see http://x.org/a", "linkedin.com/in/jane")],
        ("x" * 101, "too_long"),
    ],
)
def test_what_is_no_skill_text_is_rejected_with_a_reason(raw: str, reason: str) -> None:
    mention = parse_mention(raw)
    assert (mention.raw, mention.text, mention.text_key, mention.reason) == (raw, None, None, reason)


@pytest.mark.parametrize(
    "raw",
    [
        *("C", "R", "3D", ".NET", "Node.js", "ASP.NET", "Booking.com", "salesforce.com", "monster.com", "2G"),
        *("time@work", "@risk", "Proposal writer @ BIG4", "x" * 100, "National insurance", "Nano", "AS/400"),
    ],
)
def test_short_and_odd_names_are_kept(raw: str) -> None:
    mention = parse_mention(raw)
    assert mention.reason is None
    assert mention.text == clean(raw).text
    assert mention.text_key == text_key(clean(raw).text)


def test_length_limit_is_an_argument() -> None:
    assert parse_mention("communication", max_length=5).reason == "too_long"


def test_text_key_is_the_head_of_sha256() -> None:
    assert text_key("straße") == hashlib.sha256("straße".encode()).hexdigest()[:32]
