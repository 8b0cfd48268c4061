"""The map of skills as one self-contained page: a point a cluster, coloured by group, sized by mentions."""

from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from skillsim.errors import ConfigError

MOST_GROUPS = 12  # with a colour of their own
OTHER = "(others)"
SHOWN = ["representative", "mentions", "status", "concept_label", "group_label"]


def draw_map(points: pd.DataFrame, path: Path) -> None:
    """`points`: rows of SKILL_MAP. Needs no network when it is opened. Raises ConfigError without the extra `map`."""
    try:
        import vl_convert

        spec = map_chart(points)
    except ImportError as error:
        raise ConfigError("a map of skills is drawn by altair: pip install 'skillsim[map]'.") from error
    library = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub asks for a snippet
    templates = Environment(loader=PackageLoader("skillsim", "data"), autoescape=True, undefined=StrictUndefined)
    page = templates.get_template("map.html.j2").render(library=library, spec=spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def map_chart(points: pd.DataFrame) -> dict[str, Any]:
    """A Vega-Lite chart with the data in it."""
    import altair as alt

    groups = points.groupby("group_label")["mentions"].sum().nlargest(MOST_GROUPS).index
    points = points.assign(group=points["group_label"].where(points["group_label"].isin(groups), OTHER))
    chosen = alt.selection_point(fields=["group"], bind="legend")
    legend = alt.Legend(title="group (click to choose)", labelLimit=300)
    with alt.data_transformers.enable("default", max_rows=None):
        return (
            alt.Chart(points[["x", "y", "group", *SHOWN]], title="Skills, neighbours together", width=900, height=700)
            .mark_circle()
            .encode(
                x=alt.X("x", axis=None),
                y=alt.Y("y", axis=None),
                color=alt.Color("group", sort=[*groups, OTHER], legend=legend, scale=alt.Scale(scheme="tableau20")),
                size=alt.Size("mentions", scale=alt.Scale(type="sqrt", range=[8, 900])),
                opacity=alt.when(chosen).then(alt.value(0.75)).otherwise(alt.value(0.05)),
                tooltip=SHOWN,
            )
            .add_params(chosen)
            .interactive()
            .to_dict()
        )
