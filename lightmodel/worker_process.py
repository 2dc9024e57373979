"""What a spawned worker process does before its first task, whoever starts it."""

import multiprocessing
import os
import signal
import threading

from lightmodel.config.environment import limit_native_threads

_PARENT_DIED = 1


def prepare_worker(threads: int) -> None:
    """Prepare this process before it imports native libraries: they use so many threads.

    It ends at once by SIGTERM, even in native code, and with its parent, even if that is killed.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    limit_native_threads(threads)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(_PARENT_DIED)
