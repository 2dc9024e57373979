"""The page Models: every version, two side by side, and the change of a verdict."""

import streamlit as st

from lightmodel.console.formatting import plain, plural
from lightmodel.console.session import ConsoleSession
from lightmodel.console.tables import wrapping_table
from lightmodel.console.versions.actions import show_actions
from lightmodel.console.versions.api import (
    VersionList,
    VersionSummary,
    list_versions,
    version_details,
)
from lightmodel.console.versions.comparison import title_of, value_text
from lightmodel.console.versions.details import show_comparison, show_version

_ROLES = {"served": "answers", "canary": "canary", "challenger": "challenger"}
_COMMIT = 12  # characters that are shown


def render(console: ConsoleSession) -> None:
    """Draw the page."""
    client, zone = console.client, st.context.timezone
    known = list_versions(client)
    if not known.versions:
        st.info(
            "There is no model yet. Train one on the page Train, or with `make run`; it appears here."
        )
        return
    st.caption(_lead(known))
    st.html(_overview(known, zone))
    chosen, other = _choose(console, known, zone)
    if chosen.error:
        st.error(plain(f"{chosen.version}: {chosen.error}"), icon=":material/error:")
        return
    details = version_details(client, chosen.version)
    show_actions(console, details, known)
    if other is None:
        show_version(client, details, zone)
        return
    show_comparison(details, version_details(client, other.version), zone)
    st.header(f"More about {plain(details.label(zone))}", anchor=False)
    show_version(client, details, zone)


def _lead(known: VersionList) -> str:
    total = plural(len(known.versions), "version")
    if not known.served:
        return f"{total}; none is approved, so the service has no model."
    more = " A canary answers a share of the ids." if known.canary else ""
    shadow = " A challenger scores the same rows without answering." if known.challenger else ""
    return f"{total}, the newest first.{more}{shadow}"


def _overview(known: VersionList, zone: str | None) -> str:
    heads = ("Trained", "Status", "Metric", "Rows", "Data", "Commit", "Reason")
    served = [place for place, one in enumerate(known.versions) if one.version == known.served]
    rows = [_row(one, zone) for one in known.versions]
    return wrapping_table(heads, rows, "Model versions", marked=served[0] if served else None)


def _row(one: VersionSummary, zone: str | None) -> tuple[str, ...]:
    if one.error:
        return (one.version, "damaged", "", "", "", "", one.error)
    role = f" ({_ROLES[one.role]})" if one.role in _ROLES else ""
    metric = f"{title_of(one.metric)} {value_text(one.decisive)}" if one.metric else "not tested"
    train, test = one.rows.get("train", 0), one.rows.get("test", 0)
    data = f"{one.data.source} {(one.data.sha256 or '')[:8]}".strip()
    commit = (one.commit or "")[:_COMMIT]
    return (
        one.label(zone),
        f"{one.status}{role}",
        metric,
        f"{train:,} + {test:,}",
        data,
        commit,
        one.reason,
    )


def _choose(
    console: ConsoleSession, known: VersionList, zone: str | None
) -> tuple[VersionSummary, VersionSummary | None]:
    """Draw the choice of one or two versions: by default what is in use, and the one that answers."""
    names = {one.version: one for one in known.versions}

    def choose(title: str, key: str, options: list[str], default: str) -> str | None:
        # The choice stays as it is when a verdict changes: labels, too, must not depend on that.
        if console.state.get(key) not in options:
            console.state[key] = default if default in options else None
        chosen: str | None = st.selectbox(
            title,
            options,
            format_func=lambda name: names[name].label(zone) or name,
            placeholder="choose one" if options else "no other version",
            key=key,
        )
        return chosen

    left, right = st.columns(2)
    with left:
        first = known.canary or known.challenger or known.versions[0].version
        chosen = choose("Version", "version", [*names], first) or first
    others = [name for name in names if name != chosen and not names[name].error]
    with right:
        other = choose("Compared with", f"against-{chosen}", others, known.served)
    return names[chosen], names[other] if other else None
