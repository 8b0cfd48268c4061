"""The map of skills: a point a cluster, coloured by group, sized by mentions; in the report, or a page by itself."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skillsim.charts import GREY
from skillsim.errors import ConfigError
from skillsim.pages import NEEDS, Spec, render_page, write_page

COLOURS = [  # of the largest groups
    *("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2"),
    *("#c9a227", "#9c755f", "#ff9da7", "#2f9ec4", "#8cd17d", "#d37295"),
]
OTHER = "(others)"
NAMED = 40  # clusters that have their name on the map
_LETTER, _LINE = 0.006, 0.025  # shares of the map's width and height
SHOWN = ["representative", "mentions", "status", "concept_label", "group_label"]


def draw_map(points: pd.DataFrame, path: Path) -> None:
    """`points`: rows of SKILL_MAP. Needs no network when it is opened. Raises ConfigError without the extra `map`."""
    try:
        page = render_page("map.html.j2", {"map": map_chart(points)})
    except ImportError as error:
        raise ConfigError(f"a map of skills is drawn by altair: {NEEDS}.") from error
    write_page(page, path)


def map_chart(points: pd.DataFrame) -> Spec:
    """With the data in it; a group and a name can be looked for by mouse and keyboard."""
    import altair as alt

    groups = list(points.groupby("group_label")["mentions"].sum().nlargest(len(COLOURS)).index)
    points = points.assign(group=points["group_label"].where(points["group_label"].isin(groups), OTHER))
    points = points.assign(named=_named(points))[["x", "y", "group", "named", *SHOWN]].round({"x": 2, "y": 2})
    find = alt.param(name="find", value="", bind=alt.binding(input="search", name="Find a skill: "))
    choices = alt.binding_select(options=["", *groups, OTHER], labels=["all", *groups, OTHER], name="Group: ")
    chosen = alt.param(name="chosen", value="", bind=choices)
    colours = alt.Scale(domain=[*groups, OTHER], range=[*COLOURS[: len(groups)], GREY])
    legend = alt.Legend(title=None, orient="bottom", columns=3, labelLimit=320, symbolOpacity=1)
    found = "(chosen == '' || datum.group == chosen) && indexof(lower(datum.representative), lower(find)) >= 0"
    zoom = alt.selection_interval(bind="scales", zoom="wheel![event.altKey]")  # a wheel alone scrolls the page
    with alt.data_transformers.enable("default", max_rows=None):
        space = alt.Scale(zero=False, nice=False, padding=25)
        base = alt.Chart(points).encode(x=alt.X("x", axis=None, scale=space), y=alt.Y("y", axis=None, scale=space))
        dots = base.mark_circle(aria=False).encode(
            color=alt.Color("group", scale=colours, legend=legend),
            size=alt.Size("mentions", scale=alt.Scale(type="sqrt", range=[8, 700]), legend=None),
            opacity=alt.when(found).then(alt.value(0.75)).otherwise(alt.value(0.04)),
            tooltip=SHOWN,
        )
        names = (
            base.transform_filter("datum.named")
            .mark_text(fontSize=11, color="currentColor", aria=False)
            .encode(text="representative", opacity=alt.when(found).then(alt.value(1)).otherwise(alt.value(0)))
        )
        drawn = (dots.add_params(zoom) + names).add_params(find, chosen)
        return drawn.properties(width="container", height=620, description="Map of skills").to_dict()


def _named(points: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """(points,): the largest whose names do not lie on that of a larger one."""
    places = points[["x", "y"]].to_numpy(float)
    places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
    length = points["representative"].str.len().to_numpy() * _LETTER
    named = np.zeros(len(points), bool)
    for row in np.argsort(-points["mentions"].to_numpy(), kind="stable"):
        across, down = np.abs(places[named] - places[row]).T
        named[row] = not ((across < (length[named] + length[row]) / 2) & (down < _LINE)).any()
        if named.sum() == NAMED:
            break
    return named
