"""The right to change something: with the training token, which the user types for this session."""

import hmac
from collections.abc import Callable, MutableMapping
from typing import Any

import streamlit as st

from lightmodel.config import Config
from lightmodel.console.failures import ServiceFailure
from lightmodel.console.pictures import show_failure
from lightmodel.console.session import ConsoleSession

_TOKEN = "typed_token"  # noqa: S105 — a name; the token is kept nowhere but in the session
_LOCAL = {"127.0.0.1", "::1", "localhost"}


def typed_token(state: MutableMapping[Any, Any]) -> str:
    """Return the training token that the user typed; "" if there is none."""
    return str(state.get(_TOKEN, ""))


def may_change_service(console: ConsoleSession) -> bool:
    """Return whether the user may change the service's models; if not, draw what to do about it."""
    if typed_token(console.state):
        _show_forgetting(console.state)
        return True
    text = (
        "You can look at everything; changing a model needs the training token of the service, which its "
        "operator knows (LIGHTMODEL__SERVE__TRAIN_TOKEN)."
    )
    _show_form(console.state, text, console.client.accepts_token)
    return False


def may_change_project(console: ConsoleSession, config: Config) -> bool:
    """Return whether the user may change the project; if not, draw what to do about it.

    Without serve.train_token everybody may whom only this machine lets in.
    """
    token = config.serve.train_token
    if token is None:
        if config.console.host in _LOCAL:
            return True
        st.info(
            "You can look at everything. To let people change the project from other machines, start the "
            "console with LIGHTMODEL__SERVE__TRAIN_TOKEN set; whoever types that token may.",
            icon=":material/lock:",
        )
        return False

    def accepts(typed: str) -> bool:
        return hmac.compare_digest(typed.encode(), token.get_secret_value().encode())

    if accepts(typed_token(console.state)):
        _show_forgetting(console.state)
        return True
    text = "You can look at everything; changing something needs the training token (serve.train_token)."
    _show_form(console.state, text, accepts)
    return False


def _show_form(state: MutableMapping[Any, Any], text: str, accepts: Callable[[str], bool]) -> None:
    with st.expander("Change something", icon=":material/lock:"):
        st.caption(text)
        with st.form("token", clear_on_submit=True, border=False):
            token = st.text_input(
                "Training token", type="password", help="It is kept for this session only."
            )
            if not st.form_submit_button("Use this token") or not token:
                return
        try:
            is_accepted = accepts(token)
        except ServiceFailure as failure:
            show_failure(failure)
            return
        if is_accepted:
            state[_TOKEN] = token
            st.rerun()
        st.error("This token is not accepted.", icon=":material/error:")


def _show_forgetting(state: MutableMapping[Any, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("You may change things until you close this page.")
        st.button("Forget the token", on_click=state.pop, args=(_TOKEN, None))
