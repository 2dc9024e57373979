"""The user's function that adds features: what it receives, and what it returns."""

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import Matrix, Vector
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.dates import to_micros
from lightmodel.errors import ConfigError, raised_at

if TYPE_CHECKING:  # slow to import, and only features(table) needs it
    import pyarrow as pa

Columns = Mapping[str, npt.NDArray[Any]]
FeatureFunction = Callable[..., Any]  # returns a mapping from names to arrays, or a DataFrame

CALLED_ROWS = 100_000  # of which a user's function gets the features at a time
_TABLE = "table"  # the name of the parameter that asks for a table


@dataclass(frozen=True)
class UserFeatures:
    """features() of `train.module`, and what it needs.

    Attributes:
        contract: of the model.
        takes_table: whether the function takes an Arrow table with all columns but the target, as
            features(table) does, instead of a mapping of the features to arrays.
        names: names of the features that it adds, in training order.
    """

    function: FeatureFunction
    contract: Contract
    takes_table: bool
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, function: FeatureFunction, contract: Contract) -> "UserFeatures":
        """Return the features of a function, whose names are not known yet."""
        return cls(function, contract, takes_table=takes_table(function))

    def named(self, features: Matrix, others: "pa.Table | None") -> "UserFeatures":
        """Return these features with the names that the function returns for some rows."""
        return replace(self, names=tuple(self._call(features, others)))

    def write(self, target: Matrix, features: Matrix, others: "pa.Table | None") -> None:
        """Write the added features into (rows, names), some rows at a time; infinite values are missing.

        Args:
            target: is filled.
            features: (rows, features) of the contract, and perhaps further columns.
            others: the columns of `Contract.others`; None where the contract has none of them.

        Raises:
            ConfigError: the function fails, or returns values that no model can use.
        """
        for start in range(0, max(1, len(features)), CALLED_ROWS):
            rows = slice(start, start + CALLED_ROWS)
            some = features[rows]
            added = self._call(some, None if others is None else others[rows])
            for place, name in enumerate(self.names):
                target[rows, place] = _as_numbers(name, added.get(name), len(some))

    def _call(self, features: Matrix, others: "pa.Table | None") -> Mapping[str, Any]:
        """Call the function.

        Raises:
            ConfigError: it fails, or does not return a mapping.
        """
        received = (
            _table_of(features, self.contract, others)
            if self.takes_table
            else _columns_by_name(features, self.contract)
        )
        try:
            added = self.function(received)
        except Exception as error:
            raise ConfigError(
                f"train.module: features() failed{_where(error, self.function)}",
                hint=_HINTS[self.takes_table],
            ) from error
        return _by_name(added)


def _by_name(added: object) -> Mapping[str, Any]:
    """Return the features that the function returned, by name; a DataFrame's are its columns.

    Raises:
        ConfigError: it is neither a mapping nor a DataFrame, or a column's name is repeated.
    """
    if isinstance(added, Mapping):
        return added
    names = [str(name) for name in getattr(added, "columns", ())]
    if not (hasattr(added, "iloc") and names):  # told by its form: serving images have no pandas
        raise ConfigError(
            "train.module: features() must return a mapping from names to arrays, or a DataFrame"
        )
    if len({*names}) < len(names):
        raise ConfigError(
            "train.module: features() returns a DataFrame that repeats a column's name"
        )
    return {name: added.iloc[:, place].to_numpy() for place, name in enumerate(names)}


def takes_table(function: FeatureFunction) -> bool:
    """Return whether a function takes an Arrow table: its first parameter is named so."""
    try:
        return next(iter(inspect.signature(function).parameters), "") == _TABLE
    except (TypeError, ValueError):  # a callable without a signature
        return False


_HINTS = {
    False: "it receives {name: array} with the contract's features, and features(table) an Arrow table "
    "with all columns; see docs/own-code.md",
    True: "it receives an Arrow table, since its parameter is named table; features(columns) receives "
    "{name: array} with the contract's features; see docs/own-code.md",
}


def _where(error: Exception, function: FeatureFunction) -> str:
    """Return the error's type and line; only names besides, since an error's text may hold values."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    names_column = isinstance(error, KeyError) and last.filename.startswith("pyarrow")
    names_column = names_column or isinstance(error, _NoSuchColumnError)
    detail = f": {error}" if names_column or isinstance(error, NameError | AttributeError) else ""
    kind = "KeyError" if isinstance(error, KeyError) else type(error).__name__
    return f"{raised_at(error, function)}: {kind}{detail}"


class _NoSuchColumnError(KeyError):
    """The user's function reads a column that is no feature."""


class _Columns(dict[str, npt.NDArray[Any]]):
    """Columns by name; a missing one raises an error that names it."""

    def __missing__(self, name: str) -> npt.NDArray[Any]:
        raise _NoSuchColumnError(name)


def _columns_by_name(features: Matrix, contract: Contract) -> Columns:
    """Return the features by name, as the user's function receives them.

    Each is (rows,), read-only: float64 with NaN for a missing value, text with None (categories),
    datetime64 (dates) or timedelta64 (times of day, durations) with NaT.
    """
    columns = _Columns()
    for index, column in enumerate(contract.features):
        values: npt.NDArray[Any] = features[:, index].view()
        if column.type is ColumnType.CATEGORY:
            labels = np.array([*column.categories, None], dtype=object)
            values = labels[np.where(np.isnan(values), -1, values).astype(np.int64)]
        elif column.type.is_temporal:  # NO_TIME is NumPy's NaT
            values = to_micros(values).view("M8[us]" if column.type.is_date else "m8[us]")
        values.flags.writeable = False
        columns[column.name] = values
    return columns


def _table_of(features: Matrix, contract: Contract, others: "pa.Table | None") -> "pa.Table":
    """Return all columns but the target, in the contract's order, as features(table) receives them.

    A missing value is null. Numbers of features are float64, since a request may have others than whole
    ones, and times and booleans of their own types; for the rest see `OtherColumns`.
    """
    import pyarrow as pa

    from lightmodel.tables.other_columns import typed_array

    columns = {}
    places = {column.name: place for place, column in enumerate(contract.features)}
    for column in contract.columns:
        if others is not None and column in contract.others:
            columns[column.name] = others[column.name]
        elif column.name in places:
            numbers = np.ascontiguousarray(features[:, places[column.name]])
            columns[column.name] = typed_array(numbers, column)
    return pa.table(columns)


def _as_numbers(name: str, values: object, rows: int) -> Vector:
    try:
        numbers: Vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"train.module: the feature {name!r} is not numeric") from error
    if numbers.shape != (rows,):
        raise ConfigError(
            f"train.module: the feature {name!r} has shape {numbers.shape}; expected ({rows},)"
        )
    return np.where(np.isinf(numbers), np.nan, numbers)
