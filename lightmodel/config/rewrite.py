"""Change values in a settings file, and keep its comments, order and other settings."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lightmodel.config.load import BOM, Loaded, load
from lightmodel.errors import ConfigError
from lightmodel.files import atomic_path

_SECTION = "train"
_WRITABLE_BITS = 0o222
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
    replace_file(file, _rewritten(file, values))


def _rewritten(file: Path, values: Mapping[str, Any]) -> str:
    return rewritten(read_text(file), file.name, {_SECTION: values})


def replace_file(file: Path, text: str) -> None:
    """Replace a settings file atomically by a text that is a valid configuration.

    Raises:
        ConfigError: the file cannot be written, or would not be valid.
    """
    target = file.resolve()  # so that a symbolic link is kept
    _check_not_protected(target)
    with atomic_path(target, f"change {file.name} by hand") as part:
        part.write_bytes(text.encode())
        load(part, environ={})
        if target.exists():
            part.chmod(target.stat().st_mode)


def _check_not_protected(file: Path) -> None:
    """Raise ConfigError for a file that nobody may write to, though its folder lets it be replaced."""
    if file.exists() and not file.stat().st_mode & _WRITABLE_BITS:
        raise ConfigError(
            f"{file} cannot be written to: it is read-only",
            hint=f"`chmod u+w {file.name}`, or change it by hand",
        )


def read_text(file: Path) -> str:
    """Return the text of a settings file; "" if there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return file.read_bytes().decode("utf-8") if file.exists() else ""
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from error


def rewritten(before: str, name: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the new text of a settings file in which only these values differ; None removes a key.

    Raises:
        ConfigError: it is not valid TOML, or its layout prevents a safe change.
    """
    try:
        document = tomlkit.parse(before.removeprefix(BOM))
        expected = tomllib.loads(before.removeprefix(BOM))
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{name}: is not valid TOML: {error}") from error
    try:
        for section, values in sections.items():
            _expect(expected, section, values)
            _change(document, section, values)
        text = tomlkit.dumps(document)
        is_safe = tomllib.loads(text) == expected
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, AttributeError):
        is_safe = False
    if not is_safe:
        raise ConfigError(
            f"{name} has a layout in which these settings cannot be changed without others",
            hint=f"change these lines by hand:\n{_as_lines(sections)}",
        )
    return (BOM if before.startswith(BOM) else "") + text


def _as_lines(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for section, values in sections.items():
        lines.append(f"  [{section}]")
        for key, value in values.items():
            lines.append(
                f"  # {key}" if value is None else f"  {key} = {toml_item(value).as_string()}"
            )
    return "\n".join(lines)


def _expect(content: dict[str, Any], section: str, values: Mapping[str, Any]) -> None:
    """Change the content of a settings file as the text is to be changed."""
    table = content.setdefault(section, {}) if any(_set(values)) else content.get(section, {})
    table.update({key: toml_item(values[key]).unwrap() for key in _set(values)})
    for key in values.keys() - set(_set(values)):
        table.pop(key, None)


def _set(values: Mapping[str, Any]) -> list[str]:
    """Return the keys that have a value."""
    return [key for key, value in values.items() if value is not None]


def _change(document: tomlkit.TOMLDocument, section: str, values: Mapping[str, Any]) -> None:
    if section not in document:
        if not _set(values):
            return
        if document.as_string() and not document.as_string().endswith("\n\n"):
            document.add(tomlkit.nl())
        document.add(section, tomlkit.table())
    table: Any = document[section]
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(table.get(key), Mapping):
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
