"""Mistakes in the settings, which are all reported together."""

from collections.abc import Sequence
from typing import NamedTuple

from lightmodel.errors import ConfigError


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
