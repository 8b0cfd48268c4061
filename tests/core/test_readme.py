"""The README's table of settings is the code's."""

from pathlib import Path

from skillsim.config import Config

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_setting_stands_in_the_readme_with_its_default_and_description() -> None:
    for section, field in Config.model_fields.items():
        for key, setting in field.annotation.model_fields.items():  # type: ignore[union-attr]
            default = setting.get_default(call_default_factory=True)
            shown = "" if default in (None, "", {}) else f"`{default}`"
            assert f"| `{section}.{key}` | {shown} | {setting.description} |" in README
