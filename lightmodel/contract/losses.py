"""The losses of numeric targets, by the names of train.objective; `loss_values` has their formulas."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lightmodel.errors import ConfigError


class LossName(StrEnum):
    """The losses, by the names of train.objective."""

    SQUARED = "squared"
    MAE = "mae"
    HUBER = "huber"
    QUANTILE = "quantile"
    POISSON = "poisson"
    GAMMA = "gamma"
    TWEEDIE = "tweedie"
    CROSS_ENTROPY = "cross_entropy"


_METRICS = {
    LossName.SQUARED: "rmse",
    LossName.MAE: "mae",
    LossName.HUBER: "mae",
    LossName.QUANTILE: "pinball",
}  # of the others the deviance
# The default of train.alpha, and the numbers that it lies between.
_ALPHAS = {
    LossName.HUBER: (0.9, 0.0, float("inf")),
    LossName.QUANTILE: (0.5, 0.0, 1.0),
    LossName.TWEEDIE: (1.5, 1.0, 2.0),
}


@dataclass(frozen=True)
class Loss:
    """The loss of a numeric target.

    Attributes:
        alpha: the quantile that is predicted, the error from which Huber's loss grows linearly, or the
            power of Tweedie's variance; 0 for the others.
    """

    name: LossName = LossName.SQUARED
    alpha: float = 0.0

    @property
    def metric(self) -> str:
        """The name of the metric that decides, unless gate.metric says otherwise."""
        return _METRICS.get(self.name, "deviance")

    @property
    def predicts(self) -> str:
        """What the scores stand for: of the same, models can be compared whatever they lowered."""
        if self.name is LossName.QUANTILE:
            return f"the quantile {self.alpha:g}"
        return "the quantile 0.5" if self.name is LossName.MAE else "the mean"

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"name": str(self.name), **({"alpha": self.alpha} if self.alpha else {})}


SQUARED = Loss()


def loss_of(name: str, alpha: float | None) -> Loss:
    """Return the loss of train.objective and train.alpha.

    Raises:
        ConfigError: the loss takes no alpha, or another one.
    """
    known = LossName.SQUARED if name == "auto" else LossName(name)
    if known not in _ALPHAS:
        if alpha is not None:
            raise ConfigError(
                f"train.alpha has no effect with train.objective = {name!r}",
                hint=f"it belongs to {', '.join(_ALPHAS)}",
            )
        return Loss(known)
    default, low, high = _ALPHAS[known]
    chosen = default if alpha is None else alpha
    if not low < chosen < high:
        raise ConfigError(
            f"train.alpha = {chosen:g} does not suit train.objective = {name!r}",
            hint=f"set a number between {low:g} and {high:g}",
        )
    return Loss(known, chosen)
