"""LightGBM's objectives for the losses of tasks."""

from collections.abc import Mapping
from typing import Any

from lightmodel.contract.losses import Loss, LossName
from lightmodel.contract.task import Task, TaskKind

_CLASSES = {TaskKind.BINARY: "binary", TaskKind.MULTICLASS: "multiclass"}
_NAMES = {name: str(name) for name in LossName} | {
    LossName.SQUARED: "regression",
    LossName.MAE: "regression_l1",
}
_LOSSES = {objective: name for name, objective in _NAMES.items()}
_ALPHAS = {
    LossName.HUBER: "alpha",
    LossName.QUANTILE: "alpha",
    LossName.TWEEDIE: "tweedie_variance_power",
}
# What a raw score of 0 stands for, where that is not 0: the link of these is exponential or logistic.
SCORE_OF_ZERO = {
    LossName.POISSON: 1.0,
    LossName.GAMMA: 1.0,
    LossName.TWEEDIE: 1.0,
    LossName.CROSS_ENTROPY: 0.5,
}


def objective_parameters(task: Task) -> dict[str, Any]:
    """Return LightGBM's parameters for the loss of a task."""
    if task.kind.has_classes:
        return {"objective": _CLASSES[task.kind]}
    alpha = {_ALPHAS[task.loss.name]: task.loss.alpha} if task.loss.name in _ALPHAS else {}
    return {"objective": _NAMES[task.loss.name], **alpha}


def loss_of_parameters(parameters: Mapping[str, Any]) -> Loss | None:
    """Return the loss of LightGBM's parameters; None for those of classes."""
    name = _LOSSES.get(str(parameters["objective"]))
    if name is None:
        return None
    return Loss(name, float(parameters[_ALPHAS[name]]) if name in _ALPHAS else 0.0)
