"""A whole file, and its answers."""

from collections.abc import Mapping

import streamlit as st

from lightmodel.console.files.answers import Answer
from lightmodel.console.files.exchange import Ticket, file_exchange, owner_of
from lightmodel.console.files.summary import Summary
from lightmodel.console.files.uploader import address_of, drop_zone, failure_in
from lightmodel.console.formatting import html, label_text, number, percent, plain, plural
from lightmodel.console.pictures import aside, bars, show_failure, show_histogram, table
from lightmodel.console.service_client import Schema
from lightmodel.console.session import ConsoleSession

_OUTCOME = "file_outcome"
_DEFAULT_THRESHOLD = 0.5
_NOTES = {
    "X-Ignored-Columns": "Columns that the model does not know were left out",
    "X-Unseen-Categories": "Categories never seen in training were scored as missing",
    "X-Missing-Values": "Values missing in columns that had none in training were replaced by the median, "
    "or scored as a category never seen",
    "X-Out-Of-Range": "Numbers far outside the range of training were scored as they are",
    "X-Blank-Rows": "Rows without any value were left out",
    "X-Missing-Formulas": "Formulas without a stored value were scored as missing; save the file in Excel",
}
_FORMULAS = (
    "Cells that a spreadsheet would run as a formula begin with an apostrophe in the download."
)


def show_file(console: ConsoleSession, schema: Schema) -> None:
    """Draw the drop zone, and the answers to the last file."""
    classes = {"binary": 1, "multiclass": len(schema.answer.labels)}.get(schema.answer.task, 0)
    ticket = Ticket(owner_of(console.state), "predict", console.key, classes)
    outcome = drop_zone(
        console, ticket, schema.max_body_mb, label="Choose a file to score", working="Scoring"
    )
    if outcome is not None:
        console.state[_OUTCOME] = outcome
    show_outcome(console, schema, console.state.get(_OUTCOME))


def show_outcome(
    console: ConsoleSession, schema: Schema, outcome: Mapping[str, object] | None
) -> None:
    """Draw what became of a file: why it was not scored, or its answers."""
    if outcome is None:
        st.caption("The answers appear here: a table, a histogram, and a file to download.")
        return
    if failure := failure_in(outcome):
        show_failure(failure)
        return
    answer = file_exchange().answer_of(console.state, str(outcome.get("answer", "")))
    if answer is None:
        st.info("The answers to your last file are no longer kept; send it again.")
        return
    _show_answer(console, schema, answer)


def _show_answer(console: ConsoleSession, schema: Schema, answer: Answer) -> None:
    summary = answer.summary
    with st.container(border=True, key="card-file"):
        st.subheader(f"{plural(summary.rows, 'row')} scored")
        version = answer.headers.get("X-Model-Version", "the service")
        st.caption(
            f"{plain(answer.name)}, in {number(float(f'{answer.seconds:.2g}'))} s, by {plain(version)}"
        )
        address = address_of(console, f"answers/{answer.id}")
        st.html(f'<a class="lm-button" href="{html(address)}" download>Download as CSV</a>')
        notes = [
            aside(f"{text} ({_counts(answer.headers[name])}).")
            for name, text in _NOTES.items()
            if answer.headers.get(name)
        ]
        if summary.has_formulas:
            notes.append(aside(_FORMULAS))
        if notes:
            st.html("".join(notes))
        left, right = st.columns([5, 8], gap="medium")
        with left:
            _show_overview(schema, summary)
        with right:
            _show_scores(schema, summary)
        _show_rows(summary)


def _counts(header: str) -> str:
    return header.replace("=", ": ").replace(",", ", ")


def _show_overview(schema: Schema, summary: Summary) -> None:
    st.markdown("**Predicted**")
    if not summary.counts:
        for name, value in (
            ("Smallest", summary.smallest),
            ("Mean", summary.mean),
            ("Largest", summary.largest),
        ):
            st.metric(name, number(value))
        return
    st.html(
        bars(
            [
                (name, amount / summary.rows, f"{amount:,} ({percent(amount / summary.rows)})")
                for name, amount in summary.counts
            ]
        )
    )
    if schema.answer.task == "binary":
        positive = plain(label_text(schema.answer.positive))
        threshold = percent(_threshold_of(schema))
        st.caption(f"Rows with a probability of at least {threshold} are predicted as {positive}.")


def _threshold_of(schema: Schema) -> float:
    threshold = schema.answer.threshold
    return _DEFAULT_THRESHOLD if threshold is None else threshold


def _show_scores(schema: Schema, summary: Summary) -> None:
    task = schema.answer.task
    title = {
        "binary": f"Probability of {label_text(schema.answer.positive)}",
        "multiclass": "Probability of the predicted class",
    }.get(task, "Predictions")
    threshold = _threshold_of(schema) if task == "binary" else None
    show_histogram(summary.histogram, title=title, threshold=threshold)


def _show_rows(summary: Summary) -> None:
    shown = len(summary.first)
    title = f"The first {shown} rows" if shown < summary.rows else "All rows"
    st.markdown(f"**{title}**")
    scores = [name.startswith("probability") for name in summary.header]
    rows = [
        [_rounded(cell) if is_score else cell for cell, is_score in zip(row, scores, strict=True)]
        for row in summary.first
    ]
    st.html(table(summary.header, rows, title))


def _rounded(cell: str) -> str:
    """Return a probability with four decimals; the download has all digits."""
    try:
        return f"{float(cell):.4f}"
    except ValueError:
        return cell
