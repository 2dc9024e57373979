"""One version in full, and two side by side."""

from collections.abc import Iterable

import streamlit as st

from lightmodel.console.formatting import html, number, plain
from lightmodel.console.service_client import ServiceClient
from lightmodel.console.tables import show_curves, show_pairs, wrapping_table
from lightmodel.console.versions.api import VersionDetails, version_report
from lightmodel.console.versions.comparison import (
    Difference,
    columns_of,
    contract_differences,
    library_differences,
    metric_rows,
    setting_differences,
)

_CURVES = {
    "roc": ("ROC curve", "False positive rate", "True positive rate", True),
    "precision_recall": ("Precision and recall", "Recall", "Precision", False),
    "calibration": ("Calibration", "Predicted probability", "Observed share", True),
}
_FEATURES = 15  # whose importance is drawn
_REPORT_HEIGHT = 900
_BETTER = {"left": "the first", "right": "the second", "": "neither"}


def show_comparison(left: VersionDetails, right: VersionDetails, zone: str | None) -> None:
    """Draw two versions side by side."""
    names = left.label(zone), right.label(zone)
    st.header("Side by side", anchor=False)
    metrics, curves, importance, rest = st.tabs(
        ["Metrics", "Curves", "Importance", "Settings and contract"], key="compared"
    )
    with metrics:
        _show_metrics(left, right, names)
    with curves:
        _show_curves({_short(one.version): one for one in (left, right)})
    with importance:
        _show_importance({_short(one.version): one for one in (left, right)})
    with rest:
        heads = ("", *names)
        _show_differences("Settings", heads, setting_differences(left, right))
        _show_differences("Contract", heads, contract_differences(left, right))
        _show_differences("Libraries", heads, library_differences(left, right))


def _show_metrics(left: VersionDetails, right: VersionDetails, names: tuple[str, str]) -> None:
    rows = list(metric_rows(left, right))
    if not rows:
        st.caption("Neither version was tested.")
        return
    cells = [
        (
            f"{row.title}{' (decides)' if row.decides else ''}",
            row.left,
            row.right,
            _BETTER[row.better],
        )
        for row in rows
    ]
    marked = next((place for place, row in enumerate(rows) if row.decides), None)
    st.html(
        wrapping_table(("Metric", *names, "Better"), cells, "Metrics side by side", marked=marked)
    )
    st.caption(
        "On the test rows of each version, with 95 % intervals. Where these overlap, the difference may be "
        "chance."
    )
    if comparison := left.evaluation.get("comparison"):
        tested, other = _short(left.version), _short(str(comparison["version"]))
        st.caption(
            f"When {plain(tested)} was tested, it was compared with {plain(other)} on "
            f"{comparison['rows']:,} rows that neither was trained on."
        )


def _short(version: str) -> str:
    return version.rpartition("-")[2]


def _show_curves(versions: dict[str, VersionDetails]) -> None:
    drawn = False
    columns = st.columns(2)
    for name, (title, x, y, diagonal) in _CURVES.items():
        curves = {label: one.curve(name) for label, one in versions.items() if one.curve(name)}
        if curves:
            with columns[0 if name != "precision_recall" else 1]:
                st.markdown(f"**{title}**")
                about = f"{title} of {' and '.join(curves)} on the test rows."
                show_curves(curves, x=x, y=y, about=about, diagonal=diagonal)
            drawn = True
    losses = {
        f"{label}, fold {fold.fold}": list(fold.curve)
        for label, one in versions.items()
        for fold in one.folds[:1]
        if fold.curve
    }
    if losses:
        with columns[1]:
            st.markdown("**Loss of the first fold**")
            show_curves(losses, x="Round", y="Validation loss", about="Validation loss by round.")
    if not (drawn or losses):
        st.caption(
            "No curves are stored: test these versions again with `python run.py testing --force`."
        )


def _show_importance(versions: dict[str, VersionDetails]) -> None:
    shares = {}
    for label, one in versions.items():
        total = sum(one.importance.values()) or 1.0
        shares[label] = {name: value / total for name, value in one.importance.items()}
    largest: dict[str, float] = {}
    for named in shares.values():
        for name, share in named.items():
            largest[name] = max(share, largest.get(name, 0.0))
    top = sorted(largest, key=lambda name: -largest[name])[:_FEATURES]
    if not top:
        st.caption("These learners do not say how important their features are.")
        return
    values = {
        label: {name: named.get(name, 0.0) for name in top} for label, named in shares.items()
    }
    about = f"Importance of {', '.join(top[:5])}, the most important features."
    show_pairs(values, title="Share of the total gain", about=about)


def _show_differences(title: str, heads: tuple[str, ...], rows: Iterable[Difference]) -> None:
    st.markdown(f"**{title}**")
    cells = [(row.name, row.left, row.right) for row in rows]
    if cells:
        st.html(wrapping_table((title, *heads[1:]), cells, f"{title} that differ"))
    else:
        st.caption("No difference.")


def show_version(client: ServiceClient, one: VersionDetails, zone: str | None) -> None:
    """Draw what is known of one version."""
    st.html(_facts(one, zone))
    verdict, columns, parameters, report = st.tabs(
        ["Verdict", "Columns", "Settings", "Report"], key="version-parts"
    )
    with verdict:
        _show_verdict(one)
    with columns:
        _show_columns(one)
    with parameters:
        st.json(one.settings, expanded=2)
    with report:
        _show_report(client, one)


def _facts(one: VersionDetails, zone: str | None) -> str:
    facts = {
        "Version": one.version,
        "Trained": one.trained(zone),
        "Predicts": f"{one.target} ({one.task})" if one.target else "",
        "Learner": one.learner,
        "Data": one.data.source,
        "Commit": one.commit or "unknown",
        "Threshold": "" if one.threshold is None else number(one.threshold),
        "Reason": one.reason,
    }
    shown = "".join(
        f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    return f'<dl class="lm-facts">{shown}</dl>'


def _show_verdict(one: VersionDetails) -> None:
    if not one.reasons:
        st.caption("It was not tested: `python run.py testing` decides whether it is approved.")
    for reason in one.reasons:
        st.markdown(f"- {plain(reason)}")
    for note in one.notes:
        who, why = plain(note.get("by", "") or "somebody"), plain(note.get("why", ""))
        st.markdown(f"- **{plain(note.get('action', ''))}** by {who}{f': {why}' if why else ''}")
    for warning in one.warnings:
        st.warning(plain(warning))
    if one.metrics:
        rows = [(row.title, row.left) for row in metric_rows(one, one)]
        st.html(wrapping_table(("Metric", "On the test rows"), rows, "Metrics"))
    if one.out_of_fold and one.metric:
        value = one.out_of_fold.get(one.metric)
        text = "undefined" if value is None else number(value)
        st.caption(f"Out of fold, on the training rows: {plain(text)}.")


def _show_columns(one: VersionDetails) -> None:
    described = list(columns_of(one).items())
    if described:
        st.html(wrapping_table(("Column", "What it is"), described, "Columns of the contract"))
    else:
        st.caption("It has no contract.")


def _show_report(client: ServiceClient, one: VersionDetails) -> None:
    if not one.has_report:
        st.caption("It has no report: testing writes one.")
        return
    if st.toggle("Show the report", key=f"report-{one.version}"):
        page = version_report(client, one.version)
        st.download_button("Download it", page, f"report-{one.version}.html", "text/html")
        st.iframe(page, height=_REPORT_HEIGHT)
