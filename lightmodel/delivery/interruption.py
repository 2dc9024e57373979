"""Ctrl-C and SIGTERM during a deployment: it ends at its next check of the new version."""

import signal

_pending = False


def defer_signals() -> None:
    """Let Ctrl-C and SIGTERM end the deployment at its next `raise_if_interrupted`; a second one at once.

    An exception from a signal handler can get lost: Python drops what is raised while it closes a response
    that nobody holds any more. Process 1 of a container would ignore SIGTERM altogether.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _on_signal)


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal came.

    Raises:
        KeyboardInterrupt: a signal came since the last call.
    """
    global _pending  # noqa: PLW0603 — signals are of the process too
    if _pending:
        _pending = False
        raise KeyboardInterrupt


def _on_signal(*_: object) -> None:
    global _pending  # noqa: PLW0603 — as above
    if _pending:
        raise KeyboardInterrupt
    _pending = True
