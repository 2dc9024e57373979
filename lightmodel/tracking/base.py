"""The port through which runs are tracked and models registered."""

from typing import Protocol

from lightmodel.tracking.records import Destination, RunRecord, Standing


class Tracker(Protocol):
    """Keeps runs, and knows which version of a model is served.

    What is told twice is there once; what was told half, by a process that was killed, is completed. A
    file or folder that is gone is left out, and the run says so.

    Both methods raise SourceUnavailable when trying again later may help, and ConfigError when it will
    not. Nothing that they raise holds a secret.
    """

    def send(self, record: RunRecord, to: Destination) -> None:
        """Keep a run; one of the kind "model" becomes a version of the registered model."""
        ...

    def appoint(self, standing: Standing, to: Destination) -> None:
        """Say which versions of the registered model are champion and challenger."""
        ...
