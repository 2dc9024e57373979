"""Promote, roll back or remove a version: with a confirmation, and a note of who and why."""

from dataclasses import dataclass

import streamlit as st

from lightmodel.console.failures import ServiceFailure
from lightmodel.console.formatting import plain
from lightmodel.console.pictures import show_failure
from lightmodel.console.rights import may_change_service, typed_token
from lightmodel.console.session import ConsoleSession
from lightmodel.console.versions.api import (
    Action,
    VersionDetails,
    VersionList,
    change_version,
)

_WHO = "note_by"  # is asked once for each session
_DONE = "model_changed"


@dataclass(frozen=True)
class _Offer:
    """A change that can be made to a version, and what follows from it."""

    action: Action
    title: str
    effect: str
    done: str
    icon: str


def offers(one: VersionDetails, known: VersionList) -> tuple[_Offer, ...]:
    """Return the changes that can be made to a version as it is."""
    name = one.version.rpartition("-")[2]
    promote = _Offer("promote", "Promote", "It answers all requests.", f"{name} answers.", "check")
    again = _Offer(
        "promote",
        "Approve again",
        "The rollback is taken back; the newest approved version answers.",
        f"{name} is approved again.",
        "undo",
    )
    rollback = _Offer(
        "rollback",
        "Roll back",
        "It is withdrawn, and answers no more; nothing is deleted, and it can be approved again.",
        f"{name} is withdrawn.",
        "history",
    )
    retire = _Offer(
        "retire",
        "Remove",
        "Its files are deleted for good; only its verdict and your note are kept.",
        f"{name} is removed.",
        "delete",
    )
    in_use = one.version in {known.served, known.canary}
    possible = {
        promote: one.version == known.canary,
        again: one.status == "withdrawn",
        rollback: one.status == "approved",
        retire: not in_use,
    }
    return tuple(offer for offer, is_possible in possible.items() if is_possible)


def show_actions(console: ConsoleSession, one: VersionDetails, known: VersionList) -> None:
    """Draw the buttons for a version, if the user may change something."""
    if done := console.state.pop(_DONE, ""):
        st.success(plain(done), icon=":material/check_circle:")
    if not may_change_service(console):
        return
    with st.container(horizontal=True):
        for offer in offers(one, known):
            if st.button(offer.title, icon=f":material/{offer.icon}:", key=f"do-{offer.action}"):
                _confirm(console, one, offer)


def _confirm(console: ConsoleSession, one: VersionDetails, offer: _Offer) -> None:
    """Open the dialog that asks who and why, and makes the change."""

    @st.dialog(f"{offer.title}: {one.version.rpartition('-')[2]}?")
    def ask() -> None:
        st.markdown(plain(offer.effect))
        who = st.text_input("Your name", value=console.state.get(_WHO, ""), max_chars=100)
        why = st.text_area("Why", max_chars=300, help="Both are kept with the verdict, and signed.")
        if not st.button(offer.title, type="primary", key="confirm"):
            return
        if not (who.strip() and why.strip()):
            st.error("Say who you are, and why.", icon=":material/error:")
            return
        try:
            with st.spinner("The service changes the verdict …"):
                token = typed_token(console.state)
                note = {"by": who, "why": why}
                change_version(console.client, token, one.version, offer.action, note)
        except ServiceFailure as failure:
            show_failure(failure)
            return
        console.state[_WHO], console.state[_DONE] = who, offer.done
        st.rerun()

    ask()
