"""The page Predict: one row in a form, or a whole file."""

import streamlit as st

from lightmodel.console.session import ConsoleSession


def render(console: ConsoleSession) -> None:
    """Draw the page."""
    schema = console.client.schema()
    st.title(f"Predict {schema.answer.target}")
