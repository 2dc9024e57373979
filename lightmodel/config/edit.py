"""Edit the settings file: validate the edits, show the difference, and write them if nobody else has."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightmodel.config.load import Config, Loaded, load
from lightmodel.config.rewrite import read_text, replace_file, rewritten
from lightmodel.errors import ConfigError


@dataclass(frozen=True)
class Edit:
    """A valid edit of the settings file, which is not written yet.

    Attributes:
        file: the settings file.
        before: its text, as it was read.
        after: its text with the edit.
        config: the settings in force once it is written.
        overridden: settings that were edited in vain, by name: the environment or the command line that
            sets them.
    """

    file: Path
    before: str
    after: str
    config: Config
    overridden: Mapping[str, str]

    @property
    def diff(self) -> str:
        """The difference, as `diff -u` shows it; "" if there is none."""
        lines = difflib.unified_diff(
            self.before.splitlines(),
            self.after.splitlines(),
            self.file.name,
            f"{self.file.name} (new)",
            lineterm="",
        )
        return "\n".join(lines)

    def save(self) -> None:
        """Write the file, atomically.

        Raises:
            ConfigError: it was changed meanwhile, or cannot be written.
        """
        if read_text(self.file) != self.before:
            raise ConfigError(
                f"{self.file.name} was changed meanwhile, so nothing was written",
                hint="load it again, and repeat the edit",
            )
        replace_file(self.file, self.after)


def edit_values(loaded: Loaded, values: Mapping[str, Any]) -> Edit:
    """Return the edit that sets values of TOML's types by full name; None removes a setting.

    Raises:
        ConfigError: the settings would not be valid; its `mistakes` name each of them.
    """
    sections: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        section, _, key = path.partition(".")
        sections.setdefault(section, {})[key] = value
    before = read_text(loaded.file)
    after = rewritten(before, loaded.file.name, sections)
    new = load(loaded.file, text=after)
    origins = {path: new.origins.get(path, str(loaded.file)) for path in values}
    overridden = {path: one for path, one in origins.items() if one != str(loaded.file)}
    return Edit(loaded.file, before, after, new.config, overridden)


def edit_text(loaded: Loaded, after: str) -> Edit:
    """Return the edit that replaces the whole text.

    Raises:
        ConfigError: the settings would not be valid; its `mistakes` name each of them.
    """
    return Edit(
        loaded.file, read_text(loaded.file), after, load(loaded.file, text=after).config, {}
    )
