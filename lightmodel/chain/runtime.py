"""Which serving runtime the settings' model needs."""

from pathlib import Path

from lightmodel.artefacts.own_code import read_source
from lightmodel.config import TrainSection
from lightmodel.domain.runtime import runtime_of_estimator, runtime_of_source, widest


def needed_runtime(train: TrainSection) -> str:
    """Give what serves both the estimator's model and the user's code.

    Raises:
        ConfigError: train.module cannot be read, or is not Python.
    """
    needed = widest(*map(runtime_of_estimator, _estimators(train)))
    if not train.module:
        return needed
    source = read_source(Path(train.module)).decode(errors="replace")
    return widest(needed, runtime_of_source(source, train.module))


def _estimators(train: TrainSection) -> list[str]:
    """Name the estimator, and the members of a blend."""
    members = train.parameters.get("members", ()) if train.estimator == "blend" else ()
    named = [one.get("estimator", "") for one in members if isinstance(one, dict)]
    return [train.estimator, *map(str, named)]
