"""Runs, live and past: their stages, folds and curves, their log and their report."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from lightmodel.config import Config
from lightmodel.console.formatting import NBSP, html, local_time, plain
from lightmodel.console.project.run_list import live_run
from lightmodel.console.tables import show_curves, wrapping_table
from lightmodel.errors import LightModelError
from lightmodel.progress import format_seconds
from lightmodel.store.verdict import read_report, read_verdict
from lightmodel.store.version_names import is_version_name
from lightmodel.store.versions import models_of
from lightmodel.watch.jobs import Job
from lightmodel.watch.process import ProcessJobs
from lightmodel.watch.run_logs import (
    RunLog,
    StageRun,
    as_text,
    event_of,
    lines_of,
    logs_folder,
)

_LOOK_S = 2.0
_MOST_LINES = 400
_REPORT_HEIGHT = 900


def show_live(config: Config, jobs: ProcessJobs, job_id: str, *, may_stop: bool) -> None:
    """Draw a job while it runs, every two seconds anew, and how it ended."""
    job = jobs.find(job_id)
    is_running = job is not None and job.is_under_way

    def watch() -> None:
        now = jobs.find(job_id)
        if now is None:
            return
        if is_running and not now.is_under_way:
            st.rerun()
        with st.container(border=True, key="card-run"):
            _show_job(config, jobs, now, may_stop=may_stop)

    st.fragment(watch, run_every=_LOOK_S if is_running else None)()


def _show_job(config: Config, jobs: ProcessJobs, job: Job, *, may_stop: bool) -> None:
    log = live_run(config, job)
    st.subheader("A run is under way" if job.is_under_way else "The run has ended", anchor=False)
    if job.reason:
        st.caption(plain(job.reason))
    if log:
        show_log_facts(log, is_running=job.is_under_way)
    elif job.is_under_way:
        st.caption("It is being started …")
    if job.is_under_way:
        if may_stop and st.button("Stop the run", icon=":material/stop:"):
            jobs.stop(job.id)
            st.toast("The run is asked to end; folds that have ended are kept.")
        return
    _show_end(job)
    if not log and job.state != "stopped":
        st.code("\n".join(job.last_lines), language=None)


def _show_end(job: Job) -> None:
    if job.state == "approved":
        st.success("The newest candidate is approved.", icon=":material/check_circle:")
    elif job.state == "rejected":
        st.warning("The quality gate rejected the candidate; the served model is unchanged.")
    elif job.state == "stopped":
        st.info(plain(f"The run was {job.outcome}."))
    else:
        st.error(plain(f"The run {job.outcome}."), icon=":material/error:")


def show_log_facts(log: RunLog, *, is_running: bool) -> None:
    """Draw the stages of a run, and the curves of its folds."""
    steps = "".join(
        f"<li><b>{html(stage.name)}</b><span>{html(_stage_text(stage, is_running))}</span></li>"
        for stage in log.stages
    )
    st.html(f'<ul class="lm-steps">{steps}</ul>')
    if log.folds:
        total = log.folds[0].of
        done = len({fold.fold for fold in log.folds})
        st.progress(done / total, text=f"{done} of {total} folds")
        curves = {
            f"fold {fold.fold}": fold.curve
            for fold in sorted(log.folds, key=lambda one: one.fold)
            if fold.curve
        }
        if curves:
            about = f"Validation loss by round of {len(curves)} folds."
            show_curves(curves, x="Round", y="Validation loss", about=about)
    if is_running and log.progress:
        st.caption(plain(log.progress))
    if log.outcome and not log.succeeded:
        st.error(plain(f"{log.outcome} {log.hint}".strip()))


def _stage_text(stage: StageRun, is_running: bool) -> str:
    unfinished = "runs …" if is_running else "did not end"
    return stage.message.removeprefix(f"{stage.name}: ") or unfinished


def show_past(
    config: Config, jobs: ProcessJobs, runs: Sequence[RunLog], live: RunLog | None
) -> None:
    """Draw the runs of the past, and one of them in full."""
    runs = [run for run in runs if live is None or run.name != live.name or run.outcome]
    if not runs:
        st.caption("There was no run yet.")
        return
    zone = st.context.timezone
    rows = [
        (_time(run, zone), run.command, _ending(run), _duration(run), run.reason) for run in runs
    ]
    heads = ("Started", "Command", "Ended", "Took", "Reason")
    with st.container(height=360 if len(rows) > 6 else "content", border=False):
        st.html(wrapping_table(heads, rows, "Runs"))
    names = {run.name: run for run in runs}
    chosen = st.selectbox(
        "Look at a run",
        [*names],
        index=None,
        # Labels must differ, or Streamlit takes one for the other: two runs may begin in the same minute.
        format_func=lambda name: f"{_time(names[name], zone)}, {names[name].command} · {name[-6:]}",
        placeholder="choose one",
        key="past-run",
    )
    if chosen:
        _show_run(config, jobs, names[chosen])


def _time(run: RunLog, zone: str | None) -> str:
    try:
        return local_time(datetime.fromisoformat(run.started), zone)
    except ValueError:
        return run.name


def _ending(run: RunLog) -> str:
    return run.outcome.partition("\n")[0] or "did not end, or still runs"


def _duration(run: RunLog) -> str:
    return "" if run.seconds is None else format_seconds(run.seconds).replace(" ", NBSP)


def _lines(config: Config, jobs: ProcessJobs, name: str) -> list[str]:
    """Return the log of a run, or else the last lines of its job's output."""
    if is_version_name(name):
        return list(lines_of(logs_folder(config), name))
    job = jobs.find(name)
    return list(job.last_lines) if job else []


def _show_run(config: Config, jobs: ProcessJobs, run: RunLog) -> None:
    stages, log, report = st.tabs(["Stages", "Log", "Report"], key="run-parts")
    with stages:
        show_log_facts(run, is_running=not run.outcome)
    with log:
        lines = _lines(config, jobs, run.name)
        shown = [as_text(event) if (event := event_of(line)) else line for line in lines]
        st.code(
            "\n".join(shown[-_MOST_LINES:]) or "It has written nothing.", language=None, height=400
        )
        st.download_button("Download the log", "\n".join(lines), f"{run.name}.log", "text/plain")
    with report:
        _show_report(config, run)


def _show_report(config: Config, run: RunLog) -> None:
    """Draw the report of the version that a run has tested."""
    tested = [stage.version for stage in run.stages if stage.name == "testing" and stage.version]
    if not tested:
        st.caption("This run has tested no model.")
        return
    store = models_of(config)
    try:
        version = store.get(tested[-1])
        verdict = read_verdict(version, store.signer)
        page = read_report(version, verdict) if verdict and verdict.report_sha256 else b""
    except LightModelError as error:
        st.caption(plain(error.message))
        return
    if page:
        st.iframe(page.decode("utf-8", "replace"), height=_REPORT_HEIGHT)
    else:
        st.caption("This version has no report.")
