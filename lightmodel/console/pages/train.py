"""The page Train: start a run, watch it, stop it, and look at the runs of the past."""

import streamlit as st

from lightmodel.config import Config
from lightmodel.console.formatting import plain
from lightmodel.console.project.folder import open_project, sentence
from lightmodel.console.project.plan import show_plan
from lightmodel.console.project.run_list import live_run, past_runs
from lightmodel.console.project.runs import show_live, show_past
from lightmodel.console.rights import may_change_project
from lightmodel.console.session import ConsoleSession
from lightmodel.errors import LightModelError, NotPossible
from lightmodel.watch.factory import local_jobs
from lightmodel.watch.process import ProcessJobs

_REASON = "by the console"
_STARTED = "run_started"


def render(console: ConsoleSession) -> None:
    """Draw the page."""
    try:
        config = open_project().config
        jobs = local_jobs(config)
    except LightModelError as error:
        st.info(plain(_with_advice(error)), icon=":material/folder_off:")
        return
    st.caption("A run is a process of its own: it goes on when this page or the console is closed.")
    may_change = may_change_project(console, config)
    latest = jobs.latest()
    if latest and latest.is_under_way:
        show_live(config, jobs, latest.id, may_stop=may_change)
    else:
        if latest and console.state.get(_STARTED) == latest.id:
            show_live(config, jobs, latest.id, may_stop=False)
        if may_change:
            _show_start(console, config)
    st.header("Runs", anchor=False)
    live = live_run(config, latest) if latest else None
    show_past(config, jobs, past_runs(config, jobs.listed()), live)


def _with_advice(error: LightModelError) -> str:
    if isinstance(error, NotPossible) and "train" in error.message:
        return (
            "Models cannot be trained here, for this installation has no training libraries. Start the "
            "console in the project's environment (`make console`)."
        )
    return sentence(error)


def _show_start(console: ConsoleSession, config: Config) -> None:
    """Draw the form that starts a run, with what it would do."""
    with st.container(border=True, key="card-start"):
        show_plan(config, config)
        reason = st.text_input(
            "Reason",
            max_chars=200,
            placeholder="for the log, the manifest and the report",
            key="reason",
        )
        force = st.toggle("Run all stages, even if nothing has changed", key="force")
        if not st.button("Start a run", type="primary", icon=":material/play_arrow:"):
            return
        jobs = local_jobs(config, *(["--force"] if force else []))
        _start(console, jobs, reason.strip())


def _start(console: ConsoleSession, jobs: ProcessJobs, reason: str) -> None:
    try:
        job = jobs.start(f"{_REASON}: {reason}" if reason else _REASON)
    except LightModelError as error:
        st.error(plain(sentence(error)), icon=":material/error:")
        return
    console.state[_STARTED] = job.id
    st.rerun()
