"""Pre- and postprocessing around a learner's model: added features and calibrated scores."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import Matrix, Scores, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.matrices import NewMatrix, empty_matrix
from lightmodel.errors import ArtefactCorrupt, ConfigError
from lightmodel.training.calibration import Calibration
from lightmodel.training.date_parts import DateParts
from lightmodel.training.texts import TextModel
from lightmodel.training.user_features import CALLED_ROWS, FeatureFunction, UserFeatures

if TYPE_CHECKING:  # slow to import, and only a user's function may need it
    import pyarrow as pa

Predict = Callable[[Matrix], Scores]
# of the contract's features, and of `Contract.others` too where a user's function takes the table
Score = Callable[..., Scores]

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
        user: the user's function that adds features.
        calibration: calibration of the scores.
    """

    contract: Contract
    counts: Mapping[str, Counts] = field(default_factory=dict)
    texts: Mapping[str, TextModel] = field(default_factory=dict, kw_only=True)
    user: UserFeatures | None = None
    calibration: Calibration | None = None
    dates: DateParts = field(default_factory=DateParts)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of all features of the model."""
        plain = (_feature_name(column) for column in self.contract.features)
        scored = chain.from_iterable(model.names(name) for name, model in self.texts.items())
        counted = (f"{name} (count)" for name in self.counts)
        return (
            *plain,
            *scored,
            *self.dates.names,
            *counted,
            *(self.user.names if self.user else ()),
        )

    @property
    def takes_table(self) -> bool:
        """Whether the user's function takes all columns of a row, `Contract.others` among them."""
        return bool(self.user and self.user.takes_table)

    @property
    def adds_features(self) -> bool:
        """Whether the model has features besides those of the contract and the scores of texts."""
        return bool(self.dates.parts or self.counts or self.user)

    def others_of(self, table: "pa.Table") -> "tuple[pa.Table, ...]":
        """Return `Contract.others` of a table, as a further argument of a score; () if none is needed."""
        if not self.takes_table:
            return ()
        from lightmodel.tables.other_columns import other_columns

        return (other_columns(table, self.contract).table,)

    def extend(
        self,
        features: Matrix,
        others: "pa.Table | None" = None,
        *,
        training: bool = False,
        new_matrix: NewMatrix = empty_matrix,
    ) -> Matrix:
        """Return (rows, all features) for (rows, features of the contract and scores of texts).

        `others` are the columns of `Contract.others`, if the user's function takes the table.

        With `training`, a row is left out of its own counts, so that they are what a new row would get.
        """
        if not self.adds_features:
            return features
        width = features.shape[1]
        extended = new_matrix(len(features), len(self.feature_names))
        extended[:, :width] = features
        for values in self.dates.columns(features):
            extended[:, width] = values
            width += 1
        position = {name: index for index, name in enumerate(self.contract.feature_names)}
        for column, (name, counts) in enumerate(self.counts.items(), width):
            extended[:, column] = counts.look_up(features[:, position[name]]) - int(training)
        if self.user:
            self.user.write(extended[:, width + len(self.counts) :], features, others)
        return extended

    def wrap(self, predict: Predict, *, calibrated: bool = True) -> Score:
        """Wrap a function that scores all features as one that scores the contract's features."""
        calibration = self.calibration if calibrated else None
        if not (self.adds_features or calibration):
            return predict

        def score(features: Matrix, others: "pa.Table | None" = None) -> Scores:
            scores = predict(self.extend(features, others))
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
            "module": list(self.user.names) if self.user else [],
            "calibration": self.calibration.to_dict() if self.calibration else None,
            **({"text": list(self.texts)} if self.texts else {}),
        }
        return {
            "steps": steps,
            "counts": [(one.values, one.counts) for one in self.counts.values()],
            **({"texts": [one.payload() for one in self.texts.values()]} if self.texts else {}),
            **({"takes_table": True} if self.takes_table else {}),
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
        user = None
        if names and user_function:
            # an older model's function takes arrays, whatever the name of its parameter
            takes_table = bool(bundle.get("takes_table"))
            user = UserFeatures(user_function, contract, takes_table=takes_table, names=names)
        return cls(contract, counts, user, calibration, dates, texts=texts)


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
    others: "pa.Table | None" = None,
) -> Processing:
    """Fit the added features on the training rows.

    `features` are those of the contract, and the scores of `texts`; `chosen` is `train.features`;
    `user_function` is features() of `train.module`; `others` are the columns of `Contract.others`, which
    only a function that takes the table needs.

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
    features, others = features[:CALLED_ROWS], None if others is None else others[:CALLED_ROWS]
    user = UserFeatures.of(user_function, contract).named(features, others)
    if taken := sorted({*user.names} & {*steps.feature_names}):
        raise ConfigError(
            f"train.module: features() returns {', '.join(taken)}, which is already a feature"
        )
    steps = replace(steps, user=user)
    _reject_row_dependence(steps, features, others)
    return steps


def _reject_row_dependence(steps: Processing, features: Matrix, others: "pa.Table | None") -> None:
    """Reject a function whose values for a row depend on other rows: serving has other rows."""
    together = steps.extend(features, others)
    gaps = np.flatnonzero(np.isnan(features).any(axis=1))[:_CHECKED_ROWS]
    checked = (*range(min(_CHECKED_ROWS, len(features))), *gaps.tolist())
    every = np.arange(len(features))
    for rows in (*(every[row : row + 1] for row in checked), every[::2], every[1::2]):
        some = None if others is None else others.take(rows)
        if not np.array_equal(steps.extend(features[rows], some), together[rows], equal_nan=True):
            raise ConfigError(
                "train.module: features() returns other values for a row when the other rows change",
                hint="use the values of the row only; fit statistics of all rows in the estimator",
            )
