"""Monotone constraints of LightGBM, given by the names of features or by position."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData

MONOTONE = "monotone_constraints"
_DIRECTIONS = (-1, 0, 1)
_EXAMPLE = (
    f"for example train.parameters = {{{MONOTONE} = {{price = -1}}}}: -1 falls, 1 rises, 0 is free"
)


def with_positions(parameters: Mapping[str, Any], data: TrainingData) -> dict[str, Any]:
    """Return LightGBM's parameters, with monotone constraints as a list in the order of the features.

    LightGBM ends the whole process where a feature of categories has one, so they are checked here.

    Raises:
        ConfigError: a constraint names no feature, has no direction, or is one on categories.
    """
    given = parameters.get(MONOTONE)
    if given is None:
        return dict(parameters)
    by_name = given if isinstance(given, Mapping) else _by_name(given, data.names)
    categorical = {data.names[position] for position in data.categorical}
    mistakes = [
        mistake
        for name, direction in by_name.items()
        if (mistake := _mistake(name, direction, data.names, categorical))
    ]
    if mistakes:
        listed = "\n".join(f"  - {mistake}" for mistake in mistakes)
        raise ConfigError(f"train.parameters.{MONOTONE} cannot be met:\n{listed}", hint=_EXAMPLE)
    return {**parameters, MONOTONE: [int(by_name.get(name, 0)) for name in data.names]}


def _by_name(given: object, names: Sequence[str]) -> dict[str, Any]:
    """Return constraints by the names of the features, of a list or of a text with commas."""
    values = given.split(",") if isinstance(given, str) else given
    if not isinstance(values, Sequence) or len(values) != len(names):
        raise ConfigError(
            f"train.parameters.{MONOTONE} must name features, or have one entry for each of the "
            f"{len(names)} features",
            hint=_EXAMPLE,
        )
    return dict(zip(names, map(_number, values), strict=True))


def _number(value: object) -> object:
    text = str(value).strip()
    return int(text) if text.lstrip("+-").isdigit() else value


def _mistake(
    name: str, direction: object, names: Sequence[str], categorical: set[str]
) -> str | None:
    """Return why a constraint cannot be met; None if it can."""
    if name not in names:
        close = get_close_matches(name, names, n=1)
        return f"{name} is no feature{f'; did you mean {close[0]!r}?' if close else ''}"
    if isinstance(direction, bool) or direction not in _DIRECTIONS:
        return f"{name}: {direction!r} is no direction; allowed are -1, 0 and 1"
    if direction and name in categorical:
        return f"{name} holds texts (categories), which have no order"
    return None
