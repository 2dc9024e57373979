"""Tables as HTML, which wrap on a phone and are read aloud well; and charts of curves."""

from collections.abc import Iterable, Mapping, Sequence

from lightmodel.console.formatting import html
from lightmodel.console.pictures import colours, show_chart

Curves = Mapping[str, Sequence[tuple[float, float]]]

_MAX_LEGEND = 12  # names; more would take more room than the chart
_SHORT, _SHORT_COLUMNS = (
    8,
    4,
)  # letters of names that are so short that more of them fit side by side


def wrapping_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], about: str, *, marked: int | None = None
) -> str:
    """Return a table as HTML whose cells are texts that wrap; on a narrow screen each row is a block.

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
    points = [
        {"curve": name, "x": point[0], "y": point[1], "order": place}
        for name, line in curves.items()
        for place, point in enumerate(line)
    ]
    lines = {
        "data": {"values": points},
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x, "scale": {"nice": False}},
            "y": {"field": "y", "type": "quantitative", "title": y, "scale": {"zero": False}},
            "order": {"field": "order"},
            "color": _colour("curve", [*curves]),
            "tooltip": [
                {"field": "curve", "title": "curve"},
                {"field": "x", "type": "quantitative", "format": ".4~g", "title": x},
                {"field": "y", "type": "quantitative", "format": ".4~g", "title": y},
            ],
        },
    }
    chance = {
        "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1, "color": colours().edge},
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative"},
        },
    }
    show_chart({"layer": [chance, lines] if diagonal else [lines]}, about, 280)


def show_pairs(
    values: Mapping[str, Mapping[str, float]], *, title: str, about: str, most: int = 40
) -> None:
    """Draw horizontal bars, for each name one for each side: side → name → value; `most` names at most."""
    names = list(dict.fromkeys(name for named in values.values() for name in named))[:most]
    rows = [
        {"name": name, "side": side, "value": named[name]}
        for side, named in values.items()
        for name in names
        if name in named
    ]
    sides = [*values]
    spec = {
        "data": {"values": rows},
        "mark": "bar",
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": names, "title": None},
            "yOffset": {"field": "side", "sort": sides},
            "x": {"field": "value", "type": "quantitative", "title": title},
            "color": _colour("side", sides),
            "tooltip": [
                {"field": "name"},
                {"field": "side"},
                {"field": "value", "type": "quantitative", "format": ".4~g"},
            ],
        },
    }
    show_chart(spec, about, 140 + 20 * len(names) * len(sides))


def _colour(field: str, names: Sequence[str]) -> dict[str, object]:
    """Return the encoding of colours: two stand out, more are shades."""
    shown = colours()
    palette = [shown.one, shown.two, shown.edge, shown.below, shown.muted, shown.ink]
    scale = {"domain": [*names], "range": [palette[at % len(palette)] for at in range(len(names))]}
    is_needed = 1 < len(names) <= _MAX_LEGEND
    columns = _SHORT_COLUMNS if max(map(len, names), default=0) <= _SHORT else 2
    legend = {"title": None, "orient": "bottom", "columns": columns, "labelLimit": 300}
    return {
        "field": field,
        "type": "nominal",
        "scale": scale,
        "legend": legend if is_needed else None,
    }
