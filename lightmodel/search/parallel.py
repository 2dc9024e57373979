"""Tasks in worker processes side by side, each of which may be killed alone.

Only a process can be ended in the middle of a fit, or run out of memory alone. Workers are spawned
(LightGBM hangs in a fork), keep what they imported for their next task, and end when their parent
does, however that came about.
"""

import logging
import multiprocessing
import os
import pickle  # noqa: TID251 — between this process and its own workers
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from lightmodel.config.environment import limit_native_threads
from lightmodel.errors import LightModelError

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Answer = TypeVar("Answer")
_PARENT_DIED = 1
_MAX_LETTERS = 200


@dataclass(frozen=True)
class Failure:
    """Why a task has no answer, in words."""

    reason: str


def run_parallel(
    work: Callable[[Task], Answer],
    tasks: Sequence[Task],
    *,
    processes: int,
    threads: int,
    timeout_s: float,
) -> Iterator[tuple[Task, Answer | Failure]]:
    """Call `work` with each task, and yield each task with its answer as soon as it has one.

    Args:
        work: a function that can be pickled, as can tasks and answers.
        tasks: are begun in this order.
        processes: number of workers.
        threads: of native libraries in each worker.
        timeout_s: seconds that a task may take before its worker is killed.
    """
    pool = ProcessPool(
        processes,
        initializer=_initialize,
        initargs=(threads,),
        context=multiprocessing.get_context("spawn"),
    )
    try:
        # Pickled here, a task is unpickled, with all that it imports, within its own time.
        futures: dict[Future[Any], Task] = {
            pool.schedule(_call, (pickle.dumps((work, task)),), timeout=timeout_s): task
            for task in tasks
        }
        for future in as_completed(futures):
            error = future.exception()
            yield futures[future], _failure(error, timeout_s) if error else future.result()
    finally:
        pool.stop()  # type: ignore[no-untyped-call] # of pebble
        pool.join()


def _initialize(threads: int) -> None:
    """Prepare a worker before it imports anything that is native."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends native code, where Python's handler waits
    limit_native_threads(threads)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(_PARENT_DIED)


def _call(pickled: bytes) -> Any:  # noqa: ANN401 — an Answer or a Failure
    try:
        work, task = pickle.loads(pickled)  # noqa: S301 — of the parent
        return work(task)
    except LightModelError as error:
        return Failure(f"failed: {error.message}")
    except Exception as error:
        logger.debug("a task failed", exc_info=True)
        words = " ".join(str(error).split())[:_MAX_LETTERS]
        return Failure(f"failed: {type(error).__name__}: {words}")


def _failure(error: BaseException, timeout_s: float) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure(f"not finished within {timeout_s:g} s")
    if not isinstance(error, ProcessExpired):
        return Failure(f"its process died ({error})")
    if error.exitcode == -signal.SIGKILL:
        return Failure("its process died (killed, perhaps for want of memory)")
    return Failure(f"its process died (exit code {error.exitcode})")
