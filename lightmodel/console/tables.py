"""Tables as HTML, which wrap on a phone and are read aloud well; and charts of curves."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from lightmodel.console.formatting import html
from lightmodel.console.pictures import colours

Curves = Mapping[str, Sequence[tuple[float, float]]]


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], about: str, *, marked: int | None = None
) -> str:
    """Return a table as HTML whose cells are texts; on a narrow screen each row is a block.

    `about` names it for screen readers, `marked` is the number of the row that stands out.
    """
    head = "".join(f'<th scope="col">{html(name)}</th>' for name in heads)
    body = "".join(
        f"<tr{' class=marked' if place == marked else ''}>{_cells(heads, row)}</tr>"
        for place, row in enumerate(rows)
    )
    return (
        f'<table class="lm-table" aria-label="{html(about)}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cells(heads: Sequence[str], row: Sequence[str]) -> str:
    first, *others = (
        f'data-head="{html(head)}">{html(text)}' for head, text in zip(heads, row, strict=True)
    )
    cells = "".join(f"<td {other}</td>" for other in others)
    return f'<th scope="row" {first}</th>{cells}'


def show_curves(curves: Curves, *, x: str, y: str, about: str, diagonal: bool = False) -> None:
    """Draw curves by name; `about` says in words what can be seen. `diagonal` adds the line of chance."""
    import altair as alt  # it takes a while, and most pages need it never or late

    points = [
        {"curve": name, "x": point[0], "y": point[1], "order": place}
        for name, line in curves.items()
        for place, point in enumerate(line)
    ]
    if not points:
        return
    shown = colours()
    palette = [shown.one, shown.two, shown.edge, shown.below, shown.muted]
    many = len(curves) > len(palette)
    scale = alt.Undefined if many else alt.Scale(domain=[*curves], range=palette[: len(curves)])
    legend = None if len(curves) == 1 or many else alt.Legend(title=None, orient="bottom")
    chart = (
        alt.Chart(alt.Data(values=points))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("x:Q", title=x, scale=alt.Scale(zero=False, nice=False)),
            y=alt.Y("y:Q", title=y, scale=alt.Scale(zero=False)),
            order="order:Q",
            color=alt.Color("curve:N", scale=scale, legend=legend),
            tooltip=[
                "curve:N",
                alt.Tooltip("x:Q", format=".4~g"),
                alt.Tooltip("y:Q", format=".4~g"),
            ],
        )
    )
    if diagonal:
        ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
        line = alt.Chart(ends).mark_line(color=shown.edge, strokeDash=[4, 4], strokeWidth=1)
        chart = line.encode(x="x:Q", y="y:Q") + chart
    st.altair_chart(chart.properties(height=280), alt=about)


def show_pairs(values: Mapping[str, Mapping[str, float]], *, title: str, about: str) -> None:
    """Draw horizontal bars, for each name one for each side: side → name → value."""
    import altair as alt

    rows = [
        {"name": name, "side": side, "value": value}
        for side, named in values.items()
        for name, value in named.items()
    ]
    if not rows:
        return
    shown, names = colours(), list(dict.fromkeys(row["name"] for row in rows))
    scale = alt.Scale(domain=[*values], range=[shown.one, shown.two][: len(values)])
    legend = alt.Legend(title=None, orient="bottom") if len(values) > 1 else None
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=names, title=None),
            yOffset=alt.YOffset("side:N", sort=[*values]),
            x=alt.X("value:Q", title=title),
            color=alt.Color("side:N", scale=scale, legend=legend),
            tooltip=["name:N", "side:N", alt.Tooltip("value:Q", format=".4~g")],
        )
    )
    height = max(120, 18 * len(names) * len(values) + 40)
    st.altair_chart(chart.properties(height=height), alt=about)
