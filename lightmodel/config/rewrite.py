"""Change values of `[train]` in a file of settings, leaving comments, order and all else as they are."""

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
_CHOSEN = ("estimator", "parameters")  # what a search or a comparison finds


def writable_file(loaded: Loaded) -> Path:
    """Return the file of the settings, to which train.estimator and train.parameters can be written.

    Raises:
        ConfigError: one of them comes from elsewhere, which would go before the file; or the file
            cannot be changed safely.
    """
    file = loaded.file.resolve()
    for key in (f"{_SECTION}.{name}" for name in _CHOSEN):
        origin = loaded.origins.get(key, "")
        if origin.startswith(("--set", "LIGHTMODEL__")):
            raise ConfigError(
                f"--write cannot work: {key} comes from {origin.split()[0]}, before any file",
                hint=f"leave it out, or put its value into {file.name}",
            )
    _rewritten(file, loaded.config.train.model_dump(include=set(_CHOSEN)))
    return file


def rewrite(file: Path, values: Mapping[str, Any]) -> None:
    """Set values of `[train]`, in JSON's types.

    The file is replaced in one step, once the new one is known to be a valid configuration. A file
    that is not there is made.

    Raises:
        ConfigError: the file cannot be read or written, or would not be valid with these values.
    """
    text = _rewritten(file, values)
    target = file.resolve()  # a link stays one
    with atomic_path(target) as part:
        part.write_bytes(text.encode())
        load(part, environ={})
        if target.exists():
            part.chmod(target.stat().st_mode)


def _rewritten(file: Path, values: Mapping[str, Any]) -> str:
    """Return the file's new text, which means the same but for the values.

    Raises:
        ConfigError: the file cannot be read, or is laid out so that it cannot be changed safely.
    """
    try:
        before = file.read_bytes().decode("utf-8") if file.exists() else ""
        document = tomlkit.parse(before.removeprefix(_BOM))
        wanted = tomllib.loads(before.removeprefix(_BOM))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (TOMLKitError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from error
    items = {key: toml_item(value) for key, value in values.items()}
    wanted.setdefault(_SECTION, {}).update({key: item.unwrap() for key, item in items.items()})
    try:
        _change(document, values)
        text = tomlkit.dumps(document)
        is_same = tomllib.loads(text) == wanted
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, AttributeError):
        is_same = False
    if not is_same:
        shown = "\n".join(f"  {key} = {item.as_string()}" for key, item in items.items())
        raise ConfigError(
            f"{file.name} is laid out so that it cannot be changed without touching other settings",
            hint=f"put in by hand, under [{_SECTION}]:\n{shown}",
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
    """Make a table hold exactly these, keeping the comments of what stays."""
    for name in [name for name in table if name not in values]:
        del table[name]
    for name, value in values.items():
        if name not in table or table[name] != value:
            table[name] = toml_item(value)


def toml_item(value: Any) -> Any:  # noqa: ANN401 — any of TOML's types
    """Return a value as tomlkit writes it: a table in one line; of a list of tables, one table a line."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update({key: toml_item(one) for key, one in value.items() if one is not None})
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(toml_item(one) for one in value)
        return array.multiline(any(isinstance(one, Mapping) for one in value))
    return tomlkit.item(value)
