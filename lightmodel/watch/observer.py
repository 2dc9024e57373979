"""Observe what triggers look at: the source, the store, and the prediction log."""

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing, LightModelError
from lightmodel.notify.events import Notify, no_notifications
from lightmodel.predictions.base import utc_text
from lightmodel.predictions.factory import open_sink
from lightmodel.progress import SilentProgress
from lightmodel.sources.factory import fetch_table
from lightmodel.store.canary import served_versions
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import Store, Version, models_of
from lightmodel.watch.canary import settle
from lightmodel.watch.drift import measure_drift
from lightmodel.watch.files import last_drift, last_quality, store_drift, store_quality
from lightmodel.watch.quality import live_quality
from lightmodel.watch.state import WatchState
from lightmodel.watch.times import is_ahead
from lightmodel.watch.triggers import Observation

logger = logging.getLogger(__name__)

_Found = TypeVar("_Found")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Observer:
    """Observes; what fails costs a warning, which is not repeated in the next rounds."""

    def __init__(self, config: Config, notify: Notify = no_notifications) -> None:
        self._config, self._notify = config, notify
        self._failures: dict[str, str] = {}

    def __call__(self, now: datetime, state: WatchState, *, busy: bool) -> Observation:
        """Return what there is to see now.

        While a training is under way (`busy`), which reads the table itself, the source is not asked.
        """
        models = models_of(self._config)
        served = self._try("the served model", lambda: _served(models, self._config.serve.canary))
        measures = served is not None and self._is_due(now, state)
        if measures:
            self._measure()
        since = self._since(served, state, now)
        quality = last_quality(self._config)
        asks_source = not busy and "new_data" in self._config.watch.train_on
        counts = "labels" in self._config.watch.train_on and served is not None
        return Observation(
            now,
            served.name if served else "",
            since,
            self._try("the source", self._table) if asks_source else None,
            _tested_on(models),
            last_drift(self._config),
            quality.served if quality else None,
            self._try("labels", lambda: self._labels(since or _LONG_AGO)) if counts else None,
            measures,
        )

    def _is_due(self, now: datetime, state: WatchState) -> bool:
        if not state.measured:
            return True
        pause = timedelta(seconds=self._config.watch.measure_every_s)
        return now - datetime.fromisoformat(state.measured) >= pause

    def _since(self, served: Version | None, state: WatchState, now: datetime) -> datetime | None:
        created = served.manifest.created if served else ""
        times = [datetime.fromisoformat(one) for one in (state.trained, created) if one]
        if created and is_ahead(times[-1], now):
            problem = f"it was made at {created}, which is after now, and does not count as trained"
            self._warn("the served model's time", f"{problem}: was a clock wrong?")
        return max((one for one in times if not is_ahead(one, now)), default=None)

    def _measure(self) -> None:
        config = self._config
        if config.log.sink == "none":
            return
        self._try("drift", lambda: store_drift(config, measure_drift(config).report))
        quality = self._try("live quality", lambda: live_quality(config))
        if quality:
            self._try("live quality", lambda: store_quality(config, quality))
            self._try("the canary", lambda: settle(config, quality, self._notify))

    def _table(self) -> str:
        """Return the sha256 of the table at the source, which is downloaded only if it has changed."""
        data = self._config.data
        if data.refresh == "always":  # that is for runs
            data = data.model_copy(update={"refresh": "changed"})
        return fetch_table(self._config.model_copy(update={"data": data}), SilentProgress()).sha256

    def _labels(self, since: datetime) -> int | None:
        if self._config.log.sink == "none":
            return None
        with closing(open_sink(self._config)) as sink:
            return sink.count_labelled(utc_text(since))

    def _try(self, what: str, observe: Callable[[], _Found]) -> _Found | None:
        try:
            found = observe()
        except LightModelError as error:
            self._warn(what, f"{error.message}; {error.hint}")
            return None
        self._failures.pop(what, None)
        return found

    def _warn(self, what: str, problem: str) -> None:
        if self._failures.get(what) != problem:
            logger.warning("%s: %s", what, problem)
        self._failures[what] = problem


def _served(models: Store, canary: float) -> Version | None:
    try:
        return served_versions(models, canary).stable
    except ArtefactMissing:  # nothing is wrong before the first training
        return None


def _tested_on(models: Store) -> str:
    """Return the sha256 of the table of the newest model that was tested; "" if there is none."""
    for version in models.newest_first():
        try:
            if read_verdict(version, models.signer):
                return str(version.manifest.inputs.get("sha256", ""))
        except LightModelError:  # the service reports a damaged one
            continue
    return ""
