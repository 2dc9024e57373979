"""Export the state of the service that no request changes: the model, the disks, and what waits."""

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lightmodel.config import Config
from lightmodel.notify.notifier import spool_of
from lightmodel.predictions.factory import log_folder, spooled_bytes
from lightmodel.scoring.model_manager import ModelManager


class StateCollector(Collector):
    """Reads the state at each scrape; a worker that serves no model shows none."""

    def __init__(self, config: Config, models: ModelManager) -> None:
        self._config, self._models = config, models

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        yield from self._model_gauges()
        yield from self._disk_gauges()
        waiting = spooled_bytes(self._config)
        yield GaugeMetricFamily(
            "lightmodel_log_waiting_bytes", "Bytes spooled, not yet in the database", waiting
        )
        yield GaugeMetricFamily(
            "lightmodel_notifications_waiting",
            "Notifications that no receiver has accepted yet",
            len(spool_of(self._config).files()),
        )

    def _model_gauges(self) -> Iterator[Metric]:
        model = self._models.loaded
        if model is None:
            return
        info = GaugeMetricFamily(
            "lightmodel_model_info", "1 for the served version", labels=["version"]
        )
        info.add_metric([model.version], 1)
        yield info
        created = datetime.fromisoformat(model.manifest.created).timestamp()
        name = "lightmodel_model_created_timestamp_seconds"
        yield GaugeMetricFamily(name, "When the served version was created", created)

    def _disk_gauges(self) -> Iterator[Metric]:
        """Yield room and size of the disk of each folder that is written to."""
        labels = ["folder"]
        size = GaugeMetricFamily("lightmodel_disk_size_bytes", "Size of the disk", labels=labels)
        free = GaugeMetricFamily("lightmodel_disk_free_bytes", "Room left on it", labels=labels)
        store = self._config.store
        folders = {"log": log_folder(self._config), "store": store.root, "work": store.work}
        for name, folder in folders.items():
            try:
                usage = shutil.disk_usage(_existing(folder))
            except OSError:  # a disk that does not answer has no figures
                continue
            size.add_metric([name], usage.total)
            free.add_metric([name], usage.free)
        yield from (size, free)


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
