"""What all sections have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of config.toml: frozen, and closed to misspelt keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
