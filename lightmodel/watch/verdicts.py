"""What follows from a verdict that was changed after testing."""

from lightmodel.config import Config
from lightmodel.notify.events import Event, Notify
from lightmodel.store.sync import send
from lightmodel.tracking.uploader import sync_aliases


def publish_verdict(config: Config, event: Event, notify: Notify) -> None:
    """Let MLflow, the mirrors and the receivers know of another verdict."""
    sync_aliases(config)
    send(config)
    notify(event)
