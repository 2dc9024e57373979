"""Put parameters into config.toml, leaving comments, order and everything else as they are."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightmodel.config.load import Loaded
from lightmodel.errors import ConfigError

_BOM = "\ufeff"


def writable_file(loaded: Loaded, path: Path | None) -> Path:
    """Give the file that train.parameters can be written to.

    Raises:
        ConfigError: they come from elsewhere, which would go before the file.
    """
    file = (path or Path("config.toml")).resolve()
    origin = loaded.origins.get("train.parameters", "")
    if origin.startswith(("--set", "LIGHTMODEL__")):
        raise ConfigError(
            f"--write cannot work: train.parameters comes from {origin.split()[0]}, before any file",
            hint=f"leave it out, or put its value into {file.name}",
        )
    return file


def with_parameters(text: str, parameters: Mapping[str, Any]) -> str:
    """Give the text of a config.toml with train.parameters being exactly these.

    Raises:
        ConfigError: the file is laid out so that it cannot be changed safely.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        train = document.setdefault("train", tomlkit.table())
        table = train.setdefault("parameters", tomlkit.inline_table())
        for name in [name for name in table if name not in parameters]:
            del table[name]
        for name, value in parameters.items():
            if name not in table or table[name] != value:
                table[name] = value
        written = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, AttributeError):
        written = ""
    if not _means(written, text, parameters):
        values = ", ".join(
            f"{name} = {tomlkit.item(value).as_string()}" for name, value in parameters.items()
        )
        raise ConfigError(
            "the file is laid out so that it cannot be changed without touching other settings",
            hint=f"put in by hand, under [train]: parameters = {{{values}}}",
        )
    return written


def _means(written: str, before: str, parameters: Mapping[str, Any]) -> bool:
    """Say whether the new text is the old one but for the parameters."""
    try:
        new, old = tomllib.loads(written), tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return False
    old.setdefault("train", {})["parameters"] = dict(parameters)
    return new == old


def read_text(file: Path) -> str:
    """Read a file of settings with its line ends; "" where there is none."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return opened.read()
    except FileNotFoundError:
        return ""


def rewritten(file: Path, parameters: Mapping[str, Any]) -> bytes:
    """Give the new content of a config.toml.

    Raises:
        ConfigError: as `with_parameters` does.
    """
    text = read_text(file)
    mark = _BOM if text.startswith(_BOM) else ""
    return (mark + with_parameters(text.removeprefix(_BOM), parameters)).encode()
