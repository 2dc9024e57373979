"""Who is notified of what: the tables [[notify]], which are shown and not edited."""

from typing import get_args

import streamlit as st

from lightmodel.config.load import Loaded
from lightmodel.config.notification import EventName, Receiver
from lightmodel.console.formatting import number, plain
from lightmodel.console.tables import wrapping_table

SECTION = "notify"
_HEADS = ("Receiver", "Addresses", "Events", "Timeout")


def matches(words: str) -> bool:
    """Return whether the receivers are among what a search finds."""
    texts = [
        f"[[{SECTION}]] {name} {info.description}" for name, info in Receiver.model_fields.items()
    ]
    whole = " ".join(texts).lower()
    return all(word in whole for word in words.lower().split())


def show_receivers(loaded: Loaded) -> None:
    """Draw the receivers, of whose addresses nothing is shown that may be secret."""
    receivers = loaded.config.notify.receivers
    if receivers:
        rows = [_row(place, one) for place, one in enumerate(receivers, 1)]
        st.html(wrapping_table(_HEADS, rows, "Receivers of notifications"))
    else:
        st.caption("Nobody is notified of anything yet.")
    text = (
        f"Receivers are tables [[{SECTION}]] of {loaded.file.name}, and are edited there: urls, events and "
        "timeout_s. Secrets come from the environment, as ${NAME}; the console shows none."
    )
    st.caption(f'{plain(text)} To try them: `python -m lightmodel notify "a test"`.')


def _row(place: int, one: Receiver) -> tuple[str, ...]:
    names = ", ".join(one.events)
    events = "all" if set(one.events) == set(get_args(EventName)) else names
    return (str(place), ", ".join(one.shown_urls), events, f"{number(one.timeout_s)} s")
