"""One connection to a cluster: calls of functions that survive workers, and end with the cluster."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from lightmodel.cluster.versions import reject_other_versions, versions_here
from lightmodel.cluster.worker import Outcome, SharedValue, as_pickled, run_task
from lightmodel.config import DaskSection
from lightmodel.errors import ConfigError, LightModelError, NotPossible, SourceUnavailable

if TYPE_CHECKING:
    import distributed

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_POLL_S = 0.5
_LONGEST_PING_S = 5.0
_MOST_LOSSES = 5  # of one task, before the cluster is given up
_HINT = "see that it runs, then start the same command again: finished folds are kept"


class Shared:
    """A value on its way to the workers; those that hold it may be lost, and then it is sent again."""

    def __init__(self, value: object) -> None:
        self.value = SharedValue(as_pickled(value))
        self.lock = threading.Lock()
        self.future: Any = None  # Dask's name for it, as long as some worker holds it


class Cluster:
    """A connection to a scheduler, which can be used from several threads.

    No method blocks for longer than `dask.timeout_s` while the scheduler does not answer or has no worker:
    it then raises SourceUnavailable.
    """

    def __init__(self, section: DaskSection) -> None:
        """Connect, wait for a worker, and compare its versions with those of this process.

        Raises:
            ConfigError: Dask is not installed, or a worker has other versions.
            SourceUnavailable: there is no scheduler, or it has no worker.
        """
        _import_dask()  # takes a second, which is not the scheduler's
        self._section = section
        self._alive_at = time.monotonic()
        self._state = "does not answer"
        self._is_closed = threading.Event()
        self.threads = 1  # of all workers together
        self._client: distributed.Client = self._guarded(partial(_connect, section))
        threading.Thread(target=self._watch, daemon=True, name="cluster").start()
        try:
            self._check_versions()
        except BaseException:
            self.close()
            raise

    @property
    def is_usable(self) -> bool:
        """Whether the connection exists still."""
        return not self._is_closed.is_set() and self._client.status == "running"

    def share(self, value: object) -> Shared:
        """Return a handle of a value for many tasks, which crosses the network once for each worker."""
        return Shared(value)

    def call(
        self,
        function: Callable[..., Result],
        *arguments: object,
        shared: Shared | None = None,
        stop: threading.Event | None = None,
    ) -> Result:
        """Return what a function returns on some worker; a worker that dies is replaced by another.

        Args:
            function: of a module, which a worker can import.
            arguments: what it is called with, after the shared value if there is one.
            shared: as `share` returned it.
            stop: once it is set, the call is given up.

        Raises:
            CancelledError: `stop` was set.
            NotPossible: workers died again and again, each with this task.
            SourceUnavailable: the scheduler or all workers are gone.
            Exception: what the function raised.
        """
        pickled = as_pickled((function, arguments))
        for _ in range(_MOST_LOSSES):
            self._raise_if_hopeless(stop)
            with suppress(_LostError):
                outcome = self._attempt(pickled, shared, stop)
                if outcome.error:
                    raise outcome.error
                result: Result = outcome.value
                return result
            logger.info("a task was lost with its worker, and is sent again")
            self._wait_for_workers(stop)
        raise SourceUnavailable(
            f"the Dask cluster at {self._section.scheduler} lost a task {_MOST_LOSSES} times",
            hint=_HINT,
        )

    def close(self) -> None:
        """End the connection."""
        self._is_closed.set()
        threading.Thread(target=self._client.close, args=(1,), daemon=True).start()

    def _attempt(
        self, pickled: bytes, shared: Shared | None, stop: threading.Event | None
    ) -> Outcome:
        from distributed import KilledWorker

        sent = None if shared is None else self._scattered(shared, stop)
        key, options = f"light-model-task-{uuid4().hex}", {"pure": False}
        arguments = run_task, versions_here(), pickled, sent
        task = self._asked(partial(self._client.submit, *arguments, key=key, **options), stop)
        try:
            outcome: Outcome = self._asked(task.result, stop)
        except KilledWorker as error:
            raise NotPossible(
                "workers of the Dask cluster died, one after the other, with the same task",
                hint="perhaps their memory is too small: give them more, or run fewer on a machine",
            ) from error
        except CancelledError:
            threading.Thread(target=task.cancel, daemon=True).start()
            raise
        return outcome

    def _scattered(self, shared: Shared, stop: threading.Event | None) -> Any:  # noqa: ANN401 — Dask's
        """Return Dask's future of a shared value, which is sent if no worker holds it."""
        with shared.lock:
            if shared.future is None or shared.future.status != "finished":
                key = f"{shared.value.key}-{uuid4().hex[:8]}"
                values, options = (
                    {key: shared.value},
                    {"broadcast": True, "timeout": _LONGEST_PING_S},
                )
                sent = self._asked(partial(self._client.scatter, values, **options), stop)
                shared.future = sent[key]
            return shared.future

    def _asked(self, function: Callable[[], Any], stop: threading.Event | None) -> Any:  # noqa: ANN401 — likewise
        """Return what a function of Dask returns, or raise _LostError if that was lost on the way."""
        try:
            return self._guarded(function, stop)
        except CancelledError as error:  # by `stop`, or by Dask for what is lost
            if stop and stop.is_set():
                raise
            raise _LostError from error
        except OSError as error:
            raise _LostError from error
        except Exception as error:
            if self._client.status == "running" or isinstance(error, LightModelError):
                raise
            raise _LostError from error

    def _check_versions(self) -> None:
        """Raise ConfigError if a worker has other versions than this process."""
        self._wait_for_workers(None)
        run = partial(self._client.run, versions_here, on_error="return")
        for address, versions in self._guarded(run).items():
            if isinstance(versions, OSError):
                continue  # it has died meanwhile
            if isinstance(versions, Exception):
                raise ConfigError(
                    f"the worker {address} of the Dask cluster cannot import this project: {versions}",
                    hint="start it in the project's folder, or from its image; docs/guide/dask.md",
                )
            reject_other_versions(versions_here(), f"the worker {address}", versions)

    def _wait_for_workers(self, stop: threading.Event | None) -> None:
        """Wait until the scheduler has answered that there is a worker."""
        asked = time.monotonic()
        while self._alive_at < asked:
            self._raise_if_hopeless(stop)
            time.sleep(_POLL_S / 5)

    def _guarded(self, function: Callable[[], Any], stop: threading.Event | None = None) -> Any:  # noqa: ANN401 — what the function returns
        """Call a function of Dask that may block for ever, and wait for it as long as there is hope."""
        future: Future[Any] = Future()
        threading.Thread(target=_fulfil, args=(future, function), daemon=True).start()
        while True:
            with suppress(TimeoutError):
                return future.result(_POLL_S)
            if future.done():  # it was the function's own TimeoutError
                return future.result()
            self._raise_if_hopeless(stop)

    def _raise_if_hopeless(self, stop: threading.Event | None) -> None:
        if stop and stop.is_set():
            raise CancelledError
        silent = time.monotonic() - self._alive_at
        if silent > self._section.timeout_s:
            raise SourceUnavailable(
                f"the Dask scheduler at {self._section.scheduler} {self._state}, for {silent:.0f} s",
                hint=_HINT,
            )

    def _watch(self) -> None:
        """Ask the scheduler for its workers, again and again."""
        wait_s = min(self._section.timeout_s, _LONGEST_PING_S)
        while not self._is_closed.wait(_POLL_S):
            try:
                ping = self._client.scheduler.identity
                workers = self._client.sync(ping, callback_timeout=wait_s)["workers"].values()
            except (OSError, RuntimeError, AttributeError):
                self._state = "does not answer"
                continue
            running = [one["nthreads"] for one in workers if one["status"] == "running"]
            if running:
                self.threads, self._alive_at = sum(running), time.monotonic()
            else:
                self._state = "has no workers"


class _LostError(Exception):
    """A task or a shared value was lost with the workers that held it."""


def _import_dask() -> None:
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(
            'dask.engine = "dask" needs Dask, which is not installed',
            hint="pip install -r requirements/dask.txt",
        ) from error
    logging.getLogger(distributed.__name__).setLevel(logging.CRITICAL)  # our errors say it


def _connect(section: DaskSection) -> "distributed.Client":
    from distributed import Client

    try:
        return Client(
            section.scheduler, timeout=section.timeout_s, set_as_default=False, name="light-model"
        )
    except OSError as error:
        raise SourceUnavailable(
            f"the Dask scheduler at {section.scheduler} does not answer", hint=_HINT
        ) from error


def _fulfil(future: Future[Any], function: Callable[[], Any]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 — raised by the thread that waits
        future.set_exception(error)


_clusters: dict[DaskSection, Cluster] = {}
_clusters_lock = threading.Lock()


def open_cluster(section: DaskSection) -> Cluster:
    """Return this process's connection to a cluster, which is opened when it is first needed.

    Raises:
        ConfigError: Dask is not installed, or a worker has other versions.
        SourceUnavailable: there is no scheduler, or it has no worker.
    """
    with _clusters_lock:
        known = _clusters.get(section)
        if known is None or not known.is_usable:
            if known:
                known.close()
            known = _clusters[section] = Cluster(section)
        return known


def close_clusters() -> None:
    """End all connections of this process."""
    with _clusters_lock:
        while _clusters:
            _clusters.popitem()[1].close()
