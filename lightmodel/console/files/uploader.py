"""The drop zone: a component that sends a file past Streamlit, whose own would hold it in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from lightmodel.console.failures import BrokenRule, ServiceFailure
from lightmodel.console.files.exchange import Ticket, file_exchange
from lightmodel.console.session import ConsoleSession

_STATIC = Path(__file__).parents[1] / "static"
_show = st.components.v2.component(
    "light_model.upload",
    html=(_STATIC / "upload.html").read_text("utf-8"),
    css=(_STATIC / "upload.css").read_text("utf-8"),
    js=(_STATIC / "upload.js").read_text("utf-8"),
)


def drop_zone(
    console: ConsoleSession, ticket: Ticket, max_mb: int, *, label: str, working: str
) -> Mapping[str, Any] | None:
    """Draw the drop zone, and return what became of a file in the one run after it; else None.

    Args:
        console: the session.
        ticket: what the session may send.
        max_mb: the largest file that the service takes.
        label: says what the file is for, for those who do not see the page.
        working: says what the service does with it once it is there.
    """
    data = {
        "ticket": file_exchange().issue(console.state, ticket),
        "address": address_of(console, "send"),
        "max_mb": max_mb,
        "label": label,
        "working": working,
        "about": f"CSV (plain or .gz), Parquet, JSON, JSON Lines or Excel, up to {max_mb:,} MB",
    }
    result = _show(key=f"upload-{ticket.purpose}", data=data, on_outcome_change=lambda: None)
    outcome: Mapping[str, Any] | None = result.outcome
    return outcome


def address_of(console: ConsoleSession, path: str) -> str:
    """Return the address of one of the routes for files."""
    base = console.settings.base_path
    return f"/{base}/files/{path}" if base else f"/files/{path}"


def failure_in(outcome: Mapping[str, Any]) -> ServiceFailure | None:
    """Return the failure that an outcome reports, if it does."""
    content = outcome.get("failure")
    if not isinstance(content, dict):
        return None
    rules = tuple(
        BrokenRule(one["column"], one["detail"], tuple(one["rows"]), one["total"])
        for one in content["rules"]
    )
    return ServiceFailure(
        content["message"], hint=content["hint"], status=content["status"], rules=rules
    )
