"""The page Predict: one row in a form, or a whole file."""

import streamlit as st

from lightmodel.console.formatting import label_text, plain
from lightmodel.console.predict_file import show_file
from lightmodel.console.predict_row import show_row
from lightmodel.console.service_client import Schema
from lightmodel.console.session import ConsoleSession

_MAX_LABELS = 6


def render(console: ConsoleSession) -> None:
    """Draw the page."""
    client = console.client
    schema, model = client.schema(), client.model()
    st.markdown(_lead(schema))
    st.header("One row", anchor=False)
    show_row(console, schema, tuple(sample.values for sample in model.samples))
    st.header("A whole file", anchor=False)
    show_file(console, schema)


def _lead(schema: Schema) -> str:
    about = schema.answer
    if about.task == "regression":
        text = "Regression"
    elif len(about.labels) <= _MAX_LABELS:
        text = f"Classification: {', '.join(plain(label_text(label)) for label in about.labels)}"
    else:
        text = f"Classification into {len(about.labels):,} classes"
    target = plain(schema.answer.target)
    features = f"{len(schema.features):,} features"
    return f"Predicts **{target}**. {text}, by {features}; model {plain(schema.version)}."
