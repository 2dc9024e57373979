"""Any scikit-learn compatible estimator, behind imputing, encoding and scaling."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from lightmodel.config.base import RENAMED_MODULES
from lightmodel.contract.cells import Codes, Matrix, Scores, Vector
from lightmodel.contract.results import FoldFit, Importance
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData

CALIBRATION_FOLDS = 5


class SklearnLearner:
    """Fits the estimator that a dotted path names, or that a user's function gives; fold by fold."""

    name = "sklearn"
    folds_at_once = 1

    def __init__(
        self,
        path: str,
        parameters: Mapping[str, Any],
        seed: int,
        threads: int,
        own: Callable[..., Any] | None = None,
    ) -> None:
        """Import and configure the estimator.

        Args:
            path: dotted path of a class; a name for people, where `own` is given.
            parameters: of the estimator.
            seed: passed on as `random_state`, where it takes that.
            threads: passed on as `n_jobs`, where it takes that.
            own: makes the estimator instead.

        Raises:
            ConfigError: there is no such estimator, or it refuses the parameters.
        """
        self._path = path
        self._threads = threads
        self._estimator = _build(path, own or _imported(path), parameters, seed, threads)

    def prepare(self, data: TrainingData) -> "SklearnTrainer":
        """Check that the estimator suits the task."""
        if is_classifier(self._estimator) != data.kind.has_classes:
            wanted = "classifier" if data.kind.has_classes else "regressor"
            raise ConfigError(
                f"train.estimator = {self._path!r}: a {data.kind} task needs a {wanted}"
            )
        return SklearnTrainer(self._path, self._estimator, data, self._threads)


def _imported(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    try:
        present = RENAMED_MODULES.get(module, module)
        kind: Callable[..., Any] = getattr(importlib.import_module(present), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"train.estimator = {path!r} cannot be imported: {error}",
            hint="give the dotted path of a class, e.g. sklearn.svm.SVC; is its package installed?",
        ) from error
    return kind


def _build(
    path: str, kind: Callable[..., Any], parameters: Mapping[str, Any], seed: int, threads: int
) -> BaseEstimator:
    try:
        accepted = inspect.signature(kind).parameters
        own = {"random_state": seed}
        if not kind.__module__.startswith("sklearn.linear_model"):  # these only warn of it now
            own |= {"n_jobs": threads, "thread_count": threads}
        known = {key: value for key, value in own.items() if key in accepted}
        estimator = kind(**{**known, **parameters})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"train.parameters do not suit {path}: {error}") from error
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise ConfigError(f"train.estimator = {path!r} is not a scikit-learn estimator")
    taken = estimator.get_params(deep=False)  # XGBoost's classes take most of theirs by **
    late = {key: value for key, value in own.items() if key in taken and key not in accepted}
    return estimator.set_params(**{**late, **parameters}) if late else estimator


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


@dataclass(frozen=True)
class SklearnTrainer:
    """An estimator and one table."""

    path: str
    estimator: BaseEstimator
    data: TrainingData
    threads: int

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in force; the number of jobs decides on nothing."""
        parameters = self.estimator.get_params(deep=False)
        idle = {"n_jobs", "thread_count"}
        plain = {name: _plain(value) for name, value in parameters.items() if name not in idle}
        return {"estimator": self.path, **plain}

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Fit on the rows `train` and score the rows `held_out`."""
        model = self._model([self._fitted(train)])
        scores = model.predict(self.data.features[held_out])
        return FoldFit(scores, 1, (), model.payload())

    def stop(self) -> None:
        """Do nothing: scikit-learn cannot be interrupted in a fit."""

    def refit(self, folds: Sequence[FoldFit]) -> "SklearnModel":  # noqa: ARG002 — no rounds to learn
        """Fit on all rows."""
        return self._model([self._fitted(np.arange(len(self.data.target)))])

    def ensemble(self, folds: Sequence[FoldFit]) -> "SklearnModel":
        """Average the folds' models."""
        return self._model([one for fold in folds for one in fold.model["estimators"]])

    def _model(self, estimators: list[Pipeline]) -> "SklearnModel":
        return SklearnModel(estimators, self.data.kind, self.data.classes, self.data.names)

    def _fitted(self, rows: Codes) -> Pipeline:
        estimator, has_classes = clone(self.estimator), self.data.kind.has_classes
        target = self.data.target[rows]
        if has_classes:
            target = target.astype(np.int64)
        if has_classes and not hasattr(estimator, "predict_proba"):
            # Calibration cannot hold out a row that is alone in its class.
            sizes = np.bincount(target)
            rows, target = rows[sizes[target] >= 2], target[sizes[target] >= 2]
            folds = min(CALIBRATION_FOLDS, int(sizes[sizes >= 2].min()))
            estimator = CalibratedClassifierCV(estimator, cv=folds, ensemble=False)
        pipeline = Pipeline([("columns", columns_transformer(self.data)), ("estimator", estimator)])
        try:
            with threadpool_limits(self.threads):  # OpenMP's, which n_jobs does not govern
                return pipeline.fit(self.data.features[rows], target)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.path} cannot be fitted: {error}", hint="look at train.parameters"
            ) from error


def columns_transformer(data: TrainingData) -> ColumnTransformer:
    """Return what imputes, scales and encodes the columns of a table."""
    categorical = list(data.categorical)
    numeric = [at for at in range(len(data.names)) if at not in data.categorical]
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, numeric), ("categories", categories, categorical)]
    )


@dataclass(frozen=True)
class SklearnModel:
    """One fitted pipeline, or several that are averaged."""

    estimators: list[Pipeline]
    kind: TaskKind
    classes: int
    names: tuple[str, ...]

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "SklearnModel":
        """Build a model from what `payload` gave."""
        kind = TaskKind(payload["kind"])
        return cls(payload["estimators"], kind, payload["classes"], tuple(payload["names"]))

    def predict(self, features: Matrix) -> Scores:
        """Score rows; a class that an estimator never saw has probability 0."""
        scores: Scores = np.mean([self._scores(one, features) for one in self.estimators], axis=0)
        return scores[:, 1] if self.kind is TaskKind.BINARY else scores

    def _scores(self, estimator: Pipeline, features: Matrix) -> Scores:
        if self.kind is TaskKind.REGRESSION:
            numbers: Scores = np.asarray(estimator.predict(features), dtype=np.float64).ravel()
            return numbers
        scores = np.zeros((len(features), self.classes))
        scores[:, estimator.classes_] = estimator.predict_proba(features)
        return scores

    def payload(self) -> dict[str, Any]:
        """Return the pipelines themselves, and what their scores mean."""
        return {
            "estimators": self.estimators,
            "kind": str(self.kind),
            "classes": self.classes,
            "names": list(self.names),
        }

    def importance(self) -> tuple[Importance, ...]:
        """Return what the estimator says of its columns, summed over a feature's; else nothing."""
        weights = [_column_weights(one) for one in self.estimators]
        if any(weight is None for weight in weights):
            return ()
        sums = [
            np.bincount(_column_owners(one), weight, len(self.names))
            for one, weight in zip(self.estimators, weights, strict=True)
        ]
        gains = np.mean(sums, axis=0)
        return tuple(
            Importance(name, float(gain), float("nan"))
            for name, gain in zip(self.names, gains, strict=True)
        )


def _column_weights(pipeline: Pipeline) -> Vector | None:
    estimator = pipeline.named_steps["estimator"]
    found = getattr(estimator, "feature_importances_", None)
    if found is None:
        coefficients = getattr(estimator, "coef_", None)
        if not isinstance(coefficients, np.ndarray):
            return None
        found = np.abs(np.atleast_2d(coefficients)).mean(axis=0)
    return np.asarray(found, dtype=np.float64)


def _column_owners(pipeline: Pipeline) -> Codes:
    """Return, for each column that the estimator sees, the feature that it was made from."""
    owners: list[int] = []
    for name, step, features in pipeline.named_steps["columns"].transformers_:
        if name == "numbers":
            owners.extend(features)
        elif name == "categories" and len(features):
            for feature, categories in zip(features, step.categories_, strict=True):
                owners.extend([feature] * len(categories))
    return np.array(owners, dtype=np.int64)
