"""Bringing what waits in the spool to the sink, in order, each row once."""

import logging
from collections.abc import Callable
from pathlib import Path

import orjson
from filelock import FileLock, Timeout

from lightmodel.errors import DataError
from lightmodel.predictions.base import Sink
from lightmodel.predictions.spool import segments, taken

logger = logging.getLogger(__name__)

LOCK = ".shipping.lock"
REFUSED = ".refused"


def ship(
    folder: Path, sink: Sink, count: Callable[[str, int], None], timeout_s: float = 0.0
) -> None:
    """Send every complete segment, oldest first; it is removed once the sink has it.

    One process sends at a time: another that holds the lock longer than `timeout_s` does it for us.

    Raises:
        SourceUnavailable: the sink is down; what it does not have stays.
        OSError: the spool cannot be read.
    """
    try:
        with FileLock(folder / LOCK, timeout=timeout_s):
            for segment in segments(folder):
                _send(segment, sink, count)
    except Timeout:
        return


def _send(segment: Path, sink: Sink, count: Callable[[str, int], None]) -> None:
    with taken(segment) as file:
        if file is None:
            return
        data = file.readall()
        whole = data[: data.rfind(b"\n") + 1]  # the rest is a write that was killed
        try:
            count("logged", sink.write(whole) if whole else 0)
        except DataError as error:
            _send_readable(segment, whole, sink, count, error)
        segment.unlink(missing_ok=True)


def _send_readable(
    segment: Path, lines: bytes, sink: Sink, count: Callable[[str, int], None], why: DataError
) -> None:
    """Send what is JSON of a segment that a crash of the machine has damaged; keep it aside."""
    readable = b"".join(line for line in lines.splitlines(keepends=True) if _is_json(line))
    aside = segment.with_suffix(REFUSED)
    aside.write_bytes(lines)
    logger.warning("prediction log: %s keeps a segment refused: %s", aside.name, why.message)
    try:
        count("logged", sink.write(readable) if readable != lines else 0)
    except DataError as error:
        logger.warning("prediction log: what is readable of it is refused: %s", error.message)


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
