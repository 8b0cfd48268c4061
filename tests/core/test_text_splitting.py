"""How a field is cut into pieces, one line per case, and how long that may take."""

import time

import pytest

from skillsim.text import LIST_RULE, TEXT_SEPARATORS, Piece, parse_field, split_field
from skillsim.text_splitting import LONGEST_FIELD


def pieces(field: str, separators: tuple[str, ...] = TEXT_SEPARATORS) -> list[str]:
    return [piece.raw for piece in split_field(field, separators)]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Java", ["Java"]),
        ("Java,Python", ["Java", "Python"]),
        ("Java; Python | SQL\tR\nGo\r\nC", ["Java", "Python", "SQL", "R", "Go", "C"]),
        ("a,,b, ,c,", ["a", "b", "c"]),
        ("", []),
        (" ,; ", []),
        ("• Java • Python", ["Java", "Python"]),
        ("\uf0b7 Java\n\uf0b7 Python", ["Java", "Python"]),
        ("* Java * Python", ["* Java", "Python"]),
        ("- Java\n- Python", ["- Java", "- Python"]),
        ("Java · Python", ["Java", "Python"]),
        ("col·lecció", ["col·lecció"]),
        ("日本語、英語，中文", ["日本語", "英語", "中文"]),
        # the list rule
        ("Word, Excel and PowerPoint", ["Word", "Excel", "PowerPoint"]),
        ("Word, Excel, and PowerPoint", ["Word", "Excel", "PowerPoint"]),
        ("Word, Excel & PowerPoint", ["Word", "Excel", "PowerPoint"]),
        ("Word, Excel &amp; PowerPoint", ["Word", "Excel", "PowerPoint"]),
        ("Word, Excel or PowerPoint\nSQL", ["Word", "Excel", "PowerPoint", "SQL"]),
        ("planning and scheduling", ["planning and scheduling"]),
        ("budget control and staff rosters", ["budget control and staff rosters"]),
        ("Java\nbudget control and staff rosters", ["Java", "budget control and staff rosters"]),
        ("Java; pipes and drums", ["Java", "pipes and drums"]),
        ("pipes and drums, song and stage", ["pipes and drums", "song and stage"]),
        ("pipes and drums, Java", ["pipes and drums", "Java"]),
        ("Java, supply chain management and goods in", ["Java", "supply chain management and goods in"]),
        ("Java, HTML/CSS, SQL", ["Java", "HTML", "CSS", "SQL"]),
        ("HTML/CSS", ["HTML/CSS"]),
        ("Java; /", ["Java", "/"]),
        ("Java, RF/IF", ["Java", "RF/IF"]),
        # an "and" behind a separator
        ("Word; and Excel", ["Word", "Excel"]),
        ("Word\nAnd Excel\nand_SQL", ["Word", "Excel", "SQL"]),
        ("WORD; AND EXCEL", ["WORD", "EXCEL"]),
        ("OR gate; AND gate; and", ["OR gate", "AND gate", "and"]),
        ("and Word; android", ["and Word", "android"]),
        ("; and Word", ["Word"]),
        # names and numbers that hold separators
        ("C/C++, PL / SQL, CI/CD", ["C/C++", "PL / SQL", "CI/CD"]),
        ("R&amp;D; P&amp;L; AT&T", ["R&amp;D", "P&amp;L", "AT&T"]),
        ("men&#39;s wear; hats", ["men&#39;s wear", "hats"]),
        ("&quot ; Sales&quot ; hats", ["&quot ; Sales&quot ; hats"]),
        ("R&DE; hats", ["R&DE", "hats"]),
        ("Java &bull; Python", ["Java", "Python"]),
        ("Java, research and development", ["Java", "research and development"]),
        ("Java, Health &amp; Safety", ["Java", "Health &amp; Safety"]),
        (
            "heating, ventilation, and air conditioning, C",
            ["heating, ventilation, and air conditioning", "C"],
        ),
        ("Microsoft Office (Word, Excel), SQL", ["Microsoft Office (Word, Excel)", "SQL"]),
        ("(Word, Excel)", ["(Word", "Excel)"]),
        ("Office (Word, Excel", ["Office (Word", "Excel"]),
        (
            "Mechanical, Electrical, and Plumbing (MEP), C",
            ["Mechanical, Electrical, and Plumbing (MEP)", "C"],
        ),
        ("1,000 tonnes, 3,5 bar, v3.5", ["1,000 tonnes", "3,5 bar", "v3.5"]),
        ("Acme, Inc., Word", ["Acme, Inc.", "Word"]),
        ("https://x.org/a,b", ["https://x.org/a", "b"]),
    ],
)
def test_default_separators_split_lists_and_nothing_else(field: str, expected: list[str]) -> None:
    assert pieces(field) == expected


@pytest.mark.parametrize(
    ("field", "separators", "expected"),
    [
        ("Java, Python", (), ["Java, Python"]),
        (" Java ", (), ["Java"]),
        ("Java, Python; SQL", (";",), ["Java, Python", "SQL"]),
        ("planning and budgets; SQL", (";", "and"), ["planning", "budgets", "SQL"]),
        ("planning AND budgets", ("and",), ["planning", "budgets"]),
        ("forklift, android, handling", ("or", "and"), ["forklift, android, handling"]),
        ("sas_and_r", ("and",), ["sas_", "_r"]),
        ("research and development and sales", ("and",), ["research and development", "sales"]),
        ("Java as well as C", ("as well as",), ["Java", "C"]),
        ("C#/.NET", ("/",), ["C#", ".NET"]),
        ("Java/C/C++", ("/",), ["Java", "C/C++"]),
        ("B2B/B2C/HTML", ("/",), ["B2B", "B2C", "HTML"]),
        ("TCP/IP/HTTP", ("/",), ["TCP/IP", "HTTP"]),
        ("I/O/AC/DC", (";",), ["I/O/AC/DC"]),
        ("OS/2, S/4HANA, UI / UX, HIV/AIDS, 24/7, A/B testing", ("/", ","), 6),
        ("Autocad 2D/3D", ("/",), ["Autocad 2D/3D"]),
        ("https://x.org/a/b", ("/",), ["https://x.org/a/b"]),
        ("Sales &amp; Care & R&amp;D & AT&T & Q&A", ("&",), ["Sales", "Care", "R&amp;D", "AT&T", "Q&A"]),
        ("terms and conditions and wine and spirits", ("and",), ["terms and conditions", "wine and spirits"]),
        ("food & beverage & track & trace", ("&",), ["food & beverage", "track & trace"]),
        ("Word, Excel and Access", (",", LIST_RULE), ["Word", "Excel", "Access"]),
        ("Word, Excel and Access", (",",), ["Word", "Excel and Access"]),
        ("a||b", ("|", ""), ["a", "b"]),
    ],
)
def test_given_separators_split_wherever_they_stand(
    field: str, separators: tuple[str, ...], expected: list[str] | int
) -> None:
    found = pieces(field, separators)
    assert (len(found) if isinstance(expected, int) else found) == expected


def test_pieces_know_where_they_stand() -> None:
    assert split_field(" Java , C ", [","]) == [Piece(1, 5, "Java"), Piece(8, 9, "C")]


def test_parse_field_returns_every_mention_in_order() -> None:
    found = parse_field("Java (5 years), 2019, R&amp;D and N/A", [","])
    assert [(m.raw, m.text, m.years, m.reason) for m in found] == [
        ("Java (5 years)", "java", 5.0, None),
        ("2019", None, None, "number"),
        ("R&amp;D and N/A", "r&d and n/a", None, None),
    ]


def test_a_document_in_a_field_is_one_rejected_mention() -> None:
    assert len(pieces("Java, C, " * (LONGEST_FIELD // 9))) > 1_000
    document = "Java, C, " * (LONGEST_FIELD // 9 + 1)
    (mention,) = parse_field(document, TEXT_SEPARATORS)
    assert (mention.raw, mention.reason) == (document.strip(), "too_long")


UNITS = ["x", "1", "(", "a,", "a/", "1/", "&", "&amp;", "e\u0301", "\u0301", "עב", "\u200b", "(a),", "C (MEP), ", "+ "]


@pytest.mark.parametrize("separators", [TEXT_SEPARATORS, ()])
@pytest.mark.parametrize("size", [LONGEST_FIELD // 2, 1_000_000])
def test_no_field_stalls_a_job(size: int, separators: tuple[str, ...]) -> None:
    fields = [unit * (size // len(unit)) for unit in UNITS] + [
        "(" * (size // 2) + ")" * (size // 2),
        "&" + "amp;" * (size // 4),
    ]
    for field in fields:
        started = time.perf_counter()
        found = parse_field(field, separators)
        assert time.perf_counter() - started < 1, (field[:9], len(found))


@pytest.mark.parametrize(
    "raw", ["(" * 1_000 + ")" * 1_000, "(" * 1_000 + "a" + ")" * 999, "1/" * 1_000, "5 years " * 250]
)
def test_no_mention_stalls_a_job(raw: str) -> None:
    started = time.perf_counter()
    parse_field(raw, ())
    assert time.perf_counter() - started < 1
