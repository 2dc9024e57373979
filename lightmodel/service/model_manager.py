"""The model that answers, replaced while the service runs."""

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
    """One loaded model at a time; a request takes it once, so that no answer mixes two.

    It is loaded in a worker, after the fork. A newer one is opened beside it, tested, and swapped in;
    one that cannot be opened is reported once, and the old one goes on answering.
    """

    store: ModelStoreView
    interval_s: float
    on_model_loaded: Callable[[LoadedModel], None]
    _model: LoadedModel | None = None
    _error: LightModelError | None = None
    _state: object = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def require(self) -> LoadedModel:
        """Return the model.

        Raises:
            LightModelError: why there is none.
        """
        if self._model is None:
            self.refresh()
        if self._model is None:
            raise self._error or RuntimeError("neither a model nor an error")
        return self._model

    def refresh(self) -> None:
        """Load a newer model, if there is one and the store has changed since the last look."""
        with self._lock:
            state = self.store.state()
            if state == self._state:
                return
            self._state = state
            try:
                self._swap(self.store.newest(self._model))
            except LightModelError as error:
                self._unload(error)

    def watch(self) -> None:
        """Refresh again and again, in a thread of its own."""
        threading.Thread(target=self._watch, name="model-watcher", daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception:
                logger.exception("looking for a newer model failed; the next look may do better")
            time.sleep(self.interval_s)

    def _swap(self, model: LoadedModel) -> None:
        if model is self._model:
            return
        logger.info("serving %s", model.version)
        self._model, self._error = model, None
        self.on_model_loaded(model)

    def _unload(self, error: LightModelError) -> None:
        """Unload the model if its approval was withdrawn; else it goes on answering."""
        if self._model is None or self.store.is_withdrawn(self._model.version):
            logger.error("no model to serve: %s", error.message)
            self._model, self._error = None, error
        else:
            logger.error("going on with %s: %s", self._model.version, error.message)
