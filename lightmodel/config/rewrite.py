"""Change values in a file of settings, and nothing else of it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lightmodel.config.load import load
from lightmodel.errors import ConfigError


def rewrite(file: Path, section: str, values: Mapping[str, Any]) -> None:
    """Set values of one section; comments, order and everything else stay as they are.

    The file is replaced in one step, once the new one is known to be a valid configuration. A file
    that is not there is made.

    Args:
        file: of settings, TOML.
        section: such as "train".
        values: key → value, in JSON's types; None takes a key out.

    Raises:
        ConfigError: the file cannot be read or written, or would not be valid with these values.
    """
    try:
        before = file.read_bytes().decode("utf-8-sig") if file.exists() else ""
        changed = _changed(before, section, values)
        _replace(file, changed)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be changed: {error.strerror or error}") from error
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from error


def _changed(text: str, section: str, values: Mapping[str, Any]) -> str:
    document = tomlkit.parse(text)
    if section not in document:
        if text and not text.endswith("\n\n"):
            document.add(tomlkit.nl())
        document.add(section, tomlkit.table())
    table = document[section]
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = _item(value)
    return tomlkit.dumps(document)


def _item(value: Any) -> Any:  # noqa: ANN401 — any of TOML's types
    """Write a table in one line; a list of tables, one table a line."""
    if isinstance(value, Mapping):
        made = tomlkit.inline_table()
        made.update({key: _item(one) for key, one in value.items() if one is not None})
        return made
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_item(one) for one in value)
        return array.multiline(any(isinstance(one, Mapping) for one in value))
    return tomlkit.item(value)


def _replace(file: Path, text: str) -> None:
    target = file.resolve()  # a link stays one
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        load(part, environ={})
        if target.exists():
            part.chmod(target.stat().st_mode)
        part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
