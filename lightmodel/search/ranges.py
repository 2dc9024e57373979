"""What a search may give to LightGBM's parameters: declared here, and changed by tune.ranges."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lightmodel.config import RangeOverride
from lightmodel.errors import ConfigError
from lightmodel.learners.parameter_names import main_names
from lightmodel.search.space import Range

Override = RangeOverride | Literal[False]


@dataclass(frozen=True)
class Tunable:
    """A parameter that may be searched.

    Attributes:
        range: that a search uses.
        least, most: what LightGBM takes at all; a search may go no further.
        default: LightGBM's own.
        searched: without being asked to.
    """

    range: Range
    least: float
    most: float
    default: float
    searched: bool = True


def _whole(name: str, low: int, high: int, *, log: bool = False) -> Range:
    return Range(name, low, high, whole=True, log=log)


def _real(name: str, low: float, high: float, *, log: bool = False) -> Range:
    return Range(name, low, high, log=log)


_TINY, _ANY = 1e-12, 1e9
DECLARED: Mapping[str, Tunable] = {
    one.range.name: one
    for one in (
        Tunable(_whole("num_leaves", 2, 128, log=True), 2, 131_072, 31),
        Tunable(_real("learning_rate", 0.02, 0.5, log=True), _TINY, 10, 0.1),
        Tunable(_whole("min_data_in_leaf", 2, 100, log=True), 0, _ANY, 20),
        Tunable(_real("feature_fraction", 0.05, 1.0, log=True), _TINY, 1, 1),
        Tunable(_real("bagging_fraction", 0.4, 1.0), _TINY, 1, 1),
        Tunable(_whole("bagging_freq", 1, 7), 0, 10_000, 0),
        Tunable(_real("lambda_l1", 1e-3, 10.0, log=True), 0, _ANY, 0),
        Tunable(_real("lambda_l2", 1e-3, 10.0, log=True), 0, _ANY, 0),
        Tunable(_whole("max_depth", 2, 12), 1, 1_000, 12, searched=False),
        Tunable(
            _real("min_sum_hessian_in_leaf", 1e-3, 10.0, log=True), 0, _ANY, 1e-3, searched=False
        ),
        Tunable(_real("min_gain_to_split", 1e-3, 1.0, log=True), 0, _ANY, 0, searched=False),
        Tunable(_real("feature_fraction_bynode", 0.2, 1.0), _TINY, 1, 1, searched=False),
        Tunable(_real("path_smooth", 1e-2, 100.0, log=True), 0, _ANY, 0, searched=False),
        Tunable(_real("max_delta_step", 0.1, 10.0, log=True), 0, _ANY, 0, searched=False),
        Tunable(_real("cat_smooth", 1.0, 100.0, log=True), 0, _ANY, 10, searched=False),
        Tunable(_real("cat_l2", 0.1, 100.0, log=True), 0, _ANY, 10, searched=False),
        Tunable(_whole("min_data_per_group", 5, 500, log=True), 1, _ANY, 100, searched=False),
        Tunable(_real("scale_pos_weight", 0.1, 10.0, log=True), _TINY, _ANY, 1, searched=False),
    )
}


def ranges(overrides: Mapping[str, Override], given: Mapping[str, Any]) -> tuple[Range, ...]:
    """Give what is searched: what is declared, changed by `overrides`, without what is `given`.

    Raises:
        ConfigError: with every mistake in the overrides at once.
    """
    mistakes: list[str] = []
    named = _by_main_names(overrides, mistakes)
    chosen = []
    for name, tunable in DECLARED.items():
        override = named.get(name)
        if override is False or (override is None and not tunable.searched):
            continue
        chosen.append(_changed(tunable, override, mistakes) if override else tunable.range)
    if mistakes:
        lines = "\n".join(f"  - tune.ranges.{mistake}" for mistake in mistakes)
        raise ConfigError(
            f"the ranges of the search have {len(mistakes)} mistake"
            f"{'s' if len(mistakes) > 1 else ''}:\n{lines}",
            hint="`python -m lightmodel tune --ranges` shows what can be searched",
        )
    fixed = main_names(given)
    return tuple(one for one in chosen if one.name not in fixed)


def starting_point(searched: tuple[Range, ...], settled: Mapping[str, Any]) -> dict[str, float]:
    """Give the values within the ranges that are nearest to those of a training."""
    known = main_names(settled)
    return {
        one.name: one.nearest(float(known.get(one.name, DECLARED[one.name].default)))
        for one in searched
    }


def _by_main_names(
    overrides: Mapping[str, Override], mistakes: list[str]
) -> dict[str, Override | None]:
    found: dict[str, Override | None] = {}
    for given, override in overrides.items():
        (name,) = main_names({given: None})
        if name not in DECLARED:
            close = difflib.get_close_matches(name, DECLARED, n=1)
            known = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(DECLARED)}"
            mistakes.append(f"{given}: cannot be searched; {known}")
        elif name in found:
            mistakes.append(f"{given}: is another name of {name}, which is there as well")
        else:
            found[name] = override
    return found


def _changed(tunable: Tunable, override: RangeOverride, mistakes: list[str]) -> Range:
    changes = override.model_dump(exclude_none=True, exclude={"type"})
    changed = replace(tunable.range, **changes)
    name = changed.name
    if override.type and (override.type == "int") != changed.whole:
        kind = "whole numbers (int)" if changed.whole else "numbers (float)"
        mistakes.append(f"{name}: takes {kind}, found type = {override.type!r}")
    if not (math.isfinite(changed.low) and math.isfinite(changed.high)):
        mistakes.append(f"{name}: low and high must be finite")
    elif changed.low >= changed.high:
        mistakes.append(f"{name}: low = {changed.low:g} must be less than high = {changed.high:g}")
    elif changed.low < tunable.least or changed.high > tunable.most:
        mistakes.append(f"{name}: must lie within {tunable.least:g} and {tunable.most:g}")
    elif changed.log and changed.low <= 0:
        mistakes.append(f"{name}: low must be positive, or say log = false")
    elif changed.whole and (changed.low % 1 or changed.high % 1):
        mistakes.append(f"{name}: low and high must be whole numbers")
    return changed
