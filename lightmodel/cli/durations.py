"""Lengths of time on the command line."""

import math
import re
from typing import Any

import click

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHAPE = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in click's stubs alone
    """Seconds, written as 90, 90s, 5m or 2h."""

    name = "duration"

    def convert(
        self, value: Any,  # noqa: ANN401 — click's
        param: click.Parameter | None, ctx: click.Context | None,
    ) -> float:  # fmt: skip
        """Give seconds."""
        if isinstance(value, int | float):
            return float(value)
        found = _SHAPE.fullmatch(str(value).strip())
        seconds = float(found[1]) * _UNITS[found[2]] if found else math.nan
        if not seconds > 0:
            self.fail(f"{value!r} is no length of time; write 90s, 5m or 2h", param, ctx)
        return seconds
