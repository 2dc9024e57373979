"""Any scikit-learn compatible estimator, after imputation, one-hot encoding and scaling."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from lightmodel.config.base import RENAMED_MODULES
from lightmodel.contract.cells import Codes, Matrix, Scores, Vector
from lightmodel.contract.results import FoldFit, Importance
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError, raised_at
from lightmodel.learners.base import TrainingData
from lightmodel.learners.sample_weight import check_weights, needs_calibration, weight_argument

CALIBRATION_FOLDS = 5


class SklearnLearner:
    """Fits the estimator that a dotted path names or a user's function returns, one fold at a time."""

    name = "sklearn"
    parallel_folds = 1

    def __init__(
        self,
        path: str,
        parameters: Mapping[str, Any],
        seed: int,
        threads: int,
        user_estimator: Callable[..., Any] | None = None,
    ) -> None:
        """Create the estimator.

        Args:
            path: dotted path of a class; only shown to people where `user_estimator` is given.
            parameters: keyword arguments of the estimator.
            seed: its `random_state`, if it has one.
            threads: its `n_jobs` or `thread_count`, if it has one.
            user_estimator: the user's function, which returns the estimator.

        Raises:
            ConfigError: there is no such estimator, or it rejects the parameters.
        """
        self._path = path
        self._threads = threads
        self._estimator = _build(path, user_estimator, parameters, seed, threads)

    def prepare(self, data: TrainingData) -> "SklearnTrainer":
        """Check that the estimator is a classifier or a regressor, as the task needs.

        Raises:
            ConfigError: it is of another kind, cannot tell its kind, or cannot weigh rows as it should.
        """
        needed = "classifier" if data.kind.has_classes else "regressor"
        found = _kind(self._path, self._estimator)
        # an estimator of the user's may predict numbers without saying that it is a regressor
        is_plain = needed == "regressor" and not found and hasattr(self._estimator, "predict")
        if found != needed and not is_plain:
            raise ConfigError(
                f"train.estimator = {self._path!r}: a {data.kind} task needs a {needed}"
                + (f"; the kind of this one is {found}" if found else "")
            )
        check_weights(self._path, self._estimator, data)
        return SklearnTrainer(self._path, self._estimator, data, self._threads)


def _kind(path: str, estimator: BaseEstimator) -> str:
    """Return "classifier", "regressor", "clusterer" or another kind; "" if it has none.

    Raises:
        ConfigError: it cannot tell, as one around another estimator that is missing.
    """
    try:
        return get_tags(estimator).estimator_type or ""
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} does not tell whether it is a classifier or a regressor ({type(error).__name__})",
            hint="if it is one around another estimator, return both from estimator() of train.module; "
            "docs/own-code.md",
        ) from error


def _import(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    try:
        module = RENAMED_MODULES.get(module, module)
        factory: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"train.estimator = {path!r} cannot be imported: {error}",
            hint="give the dotted path of a class, e.g. sklearn.svm.SVC; is its package installed?",
        ) from error
    return factory


def _build(
    path: str,
    user_estimator: Callable[..., Any] | None,
    parameters: Mapping[str, Any],
    seed: int,
    threads: int,
) -> BaseEstimator:
    factory = user_estimator or _import(path)
    try:
        accepted = inspect.signature(factory).parameters
        defaults = {"random_state": seed}
        if not factory.__module__.startswith("sklearn.linear_model"):  # there n_jobs is deprecated
            defaults |= {"n_jobs": threads, "thread_count": threads}
        known = {key: value for key, value in defaults.items() if key in accepted}
        estimator = factory(**{**known, **parameters})
    except Exception as error:
        if factory is user_estimator:
            where = f"{raised_at(error, factory)}: {type(error).__name__}: {error}"
            raise ConfigError(
                f"train.module: estimator() failed{where}",
                hint="it receives train.parameters by name; docs/own-code.md",
            ) from error
        if isinstance(error, TypeError | ValueError):
            raise ConfigError(f"train.parameters are not valid for {path}: {error}") from error
        raise
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise ConfigError(f"train.estimator = {path!r} is not a scikit-learn estimator")
    hidden = estimator.get_params(deep=False).keys() - accepted.keys()  # XGBoost's, by **kwargs
    late = {key: value for key, value in defaults.items() if key in hidden}
    return estimator.set_params(**{**late, **parameters}) if late else estimator


def _json_value(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


@dataclass(frozen=True)
class SklearnTrainer:
    """An unfitted estimator and one table."""

    path: str
    estimator: BaseEstimator
    data: TrainingData
    threads: int

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in effect, without the number of threads."""
        parameters = self.estimator.get_params(deep=False)
        ignored = {"n_jobs", "thread_count"}
        named = {key: _json_value(one) for key, one in parameters.items() if key not in ignored}
        return {"estimator": self.path, **named}

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Fit on the rows `train` and score the rows `held_out`."""
        model = self._model([self._fit(train)])
        scores = model.predict(self.data.features[held_out])
        return FoldFit(scores, 1, (), model.payload())

    def stop(self) -> None:
        """Do nothing: scikit-learn cannot interrupt a fit."""

    def refit(self, folds: Sequence[FoldFit]) -> "SklearnModel":  # noqa: ARG002 — no rounds to learn
        """Fit on all rows."""
        return self._model([self._fit(np.arange(len(self.data.target)))])

    def ensemble(self, folds: Sequence[FoldFit]) -> "SklearnModel":
        """Combine the models of the folds; their scores are averaged."""
        return self._model([one for fold in folds for one in fold.model["estimators"]])

    def _model(self, estimators: list[Pipeline]) -> "SklearnModel":
        return SklearnModel(estimators, self.data.kind, self.data.classes, self.data.names)

    def _fit(self, rows: Codes) -> Pipeline:
        estimator, has_classes = clone(self.estimator), self.data.kind.has_classes
        target = self.data.target[rows]
        if has_classes:
            target = target.astype(np.int64)
        if needs_calibration(estimator, self.data):
            # Calibration cannot hold out the only row of a class.
            sizes = np.bincount(target)
            rows, target = rows[sizes[target] >= 2], target[sizes[target] >= 2]
            folds = min(CALIBRATION_FOLDS, int(sizes[sizes >= 2].min()))
            estimator = CalibratedClassifierCV(estimator, cv=folds, ensemble=False)
        pipeline = Pipeline([("columns", column_transformer(self.data)), ("estimator", estimator)])
        try:
            with threadpool_limits(self.threads):  # of OpenMP, which n_jobs does not limit
                return pipeline.fit(self.data.features[rows], target, **self._weights(rows))
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.path} cannot be fitted: {error}", hint="check train.parameters"
            ) from error

    def _weights(self, rows: Codes) -> dict[str, Vector]:
        """Return the weights of rows under the name by which the pipeline passes them on."""
        if self.data.fit_weights is None:
            return {}
        name = weight_argument(self.estimator, self.data)
        return {f"estimator__{name}": self.data.fit_weights[rows]}


def column_transformer(data: TrainingData) -> ColumnTransformer:
    """Return the transformer that imputes, scales and one-hot encodes the columns of a table."""
    categorical = list(data.categorical)
    numeric = [index for index in range(len(data.names)) if index not in data.categorical]
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, numeric), ("categories", categories, categorical)]
    )


@dataclass(frozen=True)
class SklearnModel:
    """One fitted pipeline, or several whose scores are averaged."""

    estimators: list[Pipeline]
    kind: TaskKind
    classes: int
    names: tuple[str, ...]

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "SklearnModel":
        """Restore a model from its payload."""
        kind = TaskKind(payload["kind"])
        return cls(payload["estimators"], kind, payload["classes"], tuple(payload["names"]))

    def predict(self, features: Matrix) -> Scores:
        """Return the scores of rows; a class that an estimator was not trained on has probability 0."""
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
        """Return the fitted pipelines, the task and the feature names."""
        return {
            "estimators": self.estimators,
            "kind": str(self.kind),
            "classes": self.classes,
            "names": list(self.names),
        }

    def importance(self) -> tuple[Importance, ...]:
        """Return the estimator's importances or coefficients, summed by feature; empty without either."""
        weights = [_column_weights(one) for one in self.estimators]
        if any(weight is None for weight in weights):
            return ()
        sums = [
            np.bincount(_source_features(one), weight, len(self.names))
            for one, weight in zip(self.estimators, weights, strict=True)
        ]
        gains = np.mean(sums, axis=0)
        return tuple(
            Importance(name, float(gain), float("nan"))
            for name, gain in zip(self.names, gains, strict=True)
        )


def _column_weights(pipeline: Pipeline) -> Vector | None:
    estimator = pipeline.named_steps["estimator"]
    weights = getattr(estimator, "feature_importances_", None)
    if weights is None:
        coefficients = getattr(estimator, "coef_", None)
        if not isinstance(coefficients, np.ndarray):
            return None
        weights = np.abs(np.atleast_2d(coefficients)).mean(axis=0)
    return np.asarray(weights, dtype=np.float64)


def _source_features(pipeline: Pipeline) -> Codes:
    """Return, for each input column of the estimator, the index of the feature it was made from."""
    sources: list[int] = []
    for name, step, features in pipeline.named_steps["columns"].transformers_:
        if name == "numbers":
            sources.extend(features)
        elif name == "categories" and len(features):
            for feature, categories in zip(features, step.categories_, strict=True):
                sources.extend([feature] * len(categories))
    return np.array(sources, dtype=np.int64)
