"""Create a learner from the settings of [train], and a model from the payload in a bundle.

Boosters, scikit-learn and Keras take seconds to import, so each is imported where it is used.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lightmodel.config import TrainSection
from lightmodel.errors import ConfigError
from lightmodel.learners.base import FittedModel, Learner

logger = logging.getLogger(__name__)


def make_learner(
    train: TrainSection, threads: int, user_estimator: Callable[..., Any] | None = None
) -> Learner:
    """Return the learner that `train.estimator` names; "module" calls `user_estimator`.

    Raises:
        ConfigError: the parameters are invalid, or the user's function is needed and missing.
    """
    if train.estimator == "lightgbm":
        from lightmodel.learners.lightgbm import LightGBMLearner

        keep = train.final == "ensemble"
        return LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=keep)
    if train.estimator == "neural":
        from lightmodel.learners.neural import NeuralLearner

        return NeuralLearner(train.parameters, train.seed)
    if train.estimator == "blend":
        return _blend(train, threads, user_estimator)
    from lightmodel.learners.sklearn import SklearnLearner

    if train.estimator != "module":
        user_estimator = None
    elif user_estimator is None:
        where = (
            f"{train.module} defines no estimator()" if train.module else "train.module is not set"
        )
        raise ConfigError(f'train.estimator = "module", and {where}', hint="docs/own-code.md")
    return SklearnLearner(train.estimator, train.parameters, train.seed, threads, user_estimator)


def _blend(train: TrainSection, threads: int, user_estimator: Callable[..., Any] | None) -> Learner:
    from lightmodel.learners.blend import BlendLearner, read_parameters

    members, weights = read_parameters(train.parameters)
    sections = [
        train.model_copy(update={"estimator": estimator, "parameters": parameters})
        for estimator, parameters in members
    ]
    return BlendLearner([make_learner(one, threads, user_estimator) for one in sections], weights)


def load_model(learner: str, payload: dict[str, Any], threads: int) -> FittedModel:
    """Return the model that the learner of this name stored as `payload` in a bundle."""
    if learner == "blend":
        from lightmodel.learners.blend import BlendModel

        return BlendModel.from_payload(payload, partial(load_model, threads=threads))
    if learner == "lightgbm":
        from lightmodel.learners.lightgbm import LightGBMModel

        return LightGBMModel.from_payload(payload, threads)
    if learner == "neural":
        from lightmodel.learners.network import NeuralModel

        return NeuralModel.from_payload(payload)
    from lightmodel.learners.sklearn import SklearnModel

    return SklearnModel.from_payload(payload)


def compile_model(learner: str, payload: dict[str, Any], cache: Path) -> dict[str, bytes]:
    """Return the files of the compiled model by name; empty where the model cannot be compiled.

    `cache` is a folder for what one training can take over from another.
    """
    if learner != "lightgbm":
        return {}
    from lightmodel.learners.compiled import compiled_files
    from lightmodel.learners.compiled.tables import NotCompiledError

    try:
        return compiled_files(payload, cache)
    except NotCompiledError as reason:
        logger.warning("the model cannot be compiled and will be served more slowly: %s", reason)
        return {}
