"""The loaded model, which is replaced while the service runs."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.scoring.second_model import SecondModel

logger = logging.getLogger(__name__)

_RETRY_S = 10.0
_HINT = "check the store's disk, and the memory and open files of the service; it tries again"


@dataclass
class ModelManager:
    """Holds one loaded model; a request takes it once, so that no answer mixes two models.

    A model is loaded in a worker, after the fork. A newer one is loaded beside it, tested, and swapped
    in; if it cannot be loaded, that is logged once and the old one is still served. `on_model_changed` is
    called with each model that is served from now on, and with None when one is withdrawn and no other is.
    `seconds` are loaded after it, so that no request waits for them.
    """

    store: ModelStoreView
    interval_s: float
    on_model_changed: Callable[[LoadedModel | None], None]
    clock: Callable[[], float] = time.monotonic
    seconds: Sequence[SecondModel] = ()
    _model: LoadedModel | None = None
    _error: LightModelError | None = None
    _state: object = None
    _tried: float = 0.0
    _seconds_state: object = None
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
        """Load a newer model, if the store has changed since the last check and holds one.

        What failed is tried again some seconds later even so: not every change shows in the files.
        """
        with self._lock:
            try:
                state = self.store.state(self._model)
                is_due = self._error is not None and self.clock() >= self._tried + _RETRY_S
                if state == self._state and not is_due:
                    return
                self._state, self._tried = state, self.clock()
                self._swap(self.store.newest(self._model))
            except LightModelError as error:
                self._unload(error)
            except (OSError, MemoryError) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                self._unload(ArtefactCorrupt(f"the models cannot be read: {reason}", hint=_HINT))

    def refresh_seconds(self) -> None:
        """Load what belongs beside the served model, if that or the store has changed."""
        model, state = self._model, (self._model, self._state)
        if self.seconds and model is not None and state != self._seconds_state:
            self._seconds_state = state
            for second in self.seconds:
                second.refresh(model)

    def watch(self) -> None:
        """Call `refresh` and `refresh_seconds` every `interval_s` seconds in a background thread."""
        threading.Thread(target=self._watch, name="model-watcher", daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                self.refresh()
                self.refresh_seconds()
            except Exception:
                logger.exception("checking for a newer model failed; checking again later")
            time.sleep(self.interval_s)

    def _swap(self, model: LoadedModel) -> None:
        self._error = None
        if model is self._model:
            return
        logger.info("serving %s", model.version)
        self._model = model
        self.on_model_changed(model)

    def _unload(self, error: LightModelError) -> None:
        """Unload the model if its approval was withdrawn; otherwise keep serving it."""
        if self._model is None or self.store.is_withdrawn(self._model.version):
            outcome = "no model to serve"
            if self._model is not None:
                self._model = None
                self.on_model_changed(None)
        else:
            outcome = f"still serving {self._model.version}"
        is_new = self._error is None or self._error.message != error.message
        self._error = error
        if is_new:
            logger.error("%s: %s: %s", outcome, error.message, error.hint)
