"""From the settings of [train] to a learner, and from a bundle's payload to a model.

Boosters, scikit-learn and Keras take seconds to import, so each is imported where it is used.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from lightmodel.config import TrainSection
from lightmodel.errors import ConfigError
from lightmodel.learners.base import FittedModel, Learner

logger = logging.getLogger(__name__)


def make_learner(
    train: TrainSection, threads: int, own_estimator: Callable[..., Any] | None = None
) -> Learner:
    """Return the learner that `train.estimator` names; "module": the user's `own_estimator` makes it.

    Raises:
        ConfigError: the parameters make no sense, or the user's function is needed and missing.
    """
    if train.estimator == "lightgbm":
        from lightmodel.learners.lightgbm import LightGBMLearner

        keep = train.final == "ensemble"
        return LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=keep)
    if train.estimator == "neural":
        from lightmodel.learners.neural import NeuralLearner

        return NeuralLearner(train.parameters, train.seed)
    if train.estimator == "blend":
        return _blend(train, threads, own_estimator)
    from lightmodel.learners.sklearn import SklearnLearner

    if train.estimator != "module":
        own_estimator = None
    elif own_estimator is None:
        where = (
            f"{train.module} defines no estimator()" if train.module else "train.module is not set"
        )
        raise ConfigError(f'train.estimator = "module", and {where}', hint="docs/own-code.md")
    return SklearnLearner(train.estimator, train.parameters, train.seed, threads, own_estimator)


def _blend(train: TrainSection, threads: int, own_estimator: Callable[..., Any] | None) -> Learner:
    from lightmodel.learners.blend import BlendLearner, read_parameters

    members, weights = read_parameters(train.parameters)
    sections = [
        train.model_copy(update={"estimator": estimator, "parameters": parameters})
        for estimator, parameters in members
    ]
    return BlendLearner([make_learner(one, threads, own_estimator) for one in sections], weights)


def load_model(learner: str, payload: dict[str, Any], threads: int) -> FittedModel:
    """Return the model that a learner of this name wrote into a bundle as `payload`."""
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


def compile_model(learner: str, payload: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a model's compiled form by name; none where it has no such form."""
    if learner != "lightgbm":
        return {}
    from lightmodel.learners.compiled import compiled_files
    from lightmodel.learners.compiled.tables import NotCompiledError

    try:
        return compiled_files(payload)
    except NotCompiledError as why:
        logger.warning("the model is not compiled, and will be served more slowly: %s", why)
        return {}
