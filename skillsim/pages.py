"""HTML pages that need nothing but themselves: no network when they are opened, and no text of the data that runs."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from skillsim.artifacts import host_cache

Spec = dict[str, Any]  # a Vega-Lite chart with its data
NEEDS = "pip install 'skillsim[map]'"


def render_page(template: str, charts: dict[str, Spec] | None, **values: object) -> str:
    """`charts`: by the id of the element they are drawn in; None where nothing is installed that draws them."""
    environment = Environment(
        loader=PackageLoader("skillsim", "data"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"n": "{:,}".format, "share": "{:.1%}".format}
    library = chart_library() if charts else ""
    return environment.get_template(template).render(charts=charts, library=library, needs=NEEDS, **values)


def write_page(page: str, path: Path) -> None:
    """Whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_text(page, encoding="utf-8")
    draft.replace(path)


def chart_library() -> str:
    """JavaScript of Vega, Vega-Lite and Vega-Embed; bundling it takes 5 to 9 s, so a host keeps it."""
    import vl_convert

    kept = host_cache() / f"vega-{version('vl-convert-python')}.js"
    if not kept.is_file():
        write_page(vl_convert.javascript_bundle(), kept)  # type: ignore[call-arg]  # its stub asks for a snippet
    return kept.read_text(encoding="utf-8")
