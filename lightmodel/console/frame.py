"""What surrounds each page: navigation, the key, and failures as sentences."""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from lightmodel.config import ConsoleSection, load
from lightmodel.console.failures import ServiceFailure
from lightmodel.console.formatting import plain
from lightmodel.console.pages import PAGES, Page
from lightmodel.console.pictures import show_failure
from lightmodel.console.project.folder import sentence
from lightmodel.console.session import (
    ConsoleSession,
    accept_key,
    forget_key,
    open_session,
    typed_key,
)
from lightmodel.console.theme import colours_of, styles
from lightmodel.errors import ConfigError, LightModelError

logger = logging.getLogger(__name__)

_PASSING = {0, 429, 502, 503, 504}  # of these, it may recover by itself
_INTERVAL_S = 5.0
_FAULT = (
    "This page cannot be drawn: a fault of the console, whose log has the details. Reload the page; if it "
    "goes on, tell the operator the time."
)
_ICON = Path(__file__).parent / "static" / "icon.svg"


def show(pages: Sequence[Page] = PAGES) -> None:
    """Draw the page that the address names, or else the first one, and what surrounds it."""
    try:
        settings = load().config.console
    except ConfigError as error:  # somebody has changed the file since the console was started
        st.error(plain(sentence(error)), icon=":material/error:")
        return
    st.set_page_config(page_title=settings.title, page_icon=str(_ICON), layout="wide")
    st.logo(str(_ICON))
    listed = [
        st.Page(
            functools.partial(_show_page, page, settings),
            title=page.title,
            icon=f":material/{page.icon}:",
            url_path=page.path,
            default=page is pages[0],
        )
        for page in pages
    ]
    st.navigation(listed).run()


def _show_page(page: Page, settings: ConsoleSection) -> None:
    st.html(styles(colours_of(st.context.theme.type)))
    session = open_session(settings, st.session_state)
    with st.sidebar:
        _show_key(session)
    st.title(page.title)
    try:
        page.render(session)
    except ServiceFailure as failure:
        show_failure(failure)
        if failure.status in _PASSING:
            st.caption("This page opens by itself once the service answers.")
            st.fragment(_wait, run_every=_INTERVAL_S)(session)
    except LightModelError as error:
        st.error(plain(sentence(error)), icon=":material/error:")
    except Exception:  # a fault of ours: Streamlit would show its traceback to everybody
        logger.exception("the page %s cannot be drawn", page.path)
        st.error(_FAULT, icon=":material/error:")


def _wait(session: ConsoleSession) -> None:
    """Draw the page again once the service has a model."""
    try:
        session.client.schema()
    except ServiceFailure:
        return
    st.rerun()


def _show_key(session: ConsoleSession) -> None:
    """Draw the form for the user's key, or that there is one."""
    if typed_key(session.state):
        st.caption("Your key is used until you close this page.")
        st.button("Forget the key", on_click=forget_key, args=(session.state,))
    elif session.needs_key:
        with st.form("key", clear_on_submit=True, border=False):
            key = st.text_input("Key", type="password", help="It is kept for this session only.")
            if st.form_submit_button("Use this key") and key:
                _use(session, key)


def _use(session: ConsoleSession, key: str) -> None:
    try:
        accept_key(session.settings, session.state, key)
    except ServiceFailure as failure:
        show_failure(failure)
        return
    st.rerun()
