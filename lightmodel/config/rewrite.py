"""Change values in a file of settings, leaving comments, order and everything else as they are."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lightmodel.config.load import Loaded, load
from lightmodel.errors import ConfigError
from lightmodel.files import atomic_path

_BOM = "\ufeff"


def writable_file(loaded: Loaded, path: Path | None, section: str, keys: Collection[str]) -> Path:
    """Return the file that some settings can be written to.

    Args:
        loaded: the settings in force.
        path: of the file that they were read from; None: config.toml.
        section: such as "train".
        keys: of the section.

    Raises:
        ConfigError: one of them comes from elsewhere, which would go before the file; or the file
            cannot be changed safely.
    """
    file = (path or Path("config.toml")).resolve()
    for key in (f"{section}.{name}" for name in keys):
        origin = loaded.origins.get(key, "")
        if origin.startswith(("--set", "LIGHTMODEL__")):
            raise ConfigError(
                f"--write cannot work: {key} comes from {origin.split()[0]}, before any file",
                hint=f"leave it out, or put its value into {file.name}",
            )
    rewritten(file, section, getattr(loaded.config, section).model_dump(include=set(keys)))
    return file


def rewrite(file: Path, section: str, values: Mapping[str, Any]) -> None:
    """Set values of one section.

    The file is replaced in one step, once the new one is known to be a valid configuration. A file
    that is not there is made.

    Args:
        file: of settings, TOML.
        section: such as "train".
        values: key → value, in JSON's types; None takes a key out.

    Raises:
        ConfigError: the file cannot be read or written, or would not be valid with these values.
    """
    text = rewritten(file, section, values)
    target = file.resolve()  # a link stays one
    with atomic_path(target) as part:
        part.write_bytes(text.encode())
        load(part, environ={})
        if target.exists():
            part.chmod(target.stat().st_mode)


def rewritten(file: Path, section: str, values: Mapping[str, Any]) -> str:
    """Return the text that `rewrite` would write.

    Raises:
        ConfigError: the file cannot be read, or is laid out so that it cannot be changed safely.
    """
    try:
        before = file.read_bytes().decode("utf-8") if file.exists() else ""
        document = tomlkit.parse(before.removeprefix(_BOM))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from error
    try:
        _change(document, section, values)
        text = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, AttributeError):
        text = ""
    if not _means(text, before.removeprefix(_BOM), section, values):
        shown = "\n".join(
            f"  {key} = {toml_item(value).as_string()}" for key, value in values.items()
        )
        raise ConfigError(
            f"{file.name} is laid out so that it cannot be changed without touching other settings",
            hint=f"put in by hand, under [{section}]:\n{shown}",
        )
    return (_BOM if before.startswith(_BOM) else "") + text


def _change(document: tomlkit.TOMLDocument, section: str, values: Mapping[str, Any]) -> None:
    if section not in document:
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


def _means(text: str, before: str, section: str, values: Mapping[str, Any]) -> bool:
    """Return whether the new text is the old one but for the values."""
    try:
        new, wanted = tomllib.loads(text), tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return False
    inside = wanted.setdefault(section, {})
    for key, value in values.items():
        if value is None:
            inside.pop(key, None)
        else:
            inside[key] = _plain(value)
    return new == wanted


def _plain(value: Any) -> Any:  # noqa: ANN401 — any of TOML's types
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
