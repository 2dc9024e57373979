"""Run tasks in parallel worker processes, each of which can be killed without the others.

Only a process can be stopped in the middle of a fit, or run out of memory on its own. Workers are
spawned (LightGBM hangs after a fork), keep their imports for the next task, and exit with their
parent, even if that is killed.
"""

import logging
import multiprocessing
import pickle  # noqa: TID251 — between this process and its own workers
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from lightmodel.errors import LightModelError
from lightmodel.worker_process import prepare_worker

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")
_MAX_CHARACTERS = 200


@dataclass(frozen=True)
class Failure:
    """The reason why a task has no result."""

    reason: str


def run_parallel(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int,
    threads: int,
    timeout_s: float,
) -> Iterator[tuple[Task, Result | Failure]]:
    """Call `work` with each task, and yield each task with its result or failure as soon as it ends.

    Args:
        work: a function that can be pickled, as must be tasks and results.
        tasks: are started in this order.
        processes: number of workers.
        threads: number of threads that native libraries use in each worker.
        timeout_s: seconds that a task may take before its worker is killed.
    """
    pool = ProcessPool(
        processes,
        initializer=prepare_worker,
        initargs=(threads,),
        context=multiprocessing.get_context("spawn"),
    )
    try:
        # Pickled here, so that unpickling a task, its imports included, counts towards its time.
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


def _call(pickled: bytes) -> Any:  # noqa: ANN401 — a Result or a Failure
    try:
        work, task = pickle.loads(pickled)  # noqa: S301 — pickled by the parent
        return work(task)
    except Exception as error:  # noqa: BLE001 — of whatever estimator
        return failure_of(error)


def failure_of(error: Exception) -> Failure:
    """Return the failure of a task that raised an error."""
    if isinstance(error, LightModelError):
        return Failure(f"failed: {error.message}")
    logger.debug("a task failed", exc_info=error)
    text = " ".join(str(error).split())[:_MAX_CHARACTERS]
    return Failure(f"failed: {type(error).__name__}: {text}")


def overdue(timeout_s: float) -> Failure:
    """Return the failure of a task that took too long."""
    return Failure(f"not finished within {timeout_s:g} s")


def _failure(error: BaseException, timeout_s: float) -> Failure:
    if isinstance(error, TimeoutError):
        return overdue(timeout_s)
    if not isinstance(error, ProcessExpired):
        return Failure(f"its process died ({error})")
    if error.exitcode == -signal.SIGKILL:
        return Failure("its process died (killed, perhaps out of memory)")
    return Failure(f"its process died (exit code {error.exitcode})")
