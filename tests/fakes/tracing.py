"""Measuring coverage at a smaller price.

While coverage is measured, all of a process's Python code is slow, also that of libraries of which no line
counts. To draw the charts of a report takes most of a run on a small table then.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

_DRAWING = ((Figure, "savefig"), (Figure, "subplots"), (ConstrainedLayoutEngine, "execute"))


@contextmanager
def tracing_paused() -> Iterator[None]:
    """Measure no coverage of this thread meanwhile."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def pause_tracing_while_drawing() -> None:
    """Let matplotlib draw untraced, where it calls no code of this project."""
    for owner, name in _DRAWING:
        setattr(owner, name, _untraced(getattr(owner, name)))


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*values: Any, **options: Any) -> Any:
        with tracing_paused():
            return function(*values, **options)

    return call
