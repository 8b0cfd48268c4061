"""What the text rules do to strings as people write them, one line per case."""

import hashlib

import pytest

from skillsim.text import (
    LIST_RULE,
    TEXT_SEPARATORS,
    Cleaned,
    Piece,
    clean,
    parse_field,
    parse_mention,
    repair,
    split_field,
    text_key,
)


def pieces(field: str, separators: tuple[str, ...] = TEXT_SEPARATORS) -> list[str]:
    return [piece.raw for piece in split_field(field, separators)]


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
        ("and marketing", "marketing"),
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
    ("raw", "text", "proficiency", "years"),
    [
        # behind the name
        ("Java (expert)", "java", "expert", None),
        ("Excel - Advanced", "excel", "advanced", None),
        ("Excel – basics", "excel", "basic", None),
        ("Excel [Intermediate level]", "excel", "intermediate", None),
        ("English: fluent", "english", "fluent", None),
        ("German (native speaker)", "german", "native", None),
        ("German (native or bilingual proficiency)", "german", "native", None),
        ("French C1", "french", "C1", None),
        ("French (B2+)", "french", "B2+", None),
        ("Deutsch - C2", "deutsch", "C2", None),
        ("french B2 certified", "french", "B2", None),
        ("Spanish fluent", "spanish", "fluent", None),
        ("native Japanese", "japanese", "native", None),
        ("Spanish (B1/B2)", "spanish", "B1/B2", None),
        ("C1 English", "english", "C1", None),
        ("Mother tongue: Polish", "polish", "native", None),
        ("Excel, advanced", "excel", "advanced", None),
        ("Java (8/10)", "java", "8/10", None),
        ("Java (5 years)", "java", None, 5.0),
        ("Java (min. 2 years of experience)", "java", None, 2.0),
        ("Java 5+ yrs", "java", None, 5.0),
        ("Java - 5 years", "java", None, 5.0),
        ("Java, 3.5 years", "java", None, 3.5),
        ("C++ 18 months", "c++", None, 1.5),
        ("Java 2 - 3 yrs", "java", None, 2.0),
        ("Java (2-3 years)", "java", None, 2.0),
        ("Sage 50 - 2 years", "sage 50", None, 2.0),
        ("Python (3 yrs, advanced)", "python", "advanced", 3.0),
        ("Java - expert, 10+ years", "java", "expert", 10.0),
        ("Java (expert) (5 years)", "java", "expert", 5.0),
        # before the name
        ("5+ years of experience in Java", "java", None, 5.0),
        ("minimum 3 years exp in SAP", "sap", None, 3.0),
        ("5+ years Java", "java", None, 5.0),
        ("5 years of Java", "java", None, 5.0),
        ("10 years' experience in sales", "sales", None, 10.0),
        ("expert in Java", "java", "expert", None),
        ("Proficient with SQL", "sql", "proficient", None),
        ("proficient user of Excel", "excel", "proficient", None),
        ("good knowledge of Excel", "excel", "good", None),
        ("Must have strong experience in sales", "sales", "strong", None),
        ("knowledge of tally", "tally", None, None),
        ("hands-on experience with Kafka", "kafka", "hands-on", None),
        ("familiar with Git", "git", "familiar", None),
        ("excellent communication skills", "communication skills", "excellent", None),
        ("very good analytical ability", "analytical ability", "very good", None),
    ],
)
def test_level_and_years_move_to_their_own_fields(
    raw: str, text: str, proficiency: str | None, years: float | None
) -> None:
    assert clean(raw) == Cleaned(text, proficiency, years)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "visual basic",
            "basic life support",
            "advanced cardiac life support",
            "advanced excel",
            "basic java",
        ),
        *(
            "intermediate accounting",
            "expert systems",
            "seo expert",
            "subject matter expert",
            "expert witness",
        ),
        *(
            "knowledge management",
            "experience design",
            "user experience",
            "fluent",
            "ansys fluent",
            "native apps",
        ),
        *("ansys (fluent)", "react native", "react (native)", "native american history", "business english"),
        *(
            "good manufacturing practice",
            "strong customer focus",
            "solid edge",
            "sound engineering",
            "deep learning",
        ),
        *(
            "3 years",
            "10 years experience",
            "basic",
            "expert",
            "b2",
            "sap b1",
            "year end accounts",
            "year 2000",
        ),
        *(
            "ability to work in a team",
            "be fluent in french",
            "working capital",
            "caring for children aged 3 years",
        ),
        *("exp for 6 months", "cat (c1)", "driving licence - c1", "proficiency testing"),
    ],
)
def test_names_that_look_like_levels_stay_whole(name: str) -> None:
    assert clean(name) == Cleaned(name, None, None)


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


def test_parse_field_returns_every_mention_in_order() -> None:
    found = parse_field("Java (5 years), 2019, R&amp;D and N/A", [","])
    assert [(m.raw, m.text, m.years, m.reason) for m in found] == [
        ("Java (5 years)", "java", 5.0, None),
        ("2019", None, None, "number"),
        ("R&amp;D and N/A", "r&d and n/a", None, None),
    ]
