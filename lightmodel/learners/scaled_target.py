"""Regressors that need a standardized target, wrapped so that they get one."""

from collections.abc import Sequence

from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR


def support_vectors(
    C: float = 1.0,  # noqa: N803 — scikit-learn's own name
    epsilon: float = 0.1,
    gamma: str | float = "scale",
) -> TransformedTargetRegressor:
    """Return a support vector regressor; `epsilon` is in standard deviations of the target."""
    return _scaled(SVR(C=C, epsilon=epsilon, gamma=gamma))


def perceptron(
    hidden_layer_sizes: Sequence[int] = (100,),
    alpha: float = 0.0001,
    max_iter: int = 200,
    early_stopping: bool = False,
    random_state: int = 0,
) -> TransformedTargetRegressor:
    """Return a multilayer perceptron for regression."""
    return _scaled(
        MLPRegressor(
            hidden_layer_sizes=tuple(hidden_layer_sizes),
            alpha=alpha,
            max_iter=max_iter,
            early_stopping=early_stopping,
            random_state=random_state,
        )
    )


def _scaled(regressor: SVR | MLPRegressor) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(regressor=regressor, transformer=StandardScaler())
