"""Sample the machine's load during a run, under the names that MLflow shows as system metrics."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from lightmodel.config import TrackingSection
from lightmodel.errors import ConfigError
from lightmodel.tracking.records import Point

Curves = Callable[[], Mapping[str, tuple[Point, ...]]]  # (seconds since 1970, value) by metric name
INTERVAL_S = 10.0
_MB = 1e6
_SHORTEST_S = 0.1  # over less, the processors were all busy or all idle


def no_system_metrics() -> dict[str, tuple[Point, ...]]:
    """Return no curves, for system metrics are off."""
    return {}


def system_metrics(
    tracking: TrackingSection, interval_s: float = INTERVAL_S
) -> AbstractContextManager[Curves]:
    """Return a context manager whose function returns the curves since it was entered.

    Raises:
        ConfigError: system metrics are switched on, and psutil is not installed.
    """
    if not tracking.system_metrics or tracking.uri == "none":
        return nullcontext(no_system_metrics)
    return Sampler(interval_s)


class Sampler:
    """Samples processors, memory, disk and network in a thread: at once, periodically, and at the end."""

    def __init__(self, interval_s: float) -> None:
        try:
            import psutil
        except ImportError:
            raise ConfigError(
                "tracking.system_metrics needs psutil, which is not installed",
                hint="`pip install -r requirements.txt`, or set tracking.system_metrics = false",
            ) from None
        self._psutil = psutil
        self._interval_s = interval_s
        self._curves: dict[str, list[Point]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system metrics", daemon=True)

    def __enter__(self) -> Curves:
        self._psutil.cpu_percent()  # it measures since the last call
        self._processors_since = time.monotonic()
        self._network = self._psutil.net_io_counters()
        self._sample()
        self._thread.start()
        return self.curves

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def curves(self) -> dict[str, tuple[Point, ...]]:
        """Return the curves until now."""
        self._sample()
        return {name: tuple(points) for name, points in self._curves.items()}

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._sample()

    def _sample(self) -> None:
        with self._lock:
            now = time.time()
            for name, value in self._values().items():
                self._curves.setdefault(f"system/{name}", []).append((now, value))

    def _values(self) -> dict[str, float]:
        memory, disk = self._psutil.virtual_memory(), self._psutil.disk_usage(".")
        network = self._psutil.net_io_counters()
        return {
            **self._processors(),
            "system_memory_usage_megabytes": memory.used / _MB,
            "system_memory_usage_percentage": memory.used / memory.total * 100,
            "disk_usage_megabytes": disk.used / _MB,
            "disk_usage_percentage": disk.percent,
            "disk_available_megabytes": disk.free / _MB,
            "network_receive_megabytes": (network.bytes_recv - self._network.bytes_recv) / _MB,
            "network_transmit_megabytes": (network.bytes_sent - self._network.bytes_sent) / _MB,
        }

    def _processors(self) -> dict[str, float]:
        """Return how busy the processors were since the last sample, unless that was just now."""
        now = time.monotonic()
        if now - self._processors_since < _SHORTEST_S:
            return {}
        self._processors_since = now
        return {"cpu_utilization_percentage": self._psutil.cpu_percent()}
