"""Fingerprints of artefacts, and the runtime that serves a model, derived from what trains it.

A fingerprint is one line: artefacts with an equal one are reused. It has four parts, such as
`inputs=1f0c… parameters=9ab2… code=77d1… libraries=0e45…`, so that a comparison of two shows what changed.

A training file is parsed, not searched: a comment, a string or a name that only looks like an import does
not count.
"""

import ast
import hashlib
import json
import logging
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from lightmodel.errors import ConfigError

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]
_DIGITS = 16
# Narrowest first; see `serves`.
RUNTIMES = ("compiled", "lightgbm", "sklearn", "boosters", "neural")
_LIBRARIES = {
    "lightgbm": frozenset({"lightgbm", "numpy"}),
    "sklearn": frozenset({"sklearn", "scipy", "pandas", "joblib"}),
    "boosters": frozenset({"xgboost", "catboost"}),
    "neural": frozenset({"keras", "jax", "flax", "torch", "skorch", "tensorflow"}),
}
# network libraries that no runtime serves: networks are Keras on JAX
NOT_SERVED = frozenset({"flax", "torch", "skorch", "tensorflow"})
_ESTIMATORS = {"lightgbm": "lightgbm", "neural": "neural"}
_IMPORT = re.compile(
    rf"^\s*(?:from|import) ({_PACKAGE.name}\b[\w.]*)(?: import (\([^)]*\)|.*))?", re.MULTILINE
)
_NAME = re.compile(r"\w+")
_DESCRIBE = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def fingerprint(
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    modules: Iterable[str],
    distributions: Iterable[str],
) -> str:
    """Return the fingerprint of an artefact.

    `modules` are the full names of the modules that do the work; the modules that they import, and C
    sources beside them, count as well.
    """
    parts = {
        "inputs": _hash_json(inputs),
        "parameters": _hash_json(parameters),
        "code": _hash_code(tuple(modules)),
        "libraries": _hash_json(versions(distributions)),
    }
    return " ".join(f"{name}={digest}" for name, digest in parts.items())


def what_changed(before: str, after: str) -> str:
    """Return the names of the parts in which two fingerprints differ."""
    pairs = zip(before.split(), after.split(), strict=False)
    changed = [new.partition("=")[0] for old, new in pairs if old != new]
    return ", ".join(changed) or "nothing"


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the version of each installed distribution, by name."""
    found = {name: _version(name) for name in sorted(distributions)}
    return {name: version for name, version in found.items() if version is not None}


@cache  # a run asks eight times, and each answer is parsed out of a file
def _version(distribution: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(distribution)
    return None


def _hash_json(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


@cache
def _hash_code(modules: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(_closure(modules).items()):
        beside = sorted(path.parent.glob("*.c"))
        digest.update(
            name.encode() + b"\0" + b"".join(part.read_bytes() for part in (path, *beside))
        )
    return digest.hexdigest()[:_DIGITS]


def _closure(modules: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of these modules and of all that they import from the package, by name."""
    closure: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if name not in closure and path:
            closure[name] = path
            waiting.extend(_imports_of(path))
    return closure


@cache
def _file_of(module: str) -> Path | None:
    """Return the file of a module of the package; None for other modules and names in modules."""
    if module.partition(".")[0] != _PACKAGE.name:
        return None
    base = _PACKAGE.parent.joinpath(*module.split("."))
    files = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in files if path.is_file()), None)


@cache
def _imports_of(path: Path) -> tuple[str, ...]:
    """Return what a file imports from the package; of `from a import b` these are `a` and `a.b`.

    Ten times faster than parsing the file; an import in a text counts as well, which does no harm.
    """
    modules: list[str] = []
    for module, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        modules += (module, *(f"{module}.{name}" for name in _NAME.findall(names)))
    return tuple(modules)


def commit() -> str | None:
    """Return the git commit, with "-dirty" if files differ from it; None if unknown."""
    try:
        done = subprocess.run(  # noqa: S603 — a constant command
            _DESCRIBE, capture_output=True, text=True, timeout=10, check=True
        )
    except subprocess.CalledProcessError as error:
        if "dubious ownership" in error.stderr:
            logger.warning(
                "the git commit is unknown: this folder belongs to another user, and git refuses it; "
                "`git config --global --add safe.directory %s` allows it",
                Path.cwd(),
            )
        return _commit_of_image()
    except (OSError, subprocess.SubprocessError):
        return _commit_of_image()
    return done.stdout.strip() or None


def _commit_of_image() -> str | None:
    """Return the commit that the Dockerfile recorded: an image has neither git nor a repository."""
    try:
        return (_PACKAGE.parent / "COMMIT").read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def machine() -> dict[str, str]:
    """Return Python, system and processor: where all are equal, models are byte-identical."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def requirements(distributions: Iterable[str]) -> str:
    """Return the content of a requirements.txt with exact versions."""
    return "".join(f"{name}=={version}\n" for name, version in versions(distributions).items())


def python_environment() -> str:
    """Return MLflow's python_env.yaml for this Python; it refers to a requirements.txt."""
    try:
        pip = f"pip=={metadata.version('pip')}"
    except metadata.PackageNotFoundError:  # images and environments of uv have no pip
        pip = "pip"
    return (
        f"python: {platform.python_version()}\n"
        f"build_dependencies:\n- {pip}\n"
        "dependencies:\n- -r requirements.txt\n"
    )


def runtime_of_source(source: str, name: str) -> str:
    """Return the runtime that the imports of a training file need, nested imports included.

    Raises:
        ConfigError: the file is not valid Python.
    """
    packages = imported_packages(source, name)
    needed = (runtime for runtime in reversed(_LIBRARIES) if packages & _LIBRARIES[runtime])
    return next(needed, "lightgbm")


def runtime_of_estimator(estimator: str) -> str:
    """Return the runtime that the estimator named in `train.estimator` needs."""
    package = estimator.partition(".")[0]
    for runtime in ("boosters", "neural"):
        if package in _LIBRARIES[runtime]:
            return runtime
    return _ESTIMATORS.get(estimator, "sklearn")


def widest(*runtimes: str) -> str:
    """Return the widest of some runtimes: it serves what each of them serves."""
    return max(runtimes, key=RUNTIMES.index)


def serves(runtime: str, needed: str) -> bool:
    """Return whether an image with `runtime` serves a model that needs `needed`."""
    if runtime == needed:
        return True
    return runtime in RUNTIMES and needed in RUNTIMES[:3] and widest(runtime, needed) == runtime


def imported_packages(source: str, name: str) -> frozenset[str]:
    """Return the top-level packages that a file imports.

    Raises:
        ConfigError: the file is not valid Python.
    """
    try:
        tree = ast.parse(source, filename=name)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise ConfigError(f"{name}{line} is not valid Python", hint="run it by itself") from error
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.append(node.module)
    return frozenset(module.partition(".")[0] for module in modules)
