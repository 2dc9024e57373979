"""Change values of `[train]` in a settings file, and keep its comments, order and other settings."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lightmodel.config.load import Loaded, load
from lightmodel.errors import ConfigError
from lightmodel.files import atomic_path

_BOM = "\ufeff"
_SECTION = "train"
_WRITABLE = ("estimator", "parameters")  # the results of a search or a comparison


def writable_file(loaded: Loaded) -> Path:
    """Return the settings file, after a check that train.estimator and train.parameters can be written.

    Raises:
        ConfigError: the environment or the command line overrides one of them, or the file cannot be
            changed safely.
    """
    file = loaded.file.resolve()
    for key in (f"{_SECTION}.{name}" for name in _WRITABLE):
        origin = loaded.origins.get(key, "")
        if origin.startswith(("--set", "LIGHTMODEL__")):
            raise ConfigError(
                f"--write cannot work: {origin.split()[0]} overrides {key}",
                hint=f"leave it out, or move its value to {file.name}",
            )
    _rewritten(file, loaded.config.train.model_dump(include=set(_WRITABLE)))
    return file


def rewrite(file: Path, values: Mapping[str, Any]) -> None:
    """Set keys of `[train]` to values of JSON types.

    The file is replaced atomically, after the new one was checked to be a valid configuration; a
    missing file is created.

    Raises:
        ConfigError: the file cannot be read or written, or would not be valid with these values.
    """
    text = _rewritten(file, values)
    target = file.resolve()  # so that a symbolic link is kept
    with atomic_path(target) as part:
        part.write_bytes(text.encode())
        load(part, environ={})
        if target.exists():
            part.chmod(target.stat().st_mode)


def _rewritten(file: Path, values: Mapping[str, Any]) -> str:
    """Return the file's new text, in which only these values differ.

    Raises:
        ConfigError: the file cannot be read, or its layout prevents a safe change.
    """
    try:
        before = file.read_bytes().decode("utf-8") if file.exists() else ""
        document = tomlkit.parse(before.removeprefix(_BOM))
        expected = tomllib.loads(before.removeprefix(_BOM))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (TOMLKitError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from error
    items = {key: toml_item(value) for key, value in values.items()}
    expected.setdefault(_SECTION, {}).update({key: item.unwrap() for key, item in items.items()})
    try:
        _change(document, values)
        text = tomlkit.dumps(document)
        is_safe = tomllib.loads(text) == expected
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, AttributeError):
        is_safe = False
    if not is_safe:
        lines = "\n".join(f"  {key} = {item.as_string()}" for key, item in items.items())
        raise ConfigError(
            f"{file.name} has a layout in which these settings cannot be changed without others",
            hint=f"add these lines by hand, under [{_SECTION}]:\n{lines}",
        )
    return (_BOM if before.startswith(_BOM) else "") + text


def _change(document: tomlkit.TOMLDocument, values: Mapping[str, Any]) -> None:
    if _SECTION not in document:
        if document.as_string() and not document.as_string().endswith("\n\n"):
            document.add(tomlkit.nl())
        document.add(_SECTION, tomlkit.table())
    table: Any = document[_SECTION]
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(table.get(key), Mapping):
            _update(table[key], value)
        else:
            table[key] = toml_item(value)


def _update(table: Any, values: Mapping[str, Any]) -> None:  # noqa: ANN401 — any table of tomlkit
    """Replace the content of a table, and keep the comments of unchanged keys."""
    for name in [name for name in table if name not in values]:
        del table[name]
    for name, value in values.items():
        if name not in table or table[name] != value:
            table[name] = toml_item(value)


def toml_item(value: Any) -> Any:  # noqa: ANN401 — any TOML type
    """Return a value as a tomlkit item: tables inline, and lists of tables with one table per line."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update({key: toml_item(item) for key, item in value.items() if item is not None})
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(toml_item(item) for item in value)
        return array.multiline(any(isinstance(item, Mapping) for item in value))
    return tomlkit.item(value)
