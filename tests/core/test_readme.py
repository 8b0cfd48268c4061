"""The README's table of settings is the code's."""

import re
from pathlib import Path

from skillsim.config import Config

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def row(key: str, default: object, description: str | None) -> str:
    """Defaults as TOML writes them."""
    shown = "" if default in (None, "", {}) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    return f"| `{key}` | {shown} | {description} |"


def test_the_readme_has_every_setting_with_its_default_and_description_and_no_other() -> None:
    expected = [
        row(f"{section}.{key}", setting.get_default(call_default_factory=True), setting.description)
        for section, field in Config.model_fields.items()
        for key, setting in field.annotation.model_fields.items()  # type: ignore[union-attr]
    ]
    assert re.findall(r"^\| `[a-z]+\.[a-z_]+` \|.*$", README, re.MULTILINE) == expected
