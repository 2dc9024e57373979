"""Processes side by side on this machine; a task that takes too long is killed, and says so.

Only a process can be ended in the middle of a fit, or run out of memory alone. Each is started afresh
(never forked: LightGBM hangs in a fork), keeps what it imported for its next task, and ends when its
parent does, however that came about.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from lightmodel.config.threads import limit_native_threads
from lightmodel.errors import LightModelError

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Answer = TypeVar("Answer")
_PARENT_DIED = 1
_GRACE_S = 5.0
_MOST_LETTERS = 200


@dataclass(frozen=True)
class Lanes:
    """How many tasks run at a time, on how many threads each, and how long one may take."""

    count: int
    threads: int
    limit_s: float


@dataclass(frozen=True)
class Failure:
    """Why a task gave no answer, in words."""

    why: str


@dataclass
class _Lane(Generic[Task]):
    process: SpawnProcess
    connection: "Connection[Any, Any]"
    task: Task
    deadline: float


def side_by_side(
    work: Callable[[Task], Answer], tasks: Sequence[Task], lanes: Lanes
) -> Iterator[tuple[Task, Answer | Failure]]:
    """Do `work` for each task; yields each with its answer as it ends.

    Args:
        work: a function that can be pickled, as can tasks and answers.
        tasks: are begun in this order.
        lanes: see there.
    """
    waiting = list(tasks)[::-1]
    busy: list[_Lane[Task]] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < lanes.count:
                busy.append(_begin(_started(work, lanes), waiting.pop(), lanes.limit_s))
            for lane in _stirring(busy):
                busy.remove(lane)
                answer = _ended(lane, lanes.limit_s)
                if lane.process.is_alive() and waiting:
                    process = (lane.process, lane.connection)
                    busy.append(_begin(process, waiting.pop(), lanes.limit_s))
                else:
                    _stop(lane, grace_s=_GRACE_S)
                yield lane.task, answer
    finally:
        for lane in busy:
            _stop(lane, grace_s=0)


def _started(
    work: Callable[[Task], Answer], lanes: Lanes
) -> "tuple[SpawnProcess, Connection[Any, Any]]":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, lanes.threads), daemon=True)
    process.start()
    theirs.close()
    ours.send(work)
    return process, ours


def _begin(
    process: "tuple[SpawnProcess, Connection[Any, Any]]", task: Task, limit_s: float
) -> _Lane[Task]:
    process[1].send(task)
    return _Lane(*process, task, time.monotonic() + limit_s)


def _stirring(busy: Sequence[_Lane[Task]]) -> list[_Lane[Task]]:
    """Wait until a lane answers, dies or is late; gives all such lanes."""
    patience = max(0.0, min(lane.deadline for lane in busy) - time.monotonic())
    ready = wait([lane.connection for lane in busy], patience)
    now = time.monotonic()
    return [lane for lane in busy if lane.connection in ready or lane.deadline <= now]


def _ended(lane: _Lane[Task], limit_s: float) -> Any:  # noqa: ANN401 — an Answer or a Failure
    if not lane.connection.poll():
        lane.process.kill()
        lane.process.join()
        return Failure(f"not finished within {limit_s:g} s")
    try:
        return lane.connection.recv()
    except (EOFError, ConnectionResetError):
        lane.process.join()
        return Failure(f"its process died ({_how(lane.process.exitcode)})")


def _how(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "killed, perhaps for want of memory"
    return f"exit code {code}"


def _stop(lane: _Lane[Task], grace_s: float) -> None:
    """End a process: an idle one ends by itself when nothing more can come."""
    lane.connection.close()
    lane.process.join(grace_s)
    lane.process.kill()
    lane.process.join()


def _serve(connection: "Connection[Any, Any]", threads: int) -> None:
    """Do what the parent sends, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    limit_native_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = connection.recv()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_answer(work, task))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(_PARENT_DIED)


def _answer(work: Callable[[Task], Answer], task: Task) -> Answer | Failure:
    try:
        return work(task)
    except LightModelError as error:
        return Failure(f"failed: {error.message}")
    except Exception as error:
        logger.debug("a task failed", exc_info=True)
        words = " ".join(str(error).split())[:_MOST_LETTERS]
        return Failure(f"failed: {type(error).__name__}: {words}")
