"""The data source on trial: its first rows, its contract, its columns, and its drift."""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from lightmodel.config import Config
from lightmodel.config.base import redacted
from lightmodel.console.formatting import number, percent, plain, plural
from lightmodel.console.pictures import table
from lightmodel.console.project.folder import sentence
from lightmodel.console.tables import show_curves, show_pairs, wrapping_table
from lightmodel.contract.describe import describe
from lightmodel.errors import LightModelError
from lightmodel.progress import SilentProgress

if TYPE_CHECKING:
    from lightmodel.contract.profile import ColumnProfile
    from lightmodel.pipeline.source_trial import SourceTrial

_TRIAL = "source_trial"
_MAX_CELL = 40
_TOP = 15  # categories that are drawn


def show_trial(state: MutableMapping[Any, Any], config: Config) -> None:
    """Draw the button that reads the source, and what came of it."""
    st.caption(
        plain(f"Reads {redacted(config.data.source)} as a run would, and publishes nothing.")
    )
    if st.button("Try the source", type="primary", icon=":material/play_arrow:"):
        state[_TRIAL] = _tried(config)
    trial = state.get(_TRIAL)
    if isinstance(trial, str):
        st.error(plain(trial))
    elif trial:
        _show(trial)


def _tried(config: Config) -> "SourceTrial | str":
    """Return the trial of a source, or why it could not be read."""
    from lightmodel.pipeline.source_trial import try_source

    try:
        with st.spinner("Fetching and reading the table …", show_time=True):
            return try_source(config, SilentProgress())
    except LightModelError as error:
        return sentence(error)


def _show(trial: "SourceTrial") -> None:
    if trial.problem:
        st.error(plain(sentence(trial.problem)), icon=":material/block:")
    else:
        st.success("A run would take this table.", icon=":material/check_circle:")
    size = f"{trial.size / 1e6:,.1f} MB"
    st.caption(plain(f"{trial.source}: {trial.rows:,} rows, {len(trial.head)} columns, {size}."))
    for warning in trial.warnings:
        st.warning(plain(warning))
    rows, contract, columns, drift = st.tabs(
        ["First rows", "Contract", "Columns", "Drift"], key="trial"
    )
    with rows:
        cells = zip(*(map(_cell, values) for values in trial.head.values()), strict=True)
        st.html(table([*trial.head], list(cells), "First rows"))
    with contract:
        if trial.contract:
            st.code("\n".join(describe(trial.contract)), language=None)
        else:
            st.caption("The table has no contract: see above.")
    with columns:
        _show_columns(trial)
    with drift:
        _show_drift(trial)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"


def _show_columns(trial: "SourceTrial") -> None:
    if trial.profile is None:
        st.caption("There is nothing to draw: see above.")
        return
    known = trial.profile.columns
    name = st.selectbox("Column", [*known], format_func=str, key="profile-column")
    one = known[name]
    before = trial.before.columns.get(name) if trial.before else None
    facts = [("Rows", f"{one.rows:,}"), ("Missing", percent(one.missing))]
    if one.mean is not None and one.spread is not None:
        facts += [("Mean", number(one.mean)), ("Standard deviation", number(one.spread))]
    st.html(wrapping_table(("", "This table"), facts, f"Facts about {name}"))
    sides = {"this table": one, **({f"table of {_short(trial.served)}": before} if before else {})}
    if one.counts is None:
        curves = {side: _distribution(profile) for side, profile in sides.items()}
        curves = {side: points for side, points in curves.items() if points}
        about = f"Share of the rows up to each value of {name}."
        if curves:
            show_curves(curves, x=name, y="Share up to it", about=about)
        return
    shares = {side: _shares(profile) for side, profile in sides.items() if profile.counts}
    show_pairs(shares, title="Share of the rows", about=f"Categories of {name}.", most=_TOP)


def _distribution(profile: "ColumnProfile") -> list[tuple[float, float]]:
    return list(zip(profile.grid, profile.shares, strict=True))


def _shares(profile: "ColumnProfile") -> dict[str, float]:
    counts = profile.counts or {}
    total = sum(counts.values()) or 1
    return {name: rows / total for name, rows in sorted(counts.items(), key=lambda one: -one[1])}


def _show_drift(trial: "SourceTrial") -> None:
    if not trial.served:
        st.caption("There is no approved model yet with whose table this one could be compared.")
        return
    if not trial.drift:
        st.caption("The columns were not compared: see above.")
        return
    drifted = [one.column for one in trial.drift if one.drifted]
    what = plural(len(drifted), "column") if drifted else "no column"
    st.caption(plain(f"Compared with the table of {_short(trial.served)}: {what} drifted."))
    rows = [
        (one.column, one.test, number(one.statistic), "drifted" if one.drifted else "")
        for one in trial.drift
    ]
    st.html(table(("Column", "Test", "Statistic", ""), rows, "Drift of each column"))


def _short(version: str) -> str:
    return version.rpartition("-")[2]
