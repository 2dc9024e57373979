"""One row in a form, and its answer."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import streamlit as st

from lightmodel.console.failures import ServiceFailure
from lightmodel.console.formatting import (
    html,
    label_text,
    number,
    percent,
    plain,
    plural,
    shortened,
)
from lightmodel.console.pictures import aside, bars, contributions, meter, show_failure, verdict
from lightmodel.console.row import Field, fields_of, matching, record_of, texts_of
from lightmodel.console.service_client import RowAnswer, Schema
from lightmodel.console.session import ConsoleSession

_AT_ONCE = 24  # fields; the search finds the others
_COLUMNS = 3
_SCROLLED = 460  # pixels of height: the button below stays in sight
_CONTRIBUTIONS = 6
_MAX_CLASSES = 6
_SEARCHABLE = 12  # more fields get a search
_DEFAULT_THRESHOLD = 0.5
_WARNINGS = {
    "X-Unseen-Categories": "Never seen in training, so scored as missing",
    "X-Missing-Values": "Never missing in training, so the median stands in, or a category never seen",
    "X-Out-Of-Range": "Far outside the range of training",
}
_FORM = "row_form"


def show_row(
    console: ConsoleSession, schema: Schema, samples: tuple[Mapping[str, Any], ...]
) -> None:
    """Draw the form and its answer, which alone are drawn again when a field changes."""
    st.fragment(_show)(console, schema, samples)


def _show(console: ConsoleSession, schema: Schema, samples: tuple[Mapping[str, Any], ...]) -> None:
    form = _form_of(console.state, schema, samples)
    left, right = st.columns([5, 3], gap="medium")
    with left, st.container(border=True, key="card-row"):
        fields = _tools(form, schema, samples)
        if schema.id:
            _id_field(form, schema.id.name)
        height = _SCROLLED if len(fields) > _SEARCHABLE else "content"
        with st.container(height=height, border=False):
            _show_fields(form, fields)
        st.button(
            "Predict",
            type="primary",
            key="predict-row",
            on_click=_predict,
            args=(console, schema, form),
        )
        if form["mistakes"]:
            count = len(form["mistakes"])
            st.html(f'<p class="lm-error" role="alert">{plural(count, "field")} to correct.</p>')
    with right, st.container(border=True, key="card-answer"):
        _show_answer(schema, form)


def _form_of(
    state: MutableMapping[Any, Any], schema: Schema, samples: tuple[Mapping[str, Any], ...]
) -> dict[str, Any]:
    """Return the form's state: texts by field, mistakes, the answer; a new model begins with a sample."""
    form: dict[str, Any] | None = state.get(_FORM)
    if form is None or form["version"] != schema.version:
        form = {"version": schema.version, "filled": 0}
        state[_FORM] = form
        _fill(form, schema, samples[0] if samples else {})
    return form


def _fill(form: dict[str, Any], schema: Schema, sample: Mapping[str, Any]) -> None:
    form["texts"] = texts_of(sample, fields_of(schema))
    if schema.id:
        form["id"] = label_text(sample.get(schema.id.name) or "")
    form.update(answer=None, failure=None, mistakes={}, filled=form["filled"] + 1)


def _tools(
    form: dict[str, Any], schema: Schema, samples: tuple[Mapping[str, Any], ...]
) -> tuple[Field, ...]:
    """Draw the search and the samples; return the fields to show, those with mistakes first."""
    fields = fields_of(schema)
    found = fields
    if len(fields) > _SEARCHABLE:
        search = st.text_input(
            "Find a field", placeholder=f"Find among {len(fields):,} fields", key="row-search"
        )
        found = matching(fields, search)
    with st.container(horizontal=True):
        for place, sample in enumerate(samples, 1):
            st.button(
                f"Sample {place}",
                key=f"sample-{place}",
                on_click=_fill,
                args=(form, schema, sample),
            )
    if not found:
        st.caption("No field's name contains this text.")
    wrong = tuple(field for field in fields if field.name in form["mistakes"])
    return wrong + tuple(field for field in found if field not in wrong)


def _id_field(form: dict[str, Any], name: str) -> None:
    key = f"row-id-{form['filled']}"
    form["id"] = st.text_input(
        plain(shortened(name)), value=form["id"], key=key, help="Identifies the row; may be empty."
    )


def _show_fields(form: dict[str, Any], fields: tuple[Field, ...]) -> None:
    limit = form.get("limit", _AT_ONCE)
    shown = fields[:limit]
    for start in range(0, len(shown), _COLUMNS):
        for place, field in zip(
            st.columns(_COLUMNS), shown[start : start + _COLUMNS], strict=False
        ):
            with place.container(gap=None):
                _show_field(form, field)
    if len(fields) > limit:
        rest = len(fields) - limit
        st.caption(f"{plural(rest, 'more field')}, filled in as the sample has them.")
        more = min(rest, _AT_ONCE)
        st.button(
            f"Show {more} more",
            key="more-fields",
            on_click=form.update,
            kwargs={"limit": limit + _AT_ONCE},
        )


def _show_field(form: dict[str, Any], field: Field) -> None:
    key = f"field-{form['filled']}-{field.name}"
    text = form["texts"].get(field.name, "")
    label = plain(shortened(field.name))
    changed: dict[str, Any] = {
        "key": key,
        "on_change": _store,
        "args": (form, field.name, key),
    }
    if field.choices:
        options = field.choices if not text or text in field.choices else (*field.choices, text)
        st.selectbox(
            label,
            options,
            index=options.index(text) if text else None,
            placeholder="missing",
            accept_new_options=not field.is_closed,
            **changed,
        )
    else:
        st.text_input(label, value=text, placeholder="missing", **changed)
    mistake = form["mistakes"].get(field.name, "")
    wrong = f'<p class="lm-error" role="alert">{html(mistake)}</p>' if mistake else ""
    st.html(f'<p class="lm-hint">{html(field.hint)}</p>{wrong}')


def _store(form: dict[str, Any], name: str, key: str) -> None:
    """Take over what a user has written; the answer to other values would mislead."""
    value = st.session_state[key]
    form["texts"][name] = "" if value is None else str(value)
    form["mistakes"].pop(name, None)
    form.update(answer=None, failure=None)


def _predict(console: ConsoleSession, schema: Schema, form: dict[str, Any]) -> None:
    record, mistakes = record_of(form["texts"], fields_of(schema))
    form.update(answer=None, failure=None, mistakes=mistakes)
    if mistakes:
        return
    sent = {**record, schema.id.name: form["id"]} if schema.id and form["id"] else record
    explain = min(_CONTRIBUTIONS, schema.answer.explain)
    try:
        form["answer"] = console.client.predict_row(sent, explain=explain)
    except ServiceFailure as failure:
        named = {rule.column: rule.detail for rule in failure.rules if rule.column in record}
        form["mistakes"] = named
        form["failure"] = None if named and len(named) == len(failure.rules) else failure


def _show_answer(schema: Schema, form: dict[str, Any]) -> None:
    if failure := form["failure"]:
        show_failure(failure)
    elif answer := form["answer"]:
        record, _ = record_of(form["texts"], fields_of(schema))
        _show_scores(schema, answer, record)
        if answer.headers.get("X-Model-Version", schema.version) != schema.version:
            st.info("A newer model has answered; reload the page to see its fields.")
    else:
        st.caption("The prediction appears here: press Predict, or change some values first.")


def _show_scores(schema: Schema, answer: RowAnswer, record: Mapping[str, Any]) -> None:
    about, row = schema.answer, answer.row
    prediction = row["prediction"]
    label = number(prediction) if about.task == "regression" else shortened(label_text(prediction))
    parts = [verdict(about.target, label)]
    raised = "a larger number"
    if about.task == "binary":
        raised = label_text(about.positive)
        threshold = _DEFAULT_THRESHOLD if about.threshold is None else about.threshold
        parts.append(meter(row["probability"], threshold, raised))
    elif about.task == "multiclass":
        raised = label
        parts.append(_class_bars(row["probability"]))
    if named := row.get("contributions"):
        scale = "the model's raw score" if about.task == "regression" else "log-odds"
        text = (
            f"In {scale}: to the right towards {shortened(raised, 24)}, to the left away from it."
        )
        parts += ["<h3>Largest contributions</h3>", contributions(named, record, text)]
    for name, text in _WARNINGS.items():
        if named := answer.headers.get(name):
            columns = ", ".join(one.rpartition("=")[0] or one for one in named.split(","))
            parts.append(aside(f"{text}: {columns}."))
    st.html("".join(parts))


def _class_bars(probability: Mapping[str, float]) -> str:
    ranked = sorted(probability.items(), key=lambda item: -item[1])
    shown = [(name, share, percent(share)) for name, share in ranked[:_MAX_CLASSES]]
    rest = len(ranked) - len(shown)
    more = f'<p class="lm-quiet">The other {rest} are less probable.</p>' if rest else ""
    return f"<p>Probability of each class</p>{bars(shown)}{more}"
