"""What several pages draw: failures, bars, contributions, a probability on its scale, and histograms."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lightmodel.console.failures import BrokenRule, ServiceFailure
from lightmodel.console.files.summary import Histogram
from lightmodel.console.formatting import (
    html,
    label_text,
    number,
    percent,
    plain,
    shortened,
    signed,
)
from lightmodel.console.theme import Colours, colours_of

_MAX_RULES = 50


def colours() -> Colours:
    """Return the colours that this reader sees."""
    return colours_of(st.context.theme.type)


def show_failure(failure: ServiceFailure) -> None:
    """Draw a failure as a sentence, what to do, and the rules that rows break."""
    lines = [plain(f"{failure.message} {failure.hint}".strip())]
    lines += [f"- {_rule_text(rule)}" for rule in failure.rules[:_MAX_RULES]]
    if len(failure.rules) > _MAX_RULES:
        lines.append(f"- and {len(failure.rules) - _MAX_RULES} more")
    st.error("\n".join([lines[0], "", *lines[1:]]), icon=":material/error:")


def _rule_text(rule: BrokenRule) -> str:
    subject = f"**{plain(rule.column)}** " if rule.column else ""
    more = f", … {rule.total:,} in all" if rule.total > len(rule.rows) else ""
    numbers = ", ".join(f"{row:,}" for row in rule.rows)
    where = f" ({'row' if rule.total == 1 else 'rows'} {numbers}{more})" if rule.total else ""
    return f"{subject}{plain(rule.detail)}{where}"


def bars(items: Sequence[tuple[str, float, str]]) -> str:
    """Return bars as HTML: for each a name, a share of the whole width, and the text beside it."""
    rows = (
        f'<li><span class="name" title="{html(name)}">{html(shortened(name))}</span>'
        f'<span class="lm-track" aria-hidden="true"><i style="width:{100 * share:.2f}%"></i></span>'
        f'<span class="amount">{html(text)}</span></li>'
        for name, share, text in items
    )
    return f'<ul class="lm-bars">{"".join(rows)}</ul>'


def verdict(target: str, label: str) -> str:
    """Return a prediction as HTML."""
    return (
        f'<p class="lm-verdict"><span class="lm-quiet">{html(shortened(target))}</span>'
        f"<strong>{html(label)}</strong></p>"
    )


def meter(probability: float, threshold: float, positive: str) -> str:
    """Return a probability on its scale, with the threshold, as HTML."""
    text = f"Probability of {positive}: {percent(probability)}. Threshold: {percent(threshold)}."
    return (
        f"<p>Probability of {html(shortened(positive))} "
        f'<b title="{probability}">{percent(probability)}</b></p>'
        f'<div class="lm-meter" role="img" aria-label="{html(text)}">'
        f'<i style="width:{100 * probability:.2f}%"></i>'
        f'<span style="left:{100 * threshold:.2f}%"></span></div>'
        f'<p class="lm-scale">0 <span>threshold {percent(threshold)}</span> 1</p>'
    )


def contributions(parts: Sequence[Mapping[str, Any]], record: Mapping[str, Any], about: str) -> str:
    """Return the largest contributions to a prediction as HTML, with the value of each feature."""
    largest = max((abs(part["value"]) for part in parts), default=0) or 1
    rows = []
    for part in parts:
        given = record.get(part["feature"])
        shown = "missing" if given is None else shortened(label_text(given), 24)
        side = " less" if part["value"] < 0 else ""
        width = 50 * abs(part["value"]) / largest
        rows.append(
            f'<tr><th scope="row" title="{html(part["feature"])}">{html(shortened(part["feature"], 24))}'
            f'<span class="lm-unit">{html(shown)}</span></th>'
            f'<td class="lm-swings" aria-hidden="true"><span class="lm-swing{side}">'
            f'<i style="width:{width:.2f}%"></i></span></td><td>{signed(part["value"])}</td></tr>'
        )
    return (
        f'<table class="lm-moved" aria-label="Largest contributions"><tbody>{"".join(rows)}</tbody></table>'
        f'<p class="lm-quiet">{html(about)}</p>'
    )


def table(names: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """Return a table as HTML, which scrolls by itself; Streamlit's would load pandas."""
    numeric = [all(map(_is_number, column)) for column in zip(*rows, strict=True)] or [False] * len(
        names
    )
    head = "".join(
        f'<th scope="col"{_side(number)}>{html(name)}</th>'
        for name, number in zip(names, numeric, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_side(number)}>{html(cell)}</td>"
            for cell, number in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="lm-scroll" role="region" aria-label="{html(label)}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _side(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def aside(text: str) -> str:
    """Return a note as HTML."""
    return f'<p class="lm-aside">{html(text)}</p>'


def show_histogram(histogram: Histogram, *, title: str, threshold: float | None) -> None:
    """Draw a histogram; a threshold parts its colours."""
    shown = colours()
    layers = [_bars_of(histogram, title, threshold, shown)]
    if threshold is not None:
        rule = {"type": "rule", "color": shown.two, "strokeWidth": 2, "strokeDash": [5, 4]}
        at = {"x": {"field": "at", "type": "quantitative"}}
        layers.append({"data": {"values": [{"at": threshold}]}, "mark": rule, "encoding": at})
    show_chart({"layer": layers}, _described(histogram, title))


def _bars_of(
    histogram: Histogram, title: str, threshold: float | None, shown: Colours
) -> dict[str, Any]:
    step = (histogram.high - histogram.low) / len(histogram.amounts)
    starts = [histogram.low + step * place for place in range(len(histogram.amounts))]
    rows = [
        {
            "from": start,
            "to": start + step,
            "rows": amount,
            "above": threshold is None or start + step / 2 >= threshold,
        }
        for start, amount in zip(starts, histogram.amounts, strict=True)
    ]
    scale = {"domain": [histogram.low, histogram.high]}
    counts = {"format": "~s", "tickMinStep": 1}
    sides = {"domain": [True, False], "range": [shown.one, shown.below]}
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "stroke": shown.card, "strokeWidth": 0.5},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "title": title, "scale": scale},
            "x2": {"field": "to"},
            "y": {"field": "rows", "type": "quantitative", "title": "Rows", "axis": counts},
            "y2": {"datum": 0},
            "color": {"field": "above", "type": "nominal", "legend": None, "scale": sides},
            "tooltip": [
                {"field": "from", "type": "quantitative", "format": ".4~g"},
                {"field": "to", "type": "quantitative", "format": ".4~g"},
                {"field": "rows", "type": "quantitative", "format": ","},
            ],
        },
    }


def show_chart(spec: Mapping[str, Any], about: str, height: int = 230) -> None:
    """Draw a chart of Vega-Lite; `about` says what it shows to those who do not see it."""
    whole = {**spec, "height": height, "background": colours().card}
    st.vega_lite_chart(spec=whole, alt=about)


def _described(histogram: Histogram, title: str) -> str:
    most = max(range(len(histogram.amounts)), key=lambda place: histogram.amounts[place])
    step = (histogram.high - histogram.low) / len(histogram.amounts)
    start = histogram.low + step * most
    return (
        f"Histogram of {sum(histogram.amounts):,} rows: {title}, from {number(histogram.low)} to "
        f"{number(histogram.high)}; most rows are between {number(start)} and {number(start + step)}."
    )
