"""`python -m lightmodel watch`: train again when there is a reason."""

import logging
import sys
import threading
from pathlib import Path

import click

from lightmodel.cli import BUG, INTERRUPTED
from lightmodel.cli.common import settings, stop_event
from lightmodel.config import Config, load
from lightmodel.config.durations import parse_duration
from lightmodel.config.environment import export, service_environment
from lightmodel.errors import LightModelError
from lightmodel.notify.notifier import open_notifier
from lightmodel.watch.factory import training_jobs
from lightmodel.watch.jobs import Job, TrainingJobs

logger = logging.getLogger(__name__)

_POLL_S = 1.0
_SHORTEST_S = 1.0


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = parse_duration(value)
        if seconds is None or seconds < _SHORTEST_S:
            self.fail(
                f"{value!r} is no duration of a second or more, such as 30s or 5m", param, ctx
            )
        return seconds


@click.command()
@click.option(
    "--every",
    type=_Duration(),
    help="Time between two looks, such as 5m, until Ctrl-C or SIGTERM.",
)
@click.option(
    "--once",
    is_flag=True,
    help="Look once; if that starts a training, wait for it and exit with its code.",
)
@settings
def watch(
    config_file: Path | None, sets: tuple[str, ...], every: float | None, *, once: bool
) -> None:
    """Train again when there is a reason.

    Each look measures drift and live quality, asks the source for new data, counts labels, and looks at
    the schedule (watch.train_on, watch.schedule, watch.min_new_labels). If something asks for a training,
    one is started, with its reason: as a process of its own, or as a build of serve.jenkins_url. The
    quality gate decides as ever. After a training, watch.cooldown holds the next one back.
    """
    if once == (every is not None):
        raise click.UsageError("use either --every, such as --every 5m, or --once")
    config = load(config_file, sets).config
    export(service_environment(config_file, sets))  # trainings read the same settings
    jobs, stop = training_jobs(config), stop_event()
    if every is None:
        _watch_once(config, jobs, stop)
    else:
        _keep_watching(config, jobs, stop, every)


def _keep_watching(
    config: Config, jobs: TrainingJobs, stop: threading.Event, every_s: float
) -> None:
    from lightmodel.watch.watcher import open_watcher, watch_lock

    with watch_lock(config):
        notifier = open_notifier(config)
        watcher = open_watcher(config, jobs, notifier.send_and_wait)
        logger.info("watching every %g s; Ctrl-C ends it", every_s)
        last = ""
        while not stop.is_set():
            try:
                watcher.round()
                last = ""
            except LightModelError as error:  # what starts trainings may be away for a while only
                if error.message != last:
                    logger.warning("%s; %s", error.message, error.hint)
                last = error.message
            notifier.retry()
            stop.wait(every_s)


def _watch_once(config: Config, jobs: TrainingJobs, stop: threading.Event) -> None:
    from lightmodel.watch.watcher import open_watcher, watch_lock

    with watch_lock(config):
        notifier = open_notifier(config)
        job = open_watcher(config, jobs, notifier.send_and_wait).round()
        notifier.retry()
        if job is None:
            click.echo("no training was started")
            return
        if job.state == "queued":  # Jenkins says how it goes
            click.echo(f"queued: {job.url}")
            return
        job = _ended(jobs, job, stop)
    click.echo("\n".join(job.last_lines))
    click.echo(f"training {job.id}: {job.outcome}")
    if job.state != "approved":
        sys.exit(INTERRUPTED if job.was_killed else job.exit_code or BUG)


def _ended(jobs: TrainingJobs, job: Job, stop: threading.Event) -> Job:
    """Wait for a training's end, and return it as it is then.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came first; the training goes on.
    """
    while (job := jobs.find(job.id) or job).is_under_way:
        if stop.wait(_POLL_S):
            raise KeyboardInterrupt
    return job
