"""What stands between rows and a learner's model: features that are added, scores that are corrected."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import Matrix, Scores, Vector
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.errors import ArtefactCorrupt, ConfigError
from lightmodel.training.calibration import Calibration

Predict = Callable[[Matrix], Scores]
Columns = Mapping[str, npt.NDArray[Any]]
OwnFeatures = Callable[[Columns], Columns]

_CHECKED_ROWS = 7


@dataclass(frozen=True)
class Counts:
    """How often each value of a feature stands among the training rows.

    Attributes:
        values: (distinct values,), ascending.
        counts: (distinct values,).
    """

    values: Vector
    counts: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, column: Vector) -> "Counts":
        """Count the values of a column; missing ones are none."""
        values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        return cls(values, counts.astype(np.uint32))

    def look_up(self, column: Vector) -> Vector:
        """Return (rows,) how many training rows have the same value; NaN for a missing one."""
        known = ~np.isnan(column)
        found = np.where(known, 0.0, np.nan)
        if len(self.values):
            at = np.minimum(np.searchsorted(self.values, column[known]), len(self.values) - 1)
            found[known] = np.where(self.values[at] == column[known], self.counts[at], 0)
        return found


@dataclass(frozen=True)
class Steps:
    """What stands at both ends of a model, fitted on training rows; it travels in the model's bundle.

    Attributes:
        contract: of the model.
        counts: by feature, in the contract's order.
        own: the user's function.
        own_names: of what that adds, in the order of training.
        calibration: of the scores.
    """

    contract: Contract
    counts: Mapping[str, Counts] = field(default_factory=dict)
    own: OwnFeatures | None = None
    own_names: tuple[str, ...] = ()
    calibration: Calibration | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of all features that the model sees."""
        counted = (f"{name} (count)" for name in self.counts)
        return (*self.contract.feature_names, *counted, *self.own_names)

    def extend(self, features: Matrix, *, training: bool = False) -> Matrix:
        """Return (rows, all features) for the contract's features of rows.

        Of rows that were trained on, each counts the others, as a new row would find them.
        """
        if not (self.counts or self.own):
            return features
        width = features.shape[1]
        every = np.empty((len(features), len(self.feature_names)), order="F")
        every[:, :width] = features
        position = {name: at for at, name in enumerate(self.contract.feature_names)}
        for at, (name, counts) in enumerate(self.counts.items(), width):
            every[:, at] = counts.look_up(features[:, position[name]]) - int(training)
        if self.own:
            made = _call_own(self.own, features, self.contract)
            for at, name in enumerate(self.own_names, width + len(self.counts)):
                every[:, at] = _as_numbers(name, made.get(name), len(features))
        return every

    def around(self, predict: Predict, *, calibrated: bool = True) -> Predict:
        """Return what scores the contract's features, from what scores all features."""
        calibration = self.calibration if calibrated else None
        if not (self.counts or self.own or calibration):
            return predict

        def score(features: Matrix) -> Scores:
            scores = predict(self.extend(features))
            return calibration.apply(scores) if calibration else scores

        return score

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there is: "frequency", "module", "calibration"."""
        return tuple(name for name, there in self.payload()["steps"].items() if there)

    def payload(self) -> dict[str, Any]:
        """Return what goes into the bundle: one key in JSON's types, one of arrays."""
        return {
            "steps": {
                "frequency": list(self.counts),
                "module": list(self.own_names),
                "calibration": self.calibration.to_dict() if self.calibration else None,
            },
            "counts": [(one.values, one.counts) for one in self.counts.values()],
        }

    @classmethod
    def from_payload(
        cls, bundle: dict[str, Any], contract: Contract, own: OwnFeatures | None
    ) -> "Steps":
        """Read back what `payload` put into a bundle.

        Raises:
            ArtefactCorrupt: it adds features by the user's code, and that is not there.
        """
        steps = bundle["steps"]
        pairs = zip(steps["frequency"], bundle["counts"], strict=True)
        counts = {name: Counts(*arrays) for name, arrays in pairs}
        names = tuple(steps["module"])
        if names and own is None:
            raise ArtefactCorrupt("the model adds features by code that it does not hold")
        calibration = Calibration.from_dict(steps["calibration"]) if steps["calibration"] else None
        return cls(contract, counts, own if names else None, names, calibration)


def fit_features(
    features: Matrix, contract: Contract, chosen: Sequence[str], own: OwnFeatures | None
) -> Steps:
    """Learn from the training rows what the added features need.

    What is `chosen` stands in `train.features`; `own` is the function of the user's module.

    Raises:
        ConfigError: the user's function fails, or gives what no model can use.
    """
    counts = {
        column.name: Counts.of(features[:, at])
        for at, column in enumerate(contract.features)
        if "frequency" in chosen and column.type is not ColumnType.BOOLEAN
    }
    steps = Steps(contract, counts)
    if own is None:
        return steps
    names = tuple(_call_own(own, features, contract))
    if taken := sorted({*names} & {*steps.feature_names}):
        raise ConfigError(
            f"train.module: features() gives {', '.join(taken)}, which is there already"
        )
    steps = Steps(contract, counts, own, names)
    _refuse_mixing_rows(steps, features)
    return steps


def _call_own(own: OwnFeatures, features: Matrix, contract: Contract) -> Columns:
    """Call the user's function.

    Raises:
        ConfigError: it fails, or gives no mapping.
    """
    try:
        made = own(_columns_by_name(features, contract))
    except Exception as error:
        raise ConfigError(
            f"train.module: features() failed{_where(error)}",
            hint="it gets {name: array} of the contract's features; docs/own-code.md",
        ) from error
    if not isinstance(made, Mapping):
        raise ConfigError("train.module: features() must give a mapping from names to arrays")
    return made


def _where(error: Exception) -> str:
    """Return what went wrong and in which line; only names, for an error's text may hold values."""
    lines = traceback.extract_tb(error.__traceback__)
    line = next((one for one in reversed(lines) if one.filename != __file__), lines[-1])
    told = f": {error}" if isinstance(error, _NoSuchColumn | NameError | AttributeError) else ""
    kind = "KeyError" if isinstance(error, KeyError) else type(error).__name__
    return f" in line {line.lineno} of {line.filename}: {kind}{told}"


class _NoSuchColumn(KeyError):
    """A name that no feature has."""


class _Columns(dict[str, npt.NDArray[Any]]):
    """Columns by name; asked for another one, it says which."""

    def __missing__(self, name: str) -> npt.NDArray[Any]:
        raise _NoSuchColumn(name)


def _columns_by_name(features: Matrix, contract: Contract) -> Columns:
    """Return the features of rows as a user's code sees them.

    Each is (rows,), read-only: float64 with NaN for a missing value, or text with None (categories).
    """
    columns = _Columns()
    for at, column in enumerate(contract.features):
        values: npt.NDArray[Any] = features[:, at].view()
        if column.type is ColumnType.CATEGORY:
            labels = np.array([*column.categories, None], dtype=object)
            values = labels[np.where(np.isnan(values), -1, values).astype(np.int64)]
        values.flags.writeable = False
        columns[column.name] = values
    return columns


def _as_numbers(name: str, values: object, rows: int) -> Vector:
    try:
        numbers: Vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"train.module: the feature {name!r} does not consist of numbers"
        ) from error
    if numbers.shape != (rows,):
        raise ConfigError(
            f"train.module: the feature {name!r} has shape {numbers.shape}, and there are {rows} rows"
        )
    return np.where(np.isinf(numbers), np.nan, numbers)


def _refuse_mixing_rows(steps: Steps, features: Matrix) -> None:
    """Refuse a function whose answer to a row depends on the rows beside it: serving sees others."""
    together = steps.extend(features)
    gaps = np.flatnonzero(np.isnan(features).any(axis=1))[:_CHECKED_ROWS]
    alone = [
        slice(at, at + 1) for at in (*range(min(_CHECKED_ROWS, len(features))), *gaps.tolist())
    ]
    for some in (*alone, slice(0, None, 2), slice(1, None, 2)):
        if not np.array_equal(steps.extend(features[some]), together[some], equal_nan=True):
            raise ConfigError(
                "train.module: features() answers a row otherwise when other rows stand beside it",
                hint="use each row's own values only; what is learnt from all rows belongs into the "
                "estimator's fit",
            )
