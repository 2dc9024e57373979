"""A user's file of Python: read, registered under a name with its hash, and kept with the model.

Pickles name the module of a class. The name holds the hash of the source, so that the model of yesterday
finds the code of yesterday, and two of them live in one process.
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
        file: its name in the bundle, such as "code/my_model.py".
        source: its bytes.
        module: the same, executed.
    """

    file: str
    source: bytes
    module: ModuleType

    def function(self, name: str) -> Callable[..., Any] | None:
        """Return a function that it defines; None where it does not."""
        function = getattr(self.module, name, None)
        if function is not None and not callable(function):
            raise ConfigError(f"{self.file}: {name} is not a function")
        return function


def read_user_code(path: Path) -> UserCode:
    """Return the module in the file that `train.module` names.

    Raises:
        ConfigError: it is not there, or cannot be executed.
    """
    return execute(f"{FOLDER}/{path.name}", read_source(path))


def read_source(path: Path) -> bytes:
    """Return the bytes of the file that `train.module` names.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"train.module = {str(path)!r} cannot be read: {error.strerror}",
            hint="give the path of one .py file, from the folder that the chain runs in",
        ) from error


def user_code_of(version: Version) -> UserCode | None:
    """Return the code in a model's version; None where it has none.

    Raises:
        ArtefactCorrupt: it is not what was written.
        ConfigError: it cannot be executed here.
    """
    names = [name for name in version.manifest.files if PurePosixPath(name).parts[0] == FOLDER]
    return execute(names[0], version.read(names[0])) if names else None


def user_features(version: Version) -> Callable[..., Any] | None:
    """Return the function of a version's code that adds features; None where it has none."""
    code = user_code_of(version)
    return code.function("features") if code else None


def execute(file: str, source: bytes) -> UserCode:
    """Return a module, executed once for each content.

    Raises:
        ConfigError: it fails.
    """
    name = f"lightmodel_code_{hashlib.sha256(source).hexdigest()[:_DIGITS]}"
    if name in sys.modules:
        return UserCode(file, source, sys.modules[name])
    module = ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module  # before it runs: its dataclasses ask for it
    try:
        exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 — the user's own code
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise  # the user is in a hurry
        raise ConfigError(
            f"{file} cannot be executed: {type(error).__name__}: {error}",
            hint="does it run by itself? are its packages installed?",
        ) from error
    return UserCode(file, source, module)
