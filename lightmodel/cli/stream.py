"""`python -m lightmodel stream`: score a stream of records."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from lightmodel.cli.common import settings
from lightmodel.config import load


@click.command()
@click.option("--input", "input_", metavar="STREAM", help="Stream to read (streams.input).")
@click.option("--output", metavar="STREAM", help="Stream for the answers (streams.output).")
@click.option(
    "--dead-letter",
    metavar="STREAM",
    help="Stream for records that cannot be scored (streams.dead_letter).",
)
@click.option("--drain", is_flag=True, help="Stop when everything in the stream is processed.")
@click.option("--test-run", is_flag=True, help="Score, and write nothing (streams.test_run).")
@settings
def stream(  # noqa: PLR0913 — one for each option
    *,
    input_: str | None,
    output: str | None,
    dead_letter: str | None,
    drain: bool,
    test_run: bool,
    config_file: Path | None,
    sets: tuple[str, ...],
) -> None:
    """Score a stream of records.

    Records, each one JSON object or JSON Lines, are read from a stream such as kinesis://NAME or
    kafka://HOST:PORT/TOPIC, scored by the newest approved model, and answered in another. A consumer that
    was stopped or killed goes on where it was. SIGTERM and Ctrl-C stop it once the current batch is
    written.
    """
    from lightmodel.streams.consumer import consume

    given = {"input": input_, "output": output, "dead_letter": dead_letter}
    own = [f"streams.{name}={value}" for name, value in given.items() if value is not None]
    own += ["streams.test_run=true"] if test_run else []
    with _stopped_by_signals() as stop:
        consume(load(config_file, (*sets, *own)).config, stop, drain=drain)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; a second signal ends the process as ever."""
    stop = threading.Event()
    before = {int(one): signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}

    def handle(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[number] or signal.SIG_DFL)

    for number in before:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
