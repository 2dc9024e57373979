"""The versions on which results depend: a worker with others would return other ones, or fail."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from lightmodel import __version__
from lightmodel.errors import ConfigError

_NEEDED = ("dask", "distributed", "joblib", "lightgbm", "numpy", "pyarrow", "scikit-learn", "scipy")
_OPTIONAL = ("catboost", "jax", "keras", "xgboost-cpu")  # compared where both have them
_PACKAGE = Path(__file__).parents[1]


@cache
def versions_here() -> Mapping[str, str]:
    """Return the versions of Python, of this project with a hash of its code, and of libraries."""
    major, minor, _ = platform.python_version_tuple()
    found = {name: _version(name) for name in (*_NEEDED, *_OPTIONAL)}
    return {
        "Python": f"{major}.{minor}",
        "light-model": f"{__version__} (code {_code_hash()})",
        **{name: version for name, version in found.items() if version or name in _NEEDED},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _code_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def reject_other_versions(
    others: Mapping[str, str], where: str, here: Mapping[str, str] | None = None
) -> None:
    """Raise ConfigError if a worker's versions are not those of the client.

    Args:
        others: of the client.
        where: the worker, for the message.
        here: of the worker; None stands for this process.
    """
    here = versions_here() if here is None else here
    compared = {*others, *here} - {
        name for name in _OPTIONAL if not (name in others and name in here)
    }
    different = [
        f"{name} {here.get(name) or 'none'} instead of {others.get(name) or 'none'}"
        for name in sorted(compared, key=str.lower)
        if here.get(name) != others.get(name)
    ]
    if different:
        raise ConfigError(
            f"{where} of the Dask cluster has other versions: {', '.join(different)}",
            hint="run workers from the same image, or from the same commit and requirements, as this "
            "process; docs/guide/dask.md",
        )
