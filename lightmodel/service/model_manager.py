"""Holds the model that answers, and looks for a newer one."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lightmodel.errors import LightModelError
from lightmodel.scoring.loaded_model import Served, Shelf

logger = logging.getLogger(__name__)


@dataclass
class Holder:
    """One model at a time, of which a request takes hold once, so that no answer is mixed.

    It is loaded in a worker, after the fork. A newer one is opened beside it, tested, and put in its
    place; one that cannot be opened is told of once, and the old one goes on.
    """

    shelf: Shelf
    every: float
    on_taken: Callable[[Served], None]
    _served: Served | None = None
    _why: LightModelError | None = None
    _state: object = None
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    def require(self) -> Served:
        """Give the model.

        Raises:
            LightModelError: why there is none.
        """
        if self._served is None:
            self.look()
        if self._served is None:
            raise self._why or RuntimeError("looked, and found neither a model nor why")
        return self._served

    def look(self) -> None:
        """Look for a newer model, if anything has changed since the last look."""
        with self._looking:
            state = self.shelf.state()
            if state == self._state:
                return
            self._state = state
            try:
                self._take(self.shelf.newest(self._served))
            except LightModelError as error:
                self._lose(error)

    def watch(self) -> None:
        """Look again and again, in a thread of its own."""
        threading.Thread(target=self._watch, name="model-watcher", daemon=True).start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()

    def _watch(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                logger.exception("looking for a newer model failed; the next look may do better")
            if self._closed.wait(self.every):
                return

    def _take(self, served: Served) -> None:
        if served is self._served:
            return
        logger.info("serving %s", served.version)
        self._served, self._why = served, None
        self.on_taken(served)

    def _lose(self, error: LightModelError) -> None:
        """Go on with the old model, unless somebody took it back."""
        if self._served is None or self.shelf.is_withdrawn(self._served.version):
            logger.error("no model to serve: %s", error.message)
            self._served, self._why = None, error
        else:
            logger.error("going on with %s: %s", self._served.version, error.message)
