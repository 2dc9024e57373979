"""The project's folder, as the pages Configure and Train see it."""

from importlib.util import find_spec
from pathlib import Path

from lightmodel.config.load import Loaded, load
from lightmodel.errors import LightModelError, NotPossible

_HINT = (
    "start the console where config.toml is (`make console`), or mount that folder into its container and "
    "make it the working directory"
)


def open_project() -> Loaded:
    """Return the settings of the folder in which the console was started.

    Raises:
        NotPossible: there is no project here, or its settings cannot be edited.
        ConfigError: its settings are not valid.
    """
    loaded = load()
    if not loaded.file.exists():
        message = (
            f"The console does not see the project: there is no {loaded.file.name} in {Path.cwd()}"
        )
        raise NotPossible(message, hint=_HINT)
    if find_spec("tomlkit") is None:
        raise NotPossible(
            "The settings cannot be edited here, for tomlkit is not installed",
            hint="`pip install -r requirements.txt`, or `make console`",
        )
    return loaded


def can_train() -> bool:
    """Return whether tables can be read and models trained here."""
    return all(map(find_spec, ("pyarrow", "pandas", "sklearn", "matplotlib")))


def sentence(error: LightModelError) -> str:
    """Return an error as a sentence, with what to do."""
    message = error.message.rstrip(".")
    hint = f"{error.hint[:1].upper()}{error.hint[1:]}".rstrip(".")
    return f"{message}. {hint}." if hint else f"{message}."
