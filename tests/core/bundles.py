"""Small ESCO bundles, written as folders and zips."""

import csv
import io
import zipfile
from pathlib import Path

from skillsim.esco import Taxonomy, find_bundle, read_taxonomy

EN_ZIP = "ESCO dataset - v{} - classification - en - csv.zip"
FREE_ZIP = "ESCO dataset - v{} - classification -  - csv.zip"

SKILL_COLUMNS = "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,description"
GROUP_COLUMNS = "conceptType,conceptUri,preferredLabel,altLabels,hiddenLabels,status,description,code"
OCCUPATION_COLUMNS = "conceptType,conceptUri,iscoGroup,preferredLabel,altLabels,hiddenLabels,status,description"
HIERARCHY_COLUMNS = (
    "Level 0 URI,Level 0 preferred term,Level 1 URI,Level 1 preferred term,"
    "Level 2 URI,Level 2 preferred term,Level 3 URI,Level 3 preferred term,"
    "Description,Scope note,Level 0 code,Level 1 code,Level 2 code,Level 3 code"
)

Files = dict[str, str]


def sheet(columns: str, *rows: list[str] | tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([columns.split(","), *rows])
    return out.getvalue()


def skill(uri: str, label: str, alternatives: str = "", hidden: str = "", status: str = "released") -> list[str]:
    about = f"About {label}."
    return [
        "KnowledgeSkillCompetence",
        uri,
        "knowledge",
        "cross-sector",
        label,
        alternatives,
        hidden,
        status,
        about,
    ]


def group(uri: str, label: str, code: str = "") -> list[str]:
    return ["SkillGroup", uri, label, "", "", "released", f"About {label}.", code]


def broader(*pairs: tuple[str, str]) -> str:
    rows = [("", child, "", parent) for child, parent in pairs]
    return sheet("conceptType,conceptUri,broaderType,broaderUri", *rows)


def small_files() -> Files:
    """Java below programming languages below the groups S5.1 and, as a field, isced-f/0613; a lone Welsh."""
    return {
        "skills_en.csv": sheet(
            SKILL_COLUMNS,
            skill("u:java", "Java", "Core Java\nJava SE", "jvaa"),
            skill("u:languages", "programming languages", "coding languages"),
            skill("u:welsh", "Welsh"),
        ),
        "skillGroups_en.csv": sheet(
            GROUP_COLUMNS,
            group("u:S", "skills", "S"),
            group("u:S5", "computers", "S5"),
            group("u:S5.1", "programming", "S5.1"),
            group("u:K", "knowledge", "K"),
            group("http://x/isced-f/0613", "software development"),
        ),
        "skillsHierarchy_en.csv": sheet(
            HIERARCHY_COLUMNS,
            ["u:S", "skills", *[""] * 8, "S"],
            ["u:S", "skills", "u:S5", "computers", *[""] * 6, "S", "S5"],
            ["u:S", "skills", "u:S9", "only here", "", "", "", "", "All of S9.", "", "S", "S9"],
        ),
        "occupations_en.csv": sheet(
            OCCUPATION_COLUMNS,
            [
                "Occupation",
                "u:dev",
                "2512",
                "developer",
                "coder\nDeveloper\n coder ",
                "hacker",
                "released",
                "Codes.",
            ],
        ),
        "broaderRelationsSkillPillar.csv": broader(
            ("u:S5", "u:S"),
            ("u:S5.1", "u:S5"),
            ("http://x/isced-f/0613", "u:K"),
            ("u:java", "u:languages"),
            ("u:languages", "u:S5.1"),
            ("u:languages", "http://x/isced-f/0613"),
        ),
        "skillSkillRelations.csv": sheet(
            "originalSkillUri,originalSkillType,relationType,relatedSkillType,relatedSkillUri",
            ["u:java", "", "optional", "", "u:languages"],
        ),
        "occupationSkillRelations.csv": sheet(
            "occupationUri,relationType,skillType,skillUri", ["u:dev", "essential", "", "u:java"]
        ),
    }


def as_folder(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("utf-8-sig"))
    return folder


def as_zip(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode("utf-8-sig"))
    return path


def as_downloaded(folder: Path, files: Files, version: str = "1.1.1") -> Path:
    """The two official zips."""
    free = {name: text for name, text in files.items() if "Relations" in name}
    as_zip(folder / FREE_ZIP.format(version), free)
    as_zip(folder / EN_ZIP.format(version), {n: t for n, t in files.items() if n not in free})
    return folder


def taxonomy_of(folder: Path, files: Files, language: str = "en") -> Taxonomy:
    return read_taxonomy(find_bundle(as_folder(folder, files), language))


def concept(taxonomy: Taxonomy, uri: str) -> dict:
    return next(row for row in taxonomy.concepts.to_pylist() if row["concept_uri"] == uri)


def edges(taxonomy: Taxonomy, predicate: str) -> set[tuple[str, str]]:
    rows = taxonomy.relations.to_pylist()
    return {(row["subject_uri"], row["object_uri"]) for row in rows if row["predicate"] == predicate}
