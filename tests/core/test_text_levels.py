"""Proficiency and years in a field, and names that only look like them, one line per case."""

import pytest

from skillsim.text import Cleaned, clean


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
