"""Pre- and postprocessing around a learner's model: added features and calibrated scores."""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import Matrix, Scores, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.dates import to_micros
from lightmodel.errors import ArtefactCorrupt, ConfigError
from lightmodel.training.calibration import Calibration
from lightmodel.training.date_parts import DateParts
from lightmodel.training.texts import TextModel

Predict = Callable[[Matrix], Scores]
Columns = Mapping[str, npt.NDArray[Any]]
FeatureFunction = Callable[[Columns], Columns]

_CHECKED_ROWS = 7


@dataclass(frozen=True)
class Counts:
    """How often each value of a feature occurs in the training rows.

    Attributes:
        values: (values,) distinct values, ascending.
        counts: (values,) number of training rows with each.
    """

    values: Vector
    counts: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, column: Vector) -> "Counts":
        """Count the values of a column, without missing ones."""
        values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        return cls(values, counts.astype(np.uint32))

    def look_up(self, column: Vector) -> Vector:
        """Return (rows,) numbers of training rows with the same value; NaN for a missing value."""
        known = ~np.isnan(column)
        counts = np.where(known, 0.0, np.nan)
        if len(self.values):
            index = np.minimum(np.searchsorted(self.values, column[known]), len(self.values) - 1)
            counts[known] = np.where(self.values[index] == column[known], self.counts[index], 0)
        return counts


@dataclass(frozen=True)
class Processing:
    """The pre- and postprocessing of a model, fitted on training rows and stored in its bundle.

    Attributes:
        contract: the model's contract.
        texts: models of the text columns, whose scores follow the contract's features.
        dates: parts of dates and times.
        counts: value counts by feature, in the contract's order.
        user_function: the user's function that adds features.
        user_names: names of the features that it adds, in training order.
        calibration: calibration of the scores.
    """

    contract: Contract
    counts: Mapping[str, Counts] = field(default_factory=dict)
    texts: Mapping[str, TextModel] = field(default_factory=dict, kw_only=True)
    user_function: FeatureFunction | None = None
    user_names: tuple[str, ...] = ()
    calibration: Calibration | None = None
    dates: DateParts = field(default_factory=DateParts)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of all features of the model."""
        plain = (_feature_name(column) for column in self.contract.features)
        scored = chain.from_iterable(model.names(name) for name, model in self.texts.items())
        counted = (f"{name} (count)" for name in self.counts)
        return (*plain, *scored, *self.dates.names, *counted, *self.user_names)

    @property
    def adds_features(self) -> bool:
        """Whether the model has features besides those of the contract and the scores of texts."""
        return bool(self.dates.parts or self.counts or self.user_function)

    def extend(self, features: Matrix, *, training: bool = False) -> Matrix:
        """Return (rows, all features) for (rows, features of the contract and scores of texts).

        With `training`, a row is left out of its own counts, so that they are what a new row would get.
        """
        if not self.adds_features:
            return features
        width = features.shape[1]
        extended = np.empty((len(features), len(self.feature_names)), order="F")
        extended[:, :width] = features
        for values in self.dates.columns(features):
            extended[:, width] = values
            width += 1
        position = {name: index for index, name in enumerate(self.contract.feature_names)}
        for column, (name, counts) in enumerate(self.counts.items(), width):
            extended[:, column] = counts.look_up(features[:, position[name]]) - int(training)
        if self.user_function:
            added = _call_user_function(self.user_function, features, self.contract)
            for column, name in enumerate(self.user_names, width + len(self.counts)):
                extended[:, column] = _as_numbers(name, added.get(name), len(features))
        return extended

    def wrap(self, predict: Predict, *, calibrated: bool = True) -> Predict:
        """Wrap a function that scores all features as one that scores the contract's features."""
        calibration = self.calibration if calibrated else None
        if not (self.adds_features or calibration):
            return predict

        def score(features: Matrix) -> Scores:
            scores = predict(self.extend(features))
            return calibration.apply(scores) if calibration else scores

        return score

    @property
    def kinds(self) -> tuple[str, ...]:
        """The steps in use, of "dates", "frequency", "module", "calibration" and "text"."""
        return tuple(name for name, content in self.payload()["steps"].items() if content)

    def payload(self) -> dict[str, Any]:
        """Return the content for the bundle: `steps` in JSON types, and `counts` as arrays."""
        steps = {
            **({"dates": self.dates.payload()} if self.dates.parts else {}),
            "frequency": list(self.counts),
            "module": list(self.user_names),
            "calibration": self.calibration.to_dict() if self.calibration else None,
            **({"text": list(self.texts)} if self.texts else {}),
        }
        return {
            "steps": steps,
            "counts": [(one.values, one.counts) for one in self.counts.values()],
            **({"texts": [one.payload() for one in self.texts.values()]} if self.texts else {}),
        }

    @classmethod
    def from_payload(
        cls, bundle: dict[str, Any], contract: Contract, user_function: FeatureFunction | None
    ) -> "Processing":
        """Restore the processing from a bundle.

        Raises:
            ArtefactCorrupt: the model needs the user's code, and its version does not contain it.
        """
        steps = bundle["steps"]
        pairs = zip(steps["frequency"], bundle["counts"], strict=True)
        counts = {name: Counts(*arrays) for name, arrays in pairs}
        models = map(TextModel.from_payload, bundle.get("texts", ()))
        texts = dict(zip(steps.get("text", ()), models, strict=True))
        names = tuple(steps["module"])
        if names and user_function is None:
            raise ArtefactCorrupt("the model needs the user's features(), which its version lacks")
        calibration = Calibration.from_dict(steps["calibration"]) if steps["calibration"] else None
        dates = DateParts.of(steps.get("dates", {}), contract)  # older bundles have none
        function = user_function if names else None
        return cls(contract, counts, function, names, calibration, dates, texts=texts)


def _reject_repeated_names(names: Sequence[str]) -> None:
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigError(
            f"an added feature has the name of a column: {', '.join(repeated)}",
            hint="rename the column in the table",
        )


def _feature_name(column: Column) -> str:
    return f"{column.name} (length)" if column.type is ColumnType.TEXT else column.name


def fit_features(
    features: Matrix,
    contract: Contract,
    chosen: Sequence[str],
    user_function: FeatureFunction | None,
    texts: Mapping[str, TextModel] = MappingProxyType({}),
) -> Processing:
    """Fit the added features on the training rows.

    `features` are those of the contract, and the scores of `texts`; `chosen` is `train.features`;
    `user_function` is features() of `train.module`.

    Raises:
        ConfigError: the user's function fails, or returns values that no model can use; or an added
            feature has the name of a column.
    """
    counts = {
        column.name: Counts.of(features[:, index])
        for index, column in enumerate(contract.features)
        if "frequency" in chosen and column.type not in {ColumnType.BOOLEAN, ColumnType.TEXT}
    }
    steps = Processing(contract, counts, dates=DateParts.fit(features, contract), texts=texts)
    _reject_repeated_names(steps.feature_names)
    if user_function is None:
        return steps
    names = tuple(_call_user_function(user_function, features, contract))
    if taken := sorted({*names} & {*steps.feature_names}):
        raise ConfigError(
            f"train.module: features() returns {', '.join(taken)}, which is already a feature"
        )
    steps = replace(steps, user_function=user_function, user_names=names)
    _reject_row_dependence(steps, features)
    return steps


def _call_user_function(function: FeatureFunction, features: Matrix, contract: Contract) -> Columns:
    """Call the user's function.

    Raises:
        ConfigError: it fails, or does not return a mapping.
    """
    try:
        added = function(_columns_by_name(features, contract))
    except Exception as error:
        raise ConfigError(
            f"train.module: features() failed{_where(error)}",
            hint="it receives {name: array} with the contract's features; see docs/own-code.md",
        ) from error
    if not isinstance(added, Mapping):
        raise ConfigError("train.module: features() must return a mapping from names to arrays")
    return added


def _where(error: Exception) -> str:
    """Return the error's type and line; only names besides, since an error's text may hold values."""
    lines = traceback.extract_tb(error.__traceback__)
    line = next((one for one in reversed(lines) if one.filename != __file__), lines[-1])
    detail = (
        f": {error}" if isinstance(error, _NoSuchColumnError | NameError | AttributeError) else ""
    )
    kind = "KeyError" if isinstance(error, KeyError) else type(error).__name__
    return f" in line {line.lineno} of {line.filename}: {kind}{detail}"


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


def _reject_row_dependence(steps: Processing, features: Matrix) -> None:
    """Reject a function whose values for a row depend on other rows: serving has other rows."""
    together = steps.extend(features)
    gaps = np.flatnonzero(np.isnan(features).any(axis=1))[:_CHECKED_ROWS]
    checked = (*range(min(_CHECKED_ROWS, len(features))), *gaps.tolist())
    single = [slice(row, row + 1) for row in checked]
    for rows in (*single, slice(0, None, 2), slice(1, None, 2)):
        if not np.array_equal(steps.extend(features[rows]), together[rows], equal_nan=True):
            raise ConfigError(
                "train.module: features() returns other values for a row when the other rows change",
                hint="use the values of the row only; fit statistics of all rows in the estimator",
            )
