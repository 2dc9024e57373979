"""Holds the model that answers."""

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from lightmodel.errors import LightModelError
from lightmodel.wiring.serving import Served

logger = logging.getLogger(__name__)


class Holder:
    """Loads the model when it is first asked for: in a worker, after the fork."""

    def __init__(self, open_newest: Callable[[], Served], folder: Path) -> None:
        self._open_newest = open_newest
        self._folder = folder

    @cached_property
    def current(self) -> Served | LightModelError:
        """Give the model, or why there is none."""
        try:
            served = self._open_newest()
        except LightModelError as error:
            logger.error("no model from %s: %s", self._folder, error.message)
            return error
        logger.info("serving %s", served.version)
        return served

    def require(self) -> Served:
        """Give the model, or raise why there is none."""
        if isinstance(self.current, LightModelError):
            raise self.current
        return self.current
