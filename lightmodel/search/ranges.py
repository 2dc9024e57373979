"""Define the search space: ranges of LightGBM's parameters, which tune.ranges may override."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lightmodel.config import Config, RangeOverride
from lightmodel.errors import ConfigError, NotPossible
from lightmodel.learners.lightgbm_parameters import main_names

Override = RangeOverride | Literal[False]


@dataclass(frozen=True)
class Range:
    """The values that a search may choose for one parameter.

    Attributes:
        name: of the parameter.
        low, high: the bounds, inclusive.
        is_int: whether only whole numbers are chosen.
        log: whether values are drawn on a logarithmic scale.
    """

    name: str
    low: float
    high: float
    is_int: bool = False
    log: bool = False

    def nearest(self, value: float) -> float:
        """Return the value of the range that is nearest to `value`."""
        within = min(max(value, self.low), self.high)
        return round(within) if self.is_int else float(within)

    def around(self, value: float, factor: float) -> "Range":
        """Narrow the range around a value: by `factor` on a log scale, else by its share of the width."""
        if self.log and value > 0:
            low, high = value / factor, value * factor
        else:
            reach = (self.high - self.low) * (1 - 1 / factor) / 2
            low, high = value - reach, value + reach
        low, high = self.nearest(low), self.nearest(high)
        return replace(self, low=low, high=high) if low < high else self


@dataclass(frozen=True)
class Space:
    """The ranges to search, and the fixed parameters that every trial has as well."""

    ranges: tuple[Range, ...]
    fixed: Mapping[str, Any]


@dataclass(frozen=True)
class Tunable:
    """A parameter that may be searched.

    Attributes:
        range: the values that are searched unless tune.ranges says otherwise.
        minimum, maximum: bounds of the values that LightGBM accepts.
        default: LightGBM's own value.
        searched: whether it is searched even if tune.ranges does not name it.
    """

    range: Range
    minimum: float
    maximum: float
    default: float
    searched: bool = True


_TINY, _ANY = 1e-12, 1e9
DECLARED: Mapping[str, Tunable] = {
    one.range.name: one
    for one in (
        Tunable(Range("num_leaves", 2, 128, is_int=True, log=True), 2, 131_072, 31),
        Tunable(Range("learning_rate", 0.02, 0.5, log=True), _TINY, 10, 0.1),
        Tunable(Range("min_data_in_leaf", 2, 100, is_int=True, log=True), 0, _ANY, 20),
        Tunable(Range("feature_fraction", 0.05, 1.0, log=True), _TINY, 1, 1),
        Tunable(Range("bagging_fraction", 0.4, 1.0), _TINY, 1, 1),
        Tunable(Range("bagging_freq", 1, 7, is_int=True), 0, 10_000, 0),
        Tunable(Range("lambda_l1", 1e-3, 10.0, log=True), 0, _ANY, 0),
        Tunable(Range("lambda_l2", 1e-3, 10.0, log=True), 0, _ANY, 0),
        Tunable(Range("max_depth", 2, 12, is_int=True), 1, 1_000, 12, searched=False),
        Tunable(
            Range("min_sum_hessian_in_leaf", 1e-3, 10.0, log=True), 0, _ANY, 1e-3, searched=False
        ),
        Tunable(Range("min_gain_to_split", 1e-3, 1.0, log=True), 0, _ANY, 0, searched=False),
        Tunable(Range("feature_fraction_bynode", 0.2, 1.0), _TINY, 1, 1, searched=False),
        Tunable(Range("path_smooth", 1e-2, 100.0, log=True), 0, _ANY, 0, searched=False),
        Tunable(Range("max_delta_step", 0.1, 10.0, log=True), 0, _ANY, 0, searched=False),
        Tunable(Range("cat_smooth", 1.0, 100.0, log=True), 0, _ANY, 10, searched=False),
        Tunable(Range("cat_l2", 0.1, 100.0, log=True), 0, _ANY, 10, searched=False),
        Tunable(
            Range("min_data_per_group", 5, 500, is_int=True, log=True), 1, _ANY, 100, searched=False
        ),
        Tunable(Range("scale_pos_weight", 0.1, 10.0, log=True), _TINY, _ANY, 1, searched=False),
    )
}


def search_space(config: Config, *, include_fixed: bool) -> Space:
    """Return what `tune` searches; with `include_fixed`, also what train.parameters fixes.

    Raises:
        NotPossible: the estimator has no declared ranges.
        ConfigError: tune.ranges is invalid, or contradicts train.class_weight; lists every mistake.
    """
    if config.train.estimator != "lightgbm":
        raise NotPossible(
            f"train.estimator = {config.train.estimator!r} has no declared ranges to search",
            hint="`tune` supports only lightgbm",
        )
    parameters = config.train.parameters
    ranges = declared_ranges(config.tune.ranges, {} if include_fixed else parameters)
    searched = {one.name for one in ranges}
    if config.train.class_weight != "none" and "scale_pos_weight" in searched:
        raise ConfigError(
            "tune.ranges: scale_pos_weight cannot be searched, as train.class_weight weighs the classes",
            hint='remove the range, or set train.class_weight to "none"',
        )
    fixed = {
        name: value
        for name, value in parameters.items()
        if not searched & set(main_names({name: value}))
    }
    return Space(ranges, fixed)


def declared_ranges(
    overrides: Mapping[str, Override], fixed: Mapping[str, Any]
) -> tuple[Range, ...]:
    """Return the declared ranges, changed by `overrides`, without the parameters in `fixed`.

    Raises:
        ConfigError: the overrides are invalid; lists every mistake.
    """
    mistakes: list[str] = []
    by_name = _by_main_names(overrides, mistakes)
    chosen = []
    for name, tunable in DECLARED.items():
        override = by_name.get(name)
        if override is False or (override is None and not tunable.searched):
            continue
        chosen.append(_overridden(tunable, override, mistakes) if override else tunable.range)
    if mistakes:
        lines = "\n".join(f"  - tune.ranges.{mistake}" for mistake in mistakes)
        raise ConfigError(
            f"the ranges of the search have {len(mistakes)} mistake"
            f"{'s' if len(mistakes) > 1 else ''}:\n{lines}",
            hint="`python -m lightmodel tune --ranges` shows what can be searched",
        )
    excluded = main_names(fixed)
    return tuple(one for one in chosen if one.name not in excluded)


def starting_point(ranges: tuple[Range, ...], parameters: Mapping[str, Any]) -> dict[str, float]:
    """Return the values within the ranges that are nearest to parameters of a model, or to defaults."""
    known = main_names(parameters)
    return {
        one.name: one.nearest(float(known.get(one.name, DECLARED[one.name].default)))
        for one in ranges
    }


def _by_main_names(
    overrides: Mapping[str, Override], mistakes: list[str]
) -> dict[str, Override | None]:
    by_name: dict[str, Override | None] = {}
    for alias, override in overrides.items():
        (name,) = main_names({alias: None})
        if name not in DECLARED:
            close = difflib.get_close_matches(name, DECLARED, n=1)
            known = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(DECLARED)}"
            mistakes.append(f"{alias}: cannot be searched; {known}")
        elif name in by_name:
            mistakes.append(f"{alias}: is an alias of {name}, which is set as well")
        else:
            by_name[name] = override
    return by_name


def _overridden(tunable: Tunable, override: RangeOverride, mistakes: list[str]) -> Range:
    changes = override.model_dump(exclude_none=True, exclude={"type"})
    changed = replace(tunable.range, **changes)
    name = changed.name
    if override.type and (override.type == "int") != changed.is_int:
        kind = "whole numbers (int)" if changed.is_int else "numbers (float)"
        mistakes.append(f"{name}: takes {kind}, found type = {override.type!r}")
    if not (math.isfinite(changed.low) and math.isfinite(changed.high)):
        mistakes.append(f"{name}: low and high must be finite")
    elif changed.low >= changed.high:
        mistakes.append(f"{name}: low = {changed.low:g} must be less than high = {changed.high:g}")
    elif changed.low < tunable.minimum or changed.high > tunable.maximum:
        mistakes.append(f"{name}: must lie within {tunable.minimum:g} and {tunable.maximum:g}")
    elif changed.log and changed.low <= 0:
        mistakes.append(f"{name}: low must be positive, or set log = false")
    elif changed.is_int and (changed.low % 1 or changed.high % 1):
        mistakes.append(f"{name}: low and high must be whole numbers")
    return changed
