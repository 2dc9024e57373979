"""Telling of an outage once, and once more when it is over."""

import logging

logger = logging.getLogger(__name__)


class Outage:
    """Whether something does not work at present."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.under_way = False

    def begin(self, why: object) -> None:
        """Warn, unless that was done already."""
        if not self.under_way:
            logger.warning("prediction log: %s: %s", self._what, why)
        self.under_way = True

    def end(self) -> None:
        """Say that it works again, if it did not."""
        if self.under_way:
            logger.info("prediction log: over: %s", self._what)
        self.under_way = False
