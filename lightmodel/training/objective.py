"""The loss that train.objective asks for, where it suits the task and the target."""

from dataclasses import replace

from lightmodel.config import TrainSection
from lightmodel.contract.losses import loss_of
from lightmodel.contract.task import Task
from lightmodel.errors import ConfigError


def with_loss(task: Task, section: TrainSection) -> Task:
    """Return a task with the loss of train.objective.

    Raises:
        ConfigError: it predicts classes, or train.alpha does not suit the loss.
    """
    loss = loss_of(section.objective, section.alpha)
    if task.kind.has_classes and section.objective != "auto":
        raise ConfigError(
            f"train.objective = {section.objective!r} is for numbers, but this task has classes",
            hint='set it to "auto", or train.task = "regression"',
        )
    return replace(task, loss=loss)
