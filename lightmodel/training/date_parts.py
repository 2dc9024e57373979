"""Features from dates and times: year, month, day, weekday, hour, minute, as the table varies in them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lightmodel.contract.cells import Codes, Matrix, Vector
from lightmodel.contract.columns import ColumnType, Contract

_DAY = 86_400  # seconds
_MONDAY = 3  # days from a Monday to 1970-01-01


class _Moments:
    """The parts of (rows,) seconds since 1970, in UTC; those of a missing value are meaningless."""

    def __init__(self, seconds: Vector) -> None:
        self._days, self._clock = np.divmod(np.floor(seconds).astype(np.int64), _DAY)

    @cached_property
    def _months(self) -> Codes:
        months: Codes = self._days.view("datetime64[D]").astype("datetime64[M]").view(np.int64)
        return months

    def year(self) -> Codes:
        return 1970 + self._months // 12

    def month(self) -> Codes:
        return self._months % 12 + 1

    def day(self) -> Codes:
        first = self._months.view("datetime64[M]").astype("datetime64[D]").view(np.int64)
        return self._days - first + 1

    def weekday(self) -> Codes:
        return (self._days + _MONDAY) % 7

    def hour(self) -> Codes:
        return self._clock // 3600

    def minute(self) -> Codes:
        return self._clock // 60 % 60


_PARTS: Mapping[str, Callable[[_Moments], Codes]] = {
    "year": _Moments.year,
    "month": _Moments.month,
    "day": _Moments.day,
    "weekday": _Moments.weekday,  # Monday is 0
    "hour": _Moments.hour,
    "minute": _Moments.minute,
}
_BY_TYPE: Mapping[ColumnType, Sequence[str]] = {
    ColumnType.DATE: tuple(_PARTS),
    ColumnType.DATETIME: tuple(_PARTS),
    ColumnType.TIME: ("minute",),  # the hour is in the number itself
}


@dataclass(frozen=True)
class DateParts:
    """The parts of a contract's dates and times that are features of a model.

    Attributes:
        parts: feature → names of its parts, in the contract's order.
        places: feature → its position in the matrix.
    """

    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def fit(cls, features: Matrix, contract: Contract) -> "DateParts":
        """Choose the parts in which the training rows differ."""
        all_parts = cls.of(
            {one.name: _BY_TYPE.get(one.type, ()) for one in contract.features}, contract
        )
        varying = {
            name: tuple(part for part, values in all_parts._of(features, name) if _varies(values))
            for name in all_parts.parts
        }
        return cls.of(varying, contract)

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[str]], contract: Contract) -> "DateParts":
        """Return the given parts of a contract's features."""
        chosen = {name: tuple(some) for name, some in parts.items() if some}
        return cls(chosen, {name: contract.feature_names.index(name) for name in chosen})

    def payload(self) -> dict[str, list[str]]:
        """Return the parts in JSON's types."""
        return {name: list(parts) for name, parts in self.parts.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of these features."""
        return tuple(f"{name} ({part})" for name, parts in self.parts.items() for part in parts)

    def columns(self, features: Matrix) -> Iterator[Vector]:
        """Yield the (rows,) values of each part, NaN where the date is missing."""
        for name in self.parts:
            for _, values in self._of(features, name):
                yield values

    def _of(self, features: Matrix, name: str) -> Iterator[tuple[str, Vector]]:
        seconds = features[:, self.places[name]]
        missing = np.isnan(seconds)
        has_gaps = missing.any()
        moments = _Moments(np.where(missing, 0.0, seconds) if has_gaps else seconds)
        for part in self.parts[name]:
            values = _PARTS[part](moments).astype(np.float64)
            yield part, np.where(missing, np.nan, values) if has_gaps else values


def _varies(values: Vector) -> bool:
    present = values[~np.isnan(values)]
    return bool(len(present)) and bool((present != present[0]).any())
