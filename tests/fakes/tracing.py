"""Measuring coverage at a smaller price.

While coverage is measured, all of a process's Python code is slow, also that of libraries of which no line
counts: a loop takes three times as long, a call six times. To draw the charts of a report, to compile its
templates and to make the classes of a module takes most of a run on a small table then.
"""

import dataclasses
import functools
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jinja2 import Environment
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from werkzeug.routing import Map

# Functions of libraries that take long and call no code of this project.
_UNTRACED: tuple[tuple[Any, str], ...] = (
    *((Figure, name) for name in ("savefig", "subplots", "add_subplot")),
    *((Axes, name) for name in ("plot", "barh", "legend")),
    (ConstrainedLayoutEngine, "execute"),
    (Environment, "compile"),
    (Map, "add"),
    (dataclasses, "_process_class"),
    (re, "_compile"),
)


@contextmanager
def tracing_paused() -> Iterator[None]:
    """Measure no coverage of this thread meanwhile."""
    tracer = sys.gettrace()
    # Its own start: `sys.settrace` would leave out the functions that are running, until they end.
    resume = getattr(tracer, "start", functools.partial(sys.settrace, tracer))
    sys.settrace(None)
    try:
        yield
    finally:
        resume()


def pause_tracing_in_libraries() -> None:
    """Let libraries draw, parse and compile untraced, where they call no code of this project."""
    for owner, name in _UNTRACED:
        setattr(owner, name, _untraced(getattr(owner, name)))


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*values: Any, **options: Any) -> Any:
        with tracing_paused():
            return function(*values, **options)

    return call
