"""Environment variables for child processes and for libraries."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pydantic import SecretStr

from lightmodel.config.base import Section
from lightmodel.config.load import FILE_SUFFIX, FILE_VARIABLE, PREFIX, Config, is_secret
from lightmodel.errors import ConfigError

AnySection = TypeVar("AnySection", bound=Section)

PROJECT = Path(__file__).parents[2]
_SECRET_VARIABLE = re.compile(r"(PASSWORD|SECRET|TOKEN|CREDENTIALS|CONNECTION_STRING|_KEY)$")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_SHORTEST_SECRET = 4  # a shorter one would be found in every line
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def child_environment(settings: Mapping[str, Section]) -> dict[str, str]:
    """Return the environment of a child process that shall use these sections, secrets included.

    Other sections are inherited as this process's environment sets them. PYTHONPATH is extended so that
    the process finds the package in any working directory.
    """
    inherited_path = os.environ.get("PYTHONPATH")
    paths = os.pathsep.join([str(PROJECT), *([inherited_path] if inherited_path else [])])
    variables = {
        f"{PREFIX}{name}__{key}".upper(): _text(value)
        for name, section in settings.items()
        for key, value in section
        if value is not None
    }
    files = {f"{name}{FILE_SUFFIX}" for name in variables}
    inherited = {name: value for name, value in os.environ.items() if name not in files}
    return {**inherited, "PYTHONPATH": paths, **variables}


def service_environment(path: Path | None, sets: Sequence[str]) -> dict[str, str]:
    """Return the environment of a process that shall read the same settings as --config and --set."""
    variables = {FILE_VARIABLE: str(path.absolute())} if path else {}
    for item in sets:
        name, _, value = item.partition("=")
        variables[f"{PREFIX}{name.strip().replace('.', '__')}".upper()] = value
    return {**os.environ, **variables}


def without_secrets(section: AnySection) -> AnySection:
    """Return a section without its secrets, for a process that does not need them."""
    secrets = [name for name, field in type(section).model_fields.items() if is_secret(field)]
    return section.model_copy(update=dict.fromkeys(secrets))


def secret_values(config: Config) -> frozenset[str]:
    """Return what no log may hold: the secrets among the settings, and those of libraries such as AWS_…."""
    return frozenset(value for value in _secret_values(config) if len(value) >= _SHORTEST_SECRET)


def _secret_values(config: Config) -> Iterator[str]:
    for _, section in config:
        for _, value in section:
            if isinstance(value, SecretStr):
                yield value.get_secret_value()
                yield from map(str.strip, value.get_secret_value().splitlines())
    for receiver in config.notify.receivers:
        for name in _REFERENCE.findall(" ".join(receiver.urls)):
            yield from map(str.strip, (_variable(name) or "").splitlines())
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name):
            yield value


def filled_in(url: str) -> str:
    """Return a URL with the value of each ${NAME}, which is quoted unless it is all of the URL.

    Raises:
        ConfigError: neither NAME nor NAME_FILE is set.
    """
    values = {name: _variable(name) for name in _REFERENCE.findall(url)}
    for name, value in values.items():
        if value is None:
            raise ConfigError(
                f"the URL of a receiver needs {name}, which is not set",
                hint=f"set {name} in the environment, or {name}{FILE_SUFFIX} to the path of a file",
            )
    if whole := _REFERENCE.fullmatch(url):
        return values[whole[1]] or ""
    return _REFERENCE.sub(lambda found: quote(values[found[1]] or "", safe=""), url)


def _variable(name: str) -> str | None:
    """Return a variable of the environment, or the content of the file that NAME_FILE names."""
    if name in os.environ:
        return os.environ[name]
    file = os.environ.get(f"{name}{FILE_SUFFIX}")
    try:
        return Path(file).read_text(encoding="utf-8").strip() if file else None
    except (OSError, UnicodeDecodeError):
        return None


def workers_folder() -> str:
    """Return the folder in which the workers of one service share numbers; "" for a single process."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value, default=dict) if isinstance(value, tuple) else str(value)


def preset(variables: Mapping[str, str]) -> None:
    """Set variables that a library reads when it is imported, unless the user has set them."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def export(variables: Mapping[str, str]) -> None:
    """Set variables that a library reads only from the environment."""
    os.environ.update(variables)


def limit_native_threads(count: int) -> None:
    """Limit native libraries that are loaded from now on to `count` threads."""
    export(dict.fromkeys(_THREAD_VARIABLES, str(count)))
