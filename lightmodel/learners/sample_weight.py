"""How the weights of rows reach estimators with scikit-learn's interface."""

from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData


def check_weights(path: str, estimator: BaseEstimator, data: TrainingData) -> None:
    """Check that an estimator can weigh the rows, if they have weights.

    Raises:
        ConfigError: it cannot.
    """
    if data.fit_weights is not None and not weight_argument(estimator, data):
        raise ConfigError(
            f"train.estimator = {path!r} takes no weights of rows (sample_weight of its fit), which "
            "train.weight and train.class_weight need",
            hint="choose another estimator, such as lightgbm, or set neither",
        )


def weight_argument(estimator: BaseEstimator, data: TrainingData) -> str:
    """Return the argument of an estimator's fit that takes the weights of rows; "" if there is none.

    A pipeline passes it on to its last step, and a regressor of a transformed target to the one within.
    """
    if isinstance(estimator, Pipeline) and not needs_calibration(estimator, data):
        step, last = estimator.steps[-1]
        inner = weight_argument(last, data)
        return f"{step}__{inner}" if inner else ""
    if isinstance(estimator, TransformedTargetRegressor):
        return weight_argument(estimator.regressor, data)
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else ""


def needs_calibration(estimator: BaseEstimator, data: TrainingData) -> bool:
    """Return whether an estimator of classes has no probabilities of its own."""
    return data.kind.has_classes and not hasattr(estimator, "predict_proba")
