"""Which libraries a model is served with, derived from what trains it.

A training file is parsed, not searched: a comment, a string or a name that only looks like an import does
not count.
"""

import ast
from collections.abc import Iterator

from lightmodel.errors import ConfigError

RUNTIMES = ("lightgbm", "sklearn", "boosters", "neural")  # each serves what the first two can
_LIBRARIES = {
    "lightgbm": frozenset({"lightgbm", "numpy"}),
    "sklearn": frozenset({"sklearn", "scipy", "pandas", "joblib"}),
    "boosters": frozenset({"xgboost", "catboost"}),
    "neural": frozenset({"keras", "jax", "flax", "torch", "skorch", "tensorflow"}),
}
NOT_SERVED = frozenset(
    {"flax", "torch", "skorch", "tensorflow"}
)  # networks, but not our Keras on JAX
_ESTIMATORS = {"lightgbm": "lightgbm", "neural": "neural"}


def runtime_of_source(source: str, name: str) -> str:
    """Return the runtime that a training file needs by its imports, wherever in it they stand.

    Args:
        source: of the file.
        name: of the file, for messages.

    Raises:
        ConfigError: it is not Python.
    """
    packages = imported_packages(source, name)
    needed = (runtime for runtime in reversed(RUNTIMES) if packages & _LIBRARIES[runtime])
    return next(needed, RUNTIMES[0])


def runtime_of_estimator(estimator: str) -> str:
    """Return the runtime that `train.estimator` needs by its own name."""
    package = estimator.partition(".")[0]
    for runtime in ("boosters", "neural"):
        if package in _LIBRARIES[runtime]:
            return runtime
    return _ESTIMATORS.get(estimator, "sklearn")


def widest(*runtimes: str) -> str:
    """Return the runtime that serves what each of these serves."""
    return max(runtimes, key=RUNTIMES.index)


def serves(runtime: str, needed: str) -> bool:
    """Return whether an image of one runtime serves a model that needs another."""
    if runtime == needed:
        return True
    return runtime in RUNTIMES and needed in RUNTIMES[:2] and widest(runtime, needed) == runtime


def imported_packages(source: str, name: str) -> frozenset[str]:
    """Return the top-level packages that a file imports.

    Raises:
        ConfigError: it is not Python.
    """
    try:
        tree = ast.parse(source, filename=name)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise ConfigError(f"{name}{line} is not Python", hint="does it run by itself?") from error
    return frozenset(module.partition(".")[0] for module in _imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
