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
_ASKED = "change_asked"  # the version and the title of the change that waits for its confirmation


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
    """Draw the buttons for a version, if the user may change something, and the confirmation."""
    if done := console.state.pop(_DONE, ""):
        st.success(plain(done), icon=":material/check_circle:")
    if not may_change_service(console):
        return
    possible = {offer.title: offer for offer in offers(one, known)}
    with st.container(horizontal=True):
        for title, offer in possible.items():
            if st.button(title, icon=f":material/{offer.icon}:", key=f"do-{offer.action}"):
                console.state[_ASKED] = (one.version, title)
    version, title = console.state.get(_ASKED, ("", ""))
    if version == one.version and title in possible:
        _confirm(console, one.version, possible[title])
    elif version == one.version or version not in {
        "",
        *(other.version for other in known.versions),
    }:
        del console.state[_ASKED]
        text = f"{title} {version.rpartition('-')[2]}: that is not possible any more. "
        st.warning(plain(f"{text}Somebody has changed it meanwhile, and nothing was done."))


def _confirm(console: ConsoleSession, version: str, offer: _Offer) -> None:
    """Draw the form that asks who and why, and makes the change."""
    with st.form("confirm"):
        st.subheader(f"{offer.title} {version.rpartition('-')[2]}?", anchor=False)
        st.markdown(plain(offer.effect))
        who = st.text_input(
            "Your name", value=console.state.get(_WHO, ""), max_chars=100, key="note-by"
        )
        why = st.text_area("Why", max_chars=300, key="note-why")
        st.caption("Both are kept with the verdict.")
        with st.container(horizontal=True):
            is_confirmed = st.form_submit_button(f"{offer.title} now", type="primary")
            is_cancelled = st.form_submit_button("Cancel")
    if is_cancelled:
        del console.state[_ASKED]
        st.rerun()
    if not is_confirmed:
        return
    if not (who.strip() and why.strip()):
        st.error("Say who you are, and why.", icon=":material/error:")
        return
    _change(console, version, offer, {"by": who, "why": why})


def _change(console: ConsoleSession, version: str, offer: _Offer, note: dict[str, str]) -> None:
    try:
        with st.spinner("The service changes the verdict …"):
            change_version(console.client, typed_token(console.state), version, offer.action, note)
    except ServiceFailure as failure:
        show_failure(failure)
        return
    del console.state[_ASKED]
    console.state[_WHO], console.state[_DONE] = note["by"], offer.done
    st.rerun()
