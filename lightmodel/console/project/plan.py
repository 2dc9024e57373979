"""What the next run would do, as a table."""

import streamlit as st

from lightmodel.config import Config
from lightmodel.console.formatting import plain
from lightmodel.console.project.folder import sentence
from lightmodel.console.tables import wrapping_table
from lightmodel.errors import LightModelError


def show_plan(before: Config, after: Config) -> None:
    """Draw which stages the next run would run by the settings `after`, and why."""
    try:
        with st.spinner("Looking at what the next run would do …"):
            from lightmodel.pipeline.plan import planned

            stages = planned(before, after)
    except LightModelError as error:
        st.warning(plain(sentence(error)))
        return
    rows = [(one.stage, "runs" if one.runs else "is reused", one.why) for one in stages]
    st.html(wrapping_table(("Stage", "In the next run", "Why"), rows, "What the next run does"))
