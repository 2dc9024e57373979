"""Decide by fingerprints whether an earlier version can be reused.

Two models have the same fingerprint if their training rows, their settings, the code that trains them
and the libraries in use are the same.
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
_NOT_IN_FINGERPRINT = {"threads", "task", "positive", "retry"}


@dataclass(frozen=True)
class Reuse:
    """The earlier version that can be reused, if any, and the reason either way."""

    version: Version | None
    why: str


def find_reusable(
    store: Store, key: str, suits: Callable[[Version], bool] = lambda _: True
) -> Reuse:
    """Find the newest version with this fingerprint; if there is none, say what has changed."""
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
    """Return the fingerprint of the model that these settings train on this split."""
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
    """Return the settings that determine the model's bytes; folds depend on the split's method."""
    train = config.train.model_dump(exclude=_NOT_IN_FINGERPRINT)
    # The module's content is an input; its folder does not matter.
    train["module"] = PurePath(config.train.module).name
    return {"train": train, "split": config.split.model_dump(include={"method"})}


def modules_of(train: TrainSection) -> tuple[str, ...]:
    """Return the names of this project's modules whose code determines the model."""
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
    """Return the distributions of an importable package; none for the standard library's."""
    if package in {"sklearn", "lightgbm", "numpy"}:  # the usual ones, without the slow look-up
        return ("scikit-learn",) if package == "sklearn" else (package,)
    return tuple(sorted(set(_installed().get(package, ()))))


@cache
def _installed() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
