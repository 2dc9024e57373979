"""The loaded model, which is replaced while the service runs."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lightmodel.errors import LightModelError
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.predictor import LoadedModel

logger = logging.getLogger(__name__)


@dataclass
class ModelManager:
    """Holds one loaded model; a request takes it once, so that no answer mixes two models.

    A model is loaded in a worker, after the fork. A newer one is loaded beside it, tested, and swapped
    in; if it cannot be loaded, that is logged once and the old one is still served.
    """

    store: ModelStoreView
    interval_s: float
    on_model_loaded: Callable[[LoadedModel], None]
    _model: LoadedModel | None = None
    _error: LightModelError | None = None
    _state: object = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def loaded(self) -> LoadedModel | None:
        """The loaded model, if there is one already."""
        return self._model

    def require(self) -> LoadedModel:
        """Return the loaded model; load it first if there is none.

        Raises:
            LightModelError: no model can be loaded, for this reason.
        """
        if self._model is None:
            self.refresh()
        if self._model is None:
            raise self._error or RuntimeError("neither a model nor an error")
        return self._model

    def refresh(self) -> None:
        """Load a newer model, if the store has changed since the last check and holds one."""
        with self._lock:
            state = self.store.state(self._model)
            if state == self._state:
                return
            self._state = state
            try:
                self._swap(self.store.newest(self._model))
            except LightModelError as error:
                self._unload(error)

    def watch(self) -> None:
        """Call `refresh` every `interval_s` seconds in a background thread."""
        threading.Thread(target=self._watch, name="model-watcher", daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception:
                logger.exception("checking for a newer model failed; checking again later")
            time.sleep(self.interval_s)

    def _swap(self, model: LoadedModel) -> None:
        if model is self._model:
            return
        logger.info("serving %s", model.version)
        self._model, self._error = model, None
        self.on_model_loaded(model)

    def _unload(self, error: LightModelError) -> None:
        """Unload the model if its approval was withdrawn; otherwise keep serving it."""
        if self._model is None or self.store.is_withdrawn(self._model.version):
            logger.error("no model to serve: %s: %s", error.message, error.hint)
            self._model, self._error = None, error
        else:
            logger.error("still serving %s: %s", self._model.version, error.message)
