"""The page Watch: what the service measures over time, live quality, and the upload of labels."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from lightmodel.console.failures import ServiceFailure
from lightmodel.console.files.exchange import Ticket, owner_of
from lightmodel.console.files.uploader import drop_zone, failure_in
from lightmodel.console.formatting import label_text, local_time, number, percent, plain, plural
from lightmodel.console.pictures import bars, colours, show_chart, show_failure
from lightmodel.console.service_client import FeedbackCounts, Schema
from lightmodel.console.session import ConsoleSession
from lightmodel.console.watching.history import (
    History,
    Period,
    changes,
    periods_of,
    shared_history,
)
from lightmodel.console.watching.sampler import look
from lightmodel.console.watching.snapshot import Quality, Snapshot, State

_SPANS = {"15 minutes": 900, "1 hour": 3_600, "6 hours": 21_600, "24 hours": 86_400}
_MAX_COLUMNS = 8
_DASH = "\N{EN DASH}"
_OUTCOME = "labels_outcome"


def render(console: ConsoleSession) -> None:
    """Draw the page."""
    schema = console.client.schema()
    st.caption(f"Model {plain(schema.version)}. Times are those of your own time zone.")
    span = st.segmented_control("Period", tuple(_SPANS), default="1 hour", key="span") or "1 hour"
    interval_s = console.settings.sample_interval_s
    st.fragment(_show_measurements, run_every=interval_s)(console, schema, _SPANS[span])
    st.header("Labels", anchor=False)
    _show_labels(console, schema)


def _show_measurements(console: ConsoleSession, schema: Schema, span: float) -> None:
    """Draw what is drawn again at each look; the frame does not see failures of a fragment."""
    try:
        snapshot, state = look(console.client)
    except ServiceFailure as failure:
        show_failure(failure)
        return
    now = snapshot.time
    history = _history_of(console)
    history.add(snapshot)
    taken = history.since(now - span)
    periods = periods_of(taken, now - span, now)
    _show_totals(taken, state)
    if not any(period.rows_per_minute for period in periods):
        st.info(_why_empty(taken, console.settings.sample_interval_s))
    else:
        _show_charts(schema, periods, (now - span, now))
        _show_columns(changes(taken[0], taken[-1]))
    st.header("Live quality", anchor=False)
    _show_quality(state)


def _history_of(console: ConsoleSession) -> History:
    """Return the console's history; where its own key may not look, the session's, which begins now."""
    shared = shared_history()
    if shared.failure is None:
        return shared
    own: History = console.state.setdefault("history", History())
    return own


def _why_empty(taken: Sequence[Snapshot], interval_s: float) -> str:
    if len(taken) <= 1:
        return (
            f"The console has just begun to look; charts appear once rows are answered. It looks every "
            f"{number(interval_s)} s, and remembers a day."
        )
    return (
        "No row was answered in this period: choose a longer one, or send rows on the page Predict."
    )


def _show_totals(taken: Sequence[Snapshot], state: State) -> None:
    counted = changes(taken[0], taken[-1]) if taken else Snapshot(time.time())
    failed = percent(counted.failures / counted.requests) if counted.requests else _DASH
    totals = {
        "Rows": f"{counted.rows:,.0f}",
        "Requests": f"{counted.requests:,.0f}",
        "Failed": failed,
    }
    with st.container(horizontal=True):
        for name, text in totals.items():
            st.metric(name, text, border=True, width=180)
    if state.dropped:
        st.warning(
            f"The prediction log has lost {plural(int(state.dropped), 'row')} since the service started: "
            "its disk or its database does not keep up. Tell the operator."
        )


def _show_charts(schema: Schema, periods: Sequence[Period], span: tuple[float, float]) -> None:
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, key="card-volume"):
        st.markdown("**Rows a minute**")
        _lines(periods, span, {"rows": "rows_per_minute"}, "Rows a minute")
    with right, st.container(border=True, key="card-latency"):
        st.markdown("**Milliseconds until an answer**")
        named = {"half of all": "median_s", "95 % of all": "slow_s"}
        _lines(periods, span, named, "Milliseconds until an answer", factor=1_000)
    left, right = st.columns(2, gap="medium")
    if schema.answer.task == "binary":
        with left, st.container(border=True, key="card-scores"):
            title = f"Mean probability of {plain(label_text(schema.answer.positive))}"
            st.markdown(f"**{title}**")
            _lines(periods, span, {"mean": "mean_score"}, title, digits=".3~f")
    with right, st.container(border=True, key="card-cells"):
        st.markdown("**Unusual values in 1,000 rows**")
        named = {"unseen": "unseen", "missing": "missing", "out of range": "out_of_range"}
        _lines(periods, span, named, "Unusual values in 1,000 rows")


def _lines(
    periods: Sequence[Period],
    span: tuple[float, float],
    named: Mapping[str, str],
    title: str,
    factor: float = 1,
    digits: str = "~s",
) -> None:
    """Draw lines over time: `named` is name → attribute of a period."""
    rows = [
        {"time": _iso(period.end), "line": name, "value": factor * value}
        for name, attribute in named.items()
        for period in periods
        if (value := getattr(period, attribute)) is not None
    ]
    most = max((row["value"] for row in rows), default=0) or 1
    chart = {
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"size": 28}, "strokeWidth": 2},
        "encoding": {
            "x": _axis("time", "temporal", [_iso(moment) for moment in span]),
            "y": {**_axis("value", "quantitative", [0, most]), "axis": {"format": digits}},
            "color": _colour_of_lines(tuple(named)),
            "tooltip": [
                {"field": "time", "type": "temporal", "format": "%H:%M:%S"},
                {"field": "line", "type": "nominal"},
                {"field": "value", "type": "quantitative", "format": ",.4~g"},
            ],
        },
    }
    show_chart({"layer": [chart]}, _described(rows, title), height=200)


def _axis(name: str, kind: str, domain: Sequence[object]) -> dict[str, Any]:
    return {"field": name, "type": kind, "title": None, "scale": {"domain": domain}}


def _colour_of_lines(names: tuple[str, ...]) -> dict[str, Any]:
    shown = colours()
    return {
        "field": "line",
        "type": "nominal",
        "title": None,
        "legend": {"orient": "bottom", "columns": 2} if len(names) > 1 else None,
        "scale": {"domain": names, "range": [shown.one, shown.two, shown.muted]},
    }


def _iso(seconds: float) -> str:
    """Return a moment as charts take it: they show it in the reader's time zone, and no number."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _described(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    last = {row["line"]: row["value"] for row in rows}
    ends = ", ".join(f"{name} {number(value)}" for name, value in last.items())
    return f"{title} over time; at the end: {ends or 'no value'}."


def _show_columns(counted: Snapshot) -> None:
    """Draw which columns had values that training had not."""
    for name, cells in (("Missing", counted.missing), ("Out of range", counted.out_of_range)):
        found = sorted(((count, column) for column, count in cells.items() if count), reverse=True)
        if not found:
            continue
        with st.expander(f"{name}: {plural(len(found), 'column')}"):
            most = found[0][0]
            shown = found[:_MAX_COLUMNS]
            st.html(bars([(column, count / most, f"{count:,.0f}") for count, column in shown]))
            if len(found) > len(shown):
                st.caption(f"and {plural(len(found) - len(shown), 'more column')}")


def _show_quality(state: State) -> None:
    if not state.quality:
        st.info(
            "Live quality is not measured yet. It needs predictions in the log, labels for their ids (send "
            "them below), and `python -m lightmodel watch`, or once `live`, where the log is."
        )
        return
    with st.container(horizontal=True):
        for one in state.quality:
            _show_metric(one)
    bound = (
        ""
        if state.bound is None
        else f" The worst value that is good enough is {number(state.bound)}."
    )
    when = local_time(state.measured, st.context.timezone) if state.measured else "an unknown time"
    labels = plural(int(state.labels), "labelled row")
    st.caption(f"By {labels}, measured at {when}.{bound}")
    if state.drift is not None and state.drift_measured is not None:
        when = local_time(state.drift_measured, st.context.timezone)
        drifted = f"{plural(int(state.drift), 'column')} drifted" if state.drift else "no drift"
        st.caption(f"Compared with training: {drifted}, measured at {when}.")


def _show_metric(one: Quality) -> None:
    st.metric(
        f"{plain(one.metric)}, {one.kind}",
        number(one.value),
        delta=f"{number(one.low)} to {number(one.high)}",
        delta_color="off",
        delta_arrow="off",
        border=True,
        width=220,
    )


def _show_labels(console: ConsoleSession, schema: Schema) -> None:
    """Draw the upload of labels, which needs a key of the user's own."""
    if schema.id is None:
        st.info(
            "This model's rows have no id, so that labels cannot be joined to predictions (data.id)."
        )
        return
    st.caption(
        f"A file with the columns {plain(schema.id.name)} and {plain(schema.answer.target)}: what became "
        "of rows that were predicted. It is joined to the predictions by id."
    )
    if not console.may_change:
        st.info("Sending labels needs a key of your own: type it in the side bar.")
        return
    ticket = Ticket(owner_of(console.state), "feedback", console.key)
    outcome = drop_zone(
        console, ticket, schema.max_body_mb, label="Choose a file with labels", working="Joining"
    )
    if outcome is not None:
        console.state[_OUTCOME] = outcome
    show_outcome(console.state.get(_OUTCOME))


def show_outcome(outcome: Mapping[str, Any] | None) -> None:
    """Draw what became of labels."""
    if outcome is None:
        return
    if failure := failure_in(outcome):
        show_failure(failure)
        return
    counts = FeedbackCounts.model_validate(outcome["counts"])
    empty = f" {plural(counts.without_label, 'row')} had no label." if counts.without_label else ""
    st.success(
        f"{plain(str(outcome['name']))}: {plural(counts.rows, 'row')}; {counts.matched:,} belong to "
        f"predictions, {counts.unmatched:,} do not (yet).{empty}"
    )
