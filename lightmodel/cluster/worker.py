"""What the workers of a cluster run: a function, on arguments and on a value that many tasks share."""

import hashlib
import pickle  # noqa: TID251 — between this process and the workers that run its tasks
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightmodel.cluster.versions import reject_other_versions


class SharedValue:
    """A pickled value, which a process that receives it unpickles once.

    Dask sends it to a worker once, and gives the same object to all tasks there.
    """

    def __init__(self, pickled: bytes) -> None:
        self.pickled = pickled
        self._lock = threading.Lock()
        self._values: list[Any] = []

    @property
    def key(self) -> str:
        """The name of the value, by its content."""
        return f"light-model-{hashlib.sha256(self.pickled).hexdigest()[:32]}"

    def value(self) -> Any:  # noqa: ANN401 — whatever was pickled
        """Return the value, the same object each time."""
        with self._lock:
            if not self._values:
                self._values.append(pickle.loads(self.pickled))  # noqa: S301 — of our own client
            return self._values[0]

    def __sizeof__(self) -> int:
        """Return the size in bytes, by which Dask plans a worker's memory."""
        return len(self.pickled)

    def __reduce__(self) -> tuple[type["SharedValue"], tuple[bytes]]:
        return SharedValue, (self.pickled,)


@dataclass(frozen=True)
class Outcome:
    """What a function returned or raised: Dask itself would log the arguments of one that raises."""

    value: Any = None
    error: Exception | None = None


def as_pickled(value: object) -> bytes:
    """Return the bytes that a worker unpickles."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def run_task(versions: Mapping[str, str], pickled: bytes, shared: SharedValue | None) -> Outcome:
    """Call a function on a worker.

    Args:
        versions: of the client, as `versions_here` returns them.
        pickled: the function and its other arguments.
        shared: the first argument, if there is a shared one.
    """
    try:
        reject_other_versions(versions, "a worker")
        call: tuple[Callable[..., Any], Sequence[Any]] = pickle.loads(pickled)  # noqa: S301 — likewise
        function, arguments = call
        first = [] if shared is None else [shared.value()]
        return Outcome(function(*first, *arguments))
    except Exception as error:  # noqa: BLE001 — raised again by the client
        return Outcome(error=_portable(error))


def _portable(error: Exception) -> Exception:
    """Return the error, or one that says the same if it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 — pickled here
    except Exception:  # noqa: BLE001 — whatever its class does
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error.with_traceback(None)
