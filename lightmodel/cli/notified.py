"""Notifications of a run: that it started, and that it failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from lightmodel.cli.run_log import Run
from lightmodel.config import Config
from lightmodel.errors import DeployFailed, LightModelError, QualityGateFailed
from lightmodel.notify.events import Event, GateFailed, Notify, RolledBack, StageFailed, Started
from lightmodel.notify.notifier import open_notifier


@contextmanager
def notified_run(config: Config, run: Run) -> Iterator[Notify]:
    """Notify the receivers that a run has started and how it failed; yield what sends further events."""
    notifier = open_notifier(config)

    def send(event: Event) -> None:
        notifier.send(replace(event, reason=run.clean(run.reason)))

    send(Started(run.command, run.name))
    try:
        yield send
    except Exception as error:
        send(_failure(error, run))
        raise
    finally:
        notifier.wait()


def _failure(error: Exception, run: Run) -> Event:
    message = run.clean(str(error))
    hint = run.clean(error.hint) if isinstance(error, LightModelError) else "report this bug"
    if isinstance(error, QualityGateFailed):
        return GateFailed(message, hint, run.name)
    if isinstance(error, DeployFailed):
        return RolledBack("a deployment failed", f"{message}\n{hint}")
    return StageFailed(run.stage, type(error).__name__, hint or "see its log", run.name)
