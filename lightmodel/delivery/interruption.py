"""Ctrl-C and SIGTERM while a deployment is under way: it ends where it looks at the new version."""

import signal

_pending = False


def defer_signals() -> None:
    """Let Ctrl-C and SIGTERM end the deployment at its next `raise_if_interrupted`; a second one at once.

    An exception from a signal handler can get lost: Python drops what is raised while it closes a response
    that nobody holds any more. Process 1 of a container would ignore SIGTERM altogether.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _note)


def raise_if_interrupted() -> None:
    """Return where no signal came.

    Raises:
        KeyboardInterrupt: one came since the last question.
    """
    global _pending  # noqa: PLW0603 — signals are of the process too
    if _pending:
        _pending = False
        raise KeyboardInterrupt


def _note(*_: object) -> None:
    global _pending  # noqa: PLW0603
    if _pending:
        raise KeyboardInterrupt
    _pending = True
