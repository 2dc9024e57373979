"""A user's Python file (`train.module`): read, executed, and stored with the model.

A pickle refers to a class by the name of its module. That name contains the hash of the source, so that
an older model finds its own code, and several versions of the code can live in one process.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from lightmodel.errors import ConfigError
from lightmodel.store.versions import Version

FOLDER = "code"
_DIGITS = 16


@dataclass(frozen=True)
class UserCode:
    """A user's module.

    Attributes:
        file: its name in a model's version, such as "code/my_model.py".
        source: the bytes of the file.
        module: the executed module.
    """

    file: str
    source: bytes
    module: ModuleType

    def function(self, name: str) -> Callable[..., Any] | None:
        """Return a function of the module; None if it does not define one of this name."""
        function = getattr(self.module, name, None)
        if function is not None and not callable(function):
            raise ConfigError(f"{self.file}: {name} is not a function")
        return function


def read_user_code(path: Path) -> UserCode:
    """Return the module in the file that `train.module` names.

    Raises:
        ConfigError: the file cannot be read or executed.
    """
    return execute(f"{FOLDER}/{path.name}", read_source(path), str(path))


def read_source(path: Path) -> bytes:
    """Return the bytes of the file that `train.module` names.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"train.module = {str(path)!r} cannot be read: {error.strerror}",
            hint="give the path of one .py file, relative to the folder in which the chain runs",
        ) from error


def user_code_of(version: Version) -> UserCode | None:
    """Return the user's code in a model's version; None if it has none.

    Raises:
        ArtefactCorrupt: the file does not match the manifest.
        ConfigError: the code cannot be executed here.
    """
    names = [name for name in version.manifest.files if PurePosixPath(name).parts[0] == FOLDER]
    return execute(names[0], version.read(names[0])) if names else None


def user_features(version: Version) -> Callable[..., Any] | None:
    """Return the `features` function of a version's user code; None if it has none."""
    code = user_code_of(version)
    return code.function("features") if code else None


def execute(file: str, source: bytes, shown: str = "") -> UserCode:
    """Execute a source file as a module, once for each content, and return it.

    `shown` is the path of the user's own file, by which errors name it; "" if there is only `file`.

    Raises:
        ConfigError: the code raises an exception.
    """
    name = f"lightmodel_code_{hashlib.sha256(source).hexdigest()[:_DIGITS]}"
    if name in sys.modules:
        return UserCode(file, source, sys.modules[name])
    module = ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module  # first: dataclasses look up their module
    try:
        exec(compile(source, shown or file, "exec"), module.__dict__)  # noqa: S102 — the user's own code
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise  # such as Ctrl-C: no fault of the file
        raise ConfigError(
            f"{shown or file} cannot be executed: {type(error).__name__}: {error}",
            hint="check that the file runs by itself, and that its packages are installed",
        ) from error
    return UserCode(file, source, module)
