"""Settings as they were written, and the mistakes in them, which are all reported together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lightmodel.errors import ConfigError


@dataclass(frozen=True)
class Setting:
    """A setting as it was written, before validation."""

    section: str
    key: str
    value: Any
    origin: str

    @property
    def place(self) -> str:
        """Where it was written, with its full name; the command line says both at once."""
        named = self.origin.rpartition(" ")[2] == self.path
        return self.origin if named else f"{self.origin}: {self.path}"

    @property
    def path(self) -> str:
        """Its full name, such as `train.folds`."""
        return f"{self.section}.{self.key}"


class Mistake(NamedTuple):
    """One mistake.

    Attributes:
        place: where it was made, such as "config.toml: train.folds".
        problem: what was found, and what is allowed.
        path: full name of the setting, such as "train.folds"; "" if it is about none.
    """

    place: str
    problem: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def config_error(mistakes: Sequence[Mistake]) -> ConfigError:
    """Return the error that lists all mistakes; its `mistakes` are their problems by setting."""
    head = f"the configuration has {len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}:"
    lines = "\n".join(f"  - {mistake}" for mistake in mistakes)
    by_path = tuple((mistake.path, mistake.problem) for mistake in mistakes)
    hint = "docs/config.md lists every setting"
    return ConfigError(f"{head}\n{lines}", hint=hint, mistakes=by_path)
