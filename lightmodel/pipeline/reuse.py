"""Whether a version made before will do: what a model is made from, as a fingerprint.

A model counts as the same where its training rows, its settings, the code that trains it and the
libraries that it is made with are the same.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

from lightmodel.config import Config, TrainSection
from lightmodel.errors import LightModelError
from lightmodel.pipeline.context import split_file
from lightmodel.store.provenance import (
    fingerprint,
    imported_packages,
    runtime_of_estimator,
    runtime_of_source,
    what_changed,
    widest,
)
from lightmodel.store.user_code import read_source
from lightmodel.store.versions import Store, Version

MODULES = ("lightmodel.training.train", "lightmodel.store.codec")
LEARNER_MODULES = {
    "lightgbm": ("lightmodel.learners.lightgbm", "lightmodel.learners.compiled"),
    "sklearn": ("lightmodel.learners.sklearn",),
    "neural": ("lightmodel.learners.neural",),
    "blend": ("lightmodel.learners.blend",),
}
_ALWAYS = ("joblib", "numpy", "pyarrow", "scipy")
_LEARNER_LIBRARIES = {
    "lightgbm": (*_ALWAYS, "lightgbm"),
    "sklearn": (*_ALWAYS, "scikit-learn"),
    "neural": (*_ALWAYS, "jax", "keras", "scikit-learn"),
    "blend": _ALWAYS,
}
_NOT_OF_A_MODEL = {"threads", "task", "positive", "retry"}


@dataclass(frozen=True)
class Reuse:
    """Whether an earlier version will do, and why, either way."""

    version: Version | None
    why: str


def find_reusable(
    store: Store, key: str, suits: Callable[[Version], bool] = lambda _: True
) -> Reuse:
    """Return the newest whole version with this fingerprint, or what differs from the newest."""
    versions = store.versions()
    for version in versions:
        if version.manifest.fingerprint != key or not suits(version):
            continue
        try:
            store.verify(version)
        except LightModelError:
            return Reuse(None, f"{version.name} is damaged")
        return Reuse(version, "nothing changed")
    if not versions:
        return Reuse(None, "there is none yet")
    changed = what_changed(versions[0].manifest.fingerprint, key)
    return Reuse(
        None, "another model was approved" if changed == "nothing" else f"{changed} changed"
    )


def model_key(config: Config, split: Version) -> str:
    """Return the fingerprint of the model that these settings make of this split."""
    train = config.train
    inputs, parameters = model_inputs(config, split), model_parameters(config)
    return fingerprint(inputs, parameters, modules_of(train), libraries_of(train))


def model_inputs(config: Config, split: Version) -> dict[str, str]:
    """Return the sha256 of each file that a model is made from, by name.

    Raises:
        ConfigError: train.module cannot be read.
    """
    names = (split_file(split, "train"), "contract.json")
    inputs = {name: split.manifest.files[name].sha256 for name in names}
    if config.train.module:
        inputs["module"] = hashlib.sha256(read_source(Path(config.train.module))).hexdigest()
    return inputs


def model_parameters(config: Config) -> dict[str, Any]:
    """Return the settings that decide on the model's bytes: folds follow the split's method."""
    train = config.train.model_dump(exclude=_NOT_OF_A_MODEL)
    # Its content is an input; the folder that it lies in decides on nothing.
    train["module"] = PurePath(config.train.module).name
    return {"train": train, "split": config.split.model_dump(include={"method"})}


def modules_of(train: TrainSection) -> tuple[str, ...]:
    """Return the names of this project's modules that do the work."""
    used = {module for one in _estimators(train) for module in LEARNER_MODULES[_learner(one)]}
    return (*MODULES, *sorted(used))


def libraries_of(train: TrainSection) -> tuple[str, ...]:
    """Return the names of the distributions whose version matters, where they are installed.

    Raises:
        ConfigError: train.module cannot be read, or is not Python.
    """
    estimators = _estimators(train)
    known = {name for one in estimators for name in _LEARNER_LIBRARIES[_learner(one)]}
    packages = {one.partition(".")[0] for one in estimators if "." in one}
    if train.module:
        packages |= imported_packages(_source(train), train.module)
    named = {name for package in packages for name in _distributions(package)}
    return tuple(sorted(known | named))


def needed_runtime(train: TrainSection) -> str:
    """Return the runtime that serves both the estimator's model and the user's code.

    Raises:
        ConfigError: train.module cannot be read, or is not Python.
    """
    needed = widest(*map(runtime_of_estimator, _estimators(train)))
    if not train.module:
        return needed
    return widest(needed, runtime_of_source(_source(train), train.module))


def _learner(estimator: str) -> str:
    return estimator if estimator in LEARNER_MODULES else "sklearn"


def _estimators(train: TrainSection) -> tuple[str, ...]:
    """Return the estimator, and the members of a blend."""
    members = train.parameters.get("members", ()) if train.estimator == "blend" else ()
    named = [one.get("estimator", "") for one in members if isinstance(one, dict)]
    return (train.estimator, *map(str, named))


def _source(train: TrainSection) -> str:
    return read_source(Path(train.module)).decode(errors="replace")


def _distributions(package: str) -> tuple[str, ...]:
    """Return what brings an importable package; nothing for Python's own and this project's."""
    if package in {"sklearn", "lightgbm", "numpy"}:  # all the usual ones, without looking around
        return ("scikit-learn",) if package == "sklearn" else (package,)
    return tuple(sorted(set(_installed().get(package, ()))))


@cache
def _installed() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
