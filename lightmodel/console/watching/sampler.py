"""Looks at the service's metrics at fixed intervals, as long as the console runs."""

import logging
import time

import anyio
from anyio import to_thread

from lightmodel.config import ConsoleSection
from lightmodel.config.load import Loaded
from lightmodel.console.failures import ServiceFailure
from lightmodel.console.service_client import ServiceClient
from lightmodel.console.session import client_of, console_key
from lightmodel.console.watching.history import History
from lightmodel.console.watching.history_file import HistoryFile, history_file
from lightmodel.console.watching.snapshot import Snapshot, State, read_metrics

logger = logging.getLogger(__name__)


def look(client: ServiceClient) -> tuple[Snapshot, State]:
    """Return what the service measures now.

    Raises:
        ServiceFailure: it does not answer, or not with metrics.
    """
    text = client.metrics()
    try:
        return read_metrics(text, time.time())
    except (ValueError, KeyError):
        raise ServiceFailure(
            "The metrics of the service cannot be read.",
            hint="Use the same version of the service and of this console.",
        ) from None


def look_once(settings: ConsoleSection, history: History, file: HistoryFile | None = None) -> None:
    """Add a snapshot to a history and its file, or why there is none; a change of that is logged."""
    before = history.failure
    try:
        snapshot, _ = look(client_of(settings, console_key(settings)))
    except ServiceFailure as failure:
        history.failure = failure
        if before is None or before.message != failure.message:
            logger.warning("the metrics of the service: %s", failure.message)
        return
    history.add(snapshot)
    if file:
        file.add(snapshot)
    history.failure = None
    if before is not None:
        logger.info("the service answers with its metrics again")


async def look_always(loaded: Loaded, history: History) -> None:
    """Go on with the history of an earlier console, and look until this is cancelled, whatever fails."""
    settings, file = loaded.config.console, history_file(loaded)
    for snapshot in file.read(time.time()) if file else ():
        history.add(snapshot)
    while True:
        await to_thread.run_sync(look_once, settings, history, file, abandon_on_cancel=True)
        await anyio.sleep(settings.sample_interval_s)
