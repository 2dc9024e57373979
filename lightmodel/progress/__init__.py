"""How progress is shown."""

import sys

from lightmodel.progress.base import Progress


def make_progress() -> Progress:
    """Return a bar on a terminal, and log lines elsewhere."""
    if sys.stderr.isatty():
        from lightmodel.progress.terminal import TerminalProgress

        return TerminalProgress(sys.stderr)
    from lightmodel.progress.log import LogProgress

    return LogProgress()
