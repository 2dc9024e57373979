"""The runs of a project: what their logs say, and their jobs where there is no log, or not to its end."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from lightmodel.config import Config
from lightmodel.store.version_names import created_at
from lightmodel.watch.jobs import Job
from lightmodel.watch.run_logs import RunLog, logs_folder, read_log, run_names

_COMMAND = "run"  # of jobs
_MOST_RUNS = 50
_NEVER = datetime.max.replace(tzinfo=UTC)


def past_runs(config: Config, jobs: Sequence[Job]) -> list[RunLog]:
    """Return the last runs, the newest first; `jobs` are those that the console and the service started.

    A run that was killed has a log without an end, and one that was stopped early has none: how these ended
    is known by their jobs.
    """
    folder = logs_folder(config)
    runs = {name: read_log(folder, name) for name in run_names(folder)[-_MOST_RUNS:]}
    for job, until in _with_ends(jobs):
        if job.is_under_way:
            continue
        if log := _log_of(job, [*runs.values()], until):
            runs[log.name] = log if log.outcome else replace(log, outcome=job.outcome)
        else:
            runs[job.id] = _without_log(job)
    return sorted(runs.values(), key=_start, reverse=True)[:_MOST_RUNS]


def live_run(config: Config, job: Job) -> RunLog | None:
    """Return the log of a job's run; None before its first line.

    Runs of a store exclude each other, so the first one that was begun after the job is its own.
    """
    folder = logs_folder(config)
    logs = (read_log(folder, name) for name in run_names(folder) if created_at(name) >= job.began)
    return _log_of(job, logs, _NEVER)


def _with_ends(jobs: Sequence[Job]) -> Iterator[tuple[Job, datetime]]:
    """Yield each job with the time before which its run began, which is not later than the next job."""
    ordered = sorted(jobs, key=lambda job: job.began)
    for job, later in zip(ordered, [*ordered[1:], None], strict=False):
        last = later.began if later else _NEVER
        yield job, min(last, job.last_time) if job.ended else last


def _log_of(job: Job, logs: Iterable[RunLog], until: datetime) -> RunLog | None:
    """Return the log of a job's run among some, which are in the order of time."""
    for log in logs:
        is_own = log.command == _COMMAND and log.reason == job.reason
        if is_own and job.began <= created_at(log.name) <= until:
            return log
    return None


def _without_log(job: Job) -> RunLog:
    seconds = (job.last_time - job.began).total_seconds() if job.ended else None
    return RunLog(
        job.id,
        _COMMAND,
        job.reason,
        job.started,
        outcome="stopped before its log began" if job.state == "stopped" else job.outcome,
        seconds=seconds,
    )


def _start(run: RunLog) -> datetime:
    try:
        return datetime.fromisoformat(run.started)
    except ValueError:  # its log is empty
        return created_at(run.name)
