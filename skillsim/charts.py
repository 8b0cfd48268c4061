"""The report's charts, by altair. `page.html.j2` gives texts and axes the page's own colour, light, dark or printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skillsim.audit import FOUR_FIFTHS, Comparison
from skillsim.pages import Spec

if TYPE_CHECKING:
    from skillsim.report import ClusterRow, RunRow, StatusRow

# Legible on white and on black.
ACCENT, GREY = "#3d85c6", "#8b929c"
STATUS_COLOURS = {
    "matched": "#2e9e6b",
    "ambiguous": "#d9930d",
    "nil": "#cf5b4a",
    "not_skill": GREY,
    "rejected": "#5f6670",
}
MOST_BARS = 15


def status_chart(statuses: Sequence["StatusRow"]) -> Spec:
    import altair as alt

    order = [name for name in STATUS_COLOURS if any(row.status == name for row in statuses)]
    rows = [{"status": row.status, "mentions": row.mentions, "place": order.index(row.status)} for row in statuses]
    colour = alt.Scale(domain=order, range=[STATUS_COLOURS[name] for name in order])
    chart = alt.Chart(_data(rows), width="container", height=44, description="Share of each status").mark_bar()
    return chart.encode(
        x=alt.X("mentions:Q", stack="normalize", axis=alt.Axis(format="%", title=None, grid=False)),
        color=alt.Color("status:N", scale=colour, legend=alt.Legend(orient="bottom", title=None)),
        order="place:Q",
        tooltip=["status:N", alt.Tooltip("mentions:Q", format=",")],
    ).to_dict()


def coverage_chart(runs: Sequence["RunRow"]) -> Spec:
    """`runs`: the oldest first."""
    import altair as alt

    rows = [{"run": f"{run.at:%Y-%m-%dT%H:%M:%SZ}", "coverage": run.coverage, "mentions": run.mentions} for run in runs]
    chart = alt.Chart(_data(rows), width="container", height=180, description="Coverage of each run")
    return (
        chart.mark_line(color=ACCENT, point={"color": ACCENT, "size": 60})
        .encode(
            x=alt.X("run:T", title=None, scale=alt.Scale(type="utc", padding=20), axis=alt.Axis(tickCount=6)),
            y=alt.Y("coverage:Q", title="coverage", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False, padding=10)),
            tooltip=[
                alt.Tooltip("run:T", format="%Y-%m-%d %H:%M"),
                alt.Tooltip("coverage:Q", format=".1%"),
                alt.Tooltip("mentions:Q", format=","),
            ],
        )
        .to_dict()
    )


def growth_chart(clusters: Sequence["ClusterRow"]) -> Spec:
    """From the mentions before to those now."""
    import altair as alt

    rows = [
        {"skill": one.representative, "before": one.mentions_before or 0, "now": one.mentions}
        for one in clusters[:MOST_BARS]
    ]
    chart = alt.Chart(_data(rows)).encode(
        y=alt.Y("skill:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)),
        tooltip=["skill:N", alt.Tooltip("before:Q", format=","), alt.Tooltip("now:Q", format=",")],
    )
    line = chart.mark_rule(color=ACCENT, strokeWidth=3).encode(
        x=alt.X("before:Q", title="mentions: before (hollow) and now"), x2="now:Q"
    )
    before = chart.mark_point(color=GREY, size=60).encode(x="before:Q")
    layers = line + before + chart.mark_point(color=ACCENT, size=90, filled=True, opacity=1).encode(x="now:Q")
    size = {"width": "container", "height": 22 * len(rows)}
    return layers.properties(**size, description="Mentions before and now").to_dict()


def impact_chart(outcomes: dict[str, Comparison]) -> Spec:
    """The ratio of each group to the highest one, its interval, and the line of four fifths."""
    import altair as alt

    rows = [
        {"outcome": outcome, "group": row.group, "ratio": row.ratio, "low": row.low, "high": row.high or 1.0}
        for outcome, comparison in outcomes.items()
        for row in comparison.groups
    ]
    chart = alt.Chart(width=420).encode(y=alt.Y("group:N", title=None))
    low = alt.X("low:Q", title="ratio to the highest group", scale=alt.Scale(zero=False, padding=15))
    interval = chart.mark_rule(color=ACCENT, strokeWidth=2).encode(x=low, x2="high:Q")
    ratio = chart.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(
        x="ratio:Q",
        tooltip=["group:N", *(alt.Tooltip(f"{name}:Q", format=".2f") for name in ("ratio", "low", "high"))],
    )
    bound = alt.Chart().mark_rule(color=STATUS_COLOURS["nil"], strokeDash=[4, 4]).encode(x=alt.datum(FOUR_FIFTHS))
    header = alt.Header(title=None, labelAngle=0, labelAlign="left", labelOrient="top", labelAnchor="start")
    return (
        alt.layer(bound, interval, ratio, data=_data(rows))
        .facet(row=alt.Row("outcome:N", sort=list(outcomes), header=header))
        .to_dict()
    )


def _data(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    return alt.Data(values=rows)
