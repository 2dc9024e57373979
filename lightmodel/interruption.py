"""Ctrl-C and SIGTERM that are not lost, whatever Python does when they arrive.

Python drops what a signal handler raises within `__del__` or a callback of native code. So these handlers
keep the signal, and `raise_if_interrupted` raises it, or raises it again.
"""

import signal

_pending = False


def defer_signals() -> None:
    """Let Ctrl-C and SIGTERM end the process at its next `raise_if_interrupted`; a second one at once.

    Process 1 of a container would ignore SIGTERM altogether.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _raise_second)


def keep_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt as ever, and the next `raise_if_interrupted` raise it again.

    SIGINT that is ignored, as by what a shell starts in the background, stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _raise_each)


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal came.

    Raises:
        KeyboardInterrupt: a signal came since the last call.
    """
    global _pending  # noqa: PLW0603 — signals are of the process too
    if _pending:
        _pending = False
        raise KeyboardInterrupt


def _raise_second(*_: object) -> None:
    global _pending  # noqa: PLW0603 — as above
    if _pending:
        raise KeyboardInterrupt
    _pending = True


def _raise_each(*_: object) -> None:
    global _pending  # noqa: PLW0603 — as above
    _pending = True
    raise KeyboardInterrupt
