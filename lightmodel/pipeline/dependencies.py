"""What code and which libraries the model of a train section is made and served with."""

from functools import cache
from importlib import metadata
from pathlib import Path

from lightmodel.config import TrainSection
from lightmodel.store.own_code import read_source
from lightmodel.store.runtime import (
    imported_packages,
    runtime_of_estimator,
    runtime_of_source,
    widest,
)

MODULES = ("lightmodel.training.train", "lightmodel.store.codec")
LEARNERS = {
    "lightgbm": ("lightmodel.learners.lightgbm", "lightmodel.learners.compiled.files"),
    "sklearn": ("lightmodel.learners.sklearn",),
    "neural": ("lightmodel.learners.neural",),
    "blend": ("lightmodel.learners.blend",),
}
_ALWAYS = ("joblib", "numpy", "pyarrow", "scipy")
LIBRARIES = {
    "lightgbm": (*_ALWAYS, "lightgbm"),
    "sklearn": (*_ALWAYS, "scikit-learn"),
    "neural": (*_ALWAYS, "jax", "keras", "scikit-learn"),
    "blend": _ALWAYS,
}


def learner_of(estimator: str) -> str:
    """Name the learner that fits an estimator."""
    return estimator if estimator in LEARNERS else "sklearn"


def modules_of(train: TrainSection) -> tuple[str, ...]:
    """Name the modules of this project that do the work."""
    own = {module for one in estimators_of(train) for module in LEARNERS[learner_of(one)]}
    return (*MODULES, *sorted(own))


def libraries_of(train: TrainSection) -> tuple[str, ...]:
    """Name the distributions whose version matters; those that are not installed are left out.

    Raises:
        ConfigError: train.module cannot be read, or is not Python.
    """
    estimators = estimators_of(train)
    known = {name for one in estimators for name in LIBRARIES[learner_of(one)]}
    packages = {one.partition(".")[0] for one in estimators if "." in one}
    if train.module:
        packages |= imported_packages(_source(train), train.module)
    named = {name for package in packages for name in _distributions(package)}
    return tuple(sorted(name for name in known | named if _is_installed(name)))


def estimators_of(train: TrainSection) -> tuple[str, ...]:
    """Name the estimator, and the members of a blend."""
    members = train.parameters.get("members", ()) if train.estimator == "blend" else ()
    named = [one.get("estimator", "") for one in members if isinstance(one, dict)]
    return (train.estimator, *map(str, named))


def needed_runtime(train: TrainSection) -> str:
    """Give the runtime that serves both the estimator's model and the user's code.

    Raises:
        ConfigError: train.module cannot be read, or is not Python.
    """
    needed = widest(*map(runtime_of_estimator, estimators_of(train)))
    if not train.module:
        return needed
    return widest(needed, runtime_of_source(_source(train), train.module))


def _source(train: TrainSection) -> str:
    return read_source(Path(train.module)).decode(errors="replace")


def _distributions(package: str) -> tuple[str, ...]:
    """Give what brings an importable package; nothing for Python's own and this project's."""
    if package in {"sklearn", "lightgbm", "numpy"}:  # all the usual ones, without looking around
        return ("scikit-learn",) if package == "sklearn" else (package,)
    return tuple(sorted(set(_installed().get(package, ()))))


@cache
def _installed() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


@cache
def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
