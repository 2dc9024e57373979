"""An estimator fits the task, and a user's estimator() that fails says where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData
from lightmodel.learners.sklearn import SklearnLearner
from lightmodel.store.user_code import read_user_code

FEATURES = np.asfortranarray(np.random.default_rng(0).random((40, 2)))


def data(kind: TaskKind) -> TrainingData:
    target = (FEATURES[:, 0] > 0.5).astype(float)
    return TrainingData(
        FEATURES, target, ("a", "b"), (), Task(kind, (0, 1) if kind.has_classes else ())
    )


@pytest.mark.parametrize(
    ("path", "kind", "told"),
    [
        (
            "sklearn.cluster.KMeans",
            TaskKind.REGRESSION,
            "needs a regressor; the kind of this one is clusterer",
        ),
        (
            "sklearn.cluster.KMeans",
            TaskKind.BINARY,
            "needs a classifier; the kind of this one is clusterer",
        ),
        ("sklearn.svm.SVR", TaskKind.BINARY, "this one is regressor"),
        ("sklearn.svm.SVC", TaskKind.REGRESSION, "this one is classifier"),
        ("sklearn.covariance.EllipticEnvelope", TaskKind.REGRESSION, "outlier_detector"),
        ("sklearn.decomposition.PCA", TaskKind.REGRESSION, "needs a regressor"),
        (
            "sklearn.semi_supervised.SelfTrainingClassifier",
            TaskKind.BINARY,
            "does not tell whether it is a classifier",
        ),
    ],
)
def test_another_kind_than_the_task_needs_is_refused(path: str, kind: TaskKind, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SklearnLearner(path, {}, seed=0, threads=1).prepare(data(kind))
    assert told in caught.value.message


class Mean(BaseEstimator):  # type: ignore[misc]
    """Predicts a mean, and does not say of what kind it is."""

    def fit(self, features: Any, target: Any) -> "Mean":
        del features
        self.mean_ = target.mean()
        return self

    def predict(self, features: Any) -> Any:
        return np.full(len(features), self.mean_)


def test_an_estimator_of_the_users_may_predict_numbers_without_a_kind() -> None:
    trainer = SklearnLearner("module", {}, 0, 1, Mean).prepare(data(TaskKind.REGRESSION))
    fold = trainer.fit_fold(np.arange(20), np.arange(20, 40))
    assert np.isfinite(fold.scores).all()


def test_a_failing_estimator_function_shows_its_file_line_and_text(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("def estimator(depth=1):\n    return {}[depth]\n", encoding="utf-8")
    function = read_user_code(file).function("estimator")
    with pytest.raises(ConfigError) as caught:
        SklearnLearner("module", {"depth": 7}, 0, 1, function)
    assert f"in line 2 of {file} (return {{}}[depth]): KeyError: 7" in caught.value.message
