"""What all sections have in common, the masking of secrets in addresses, and names of earlier versions."""

import re

from pydantic import BaseModel, ConfigDict

_USER = re.compile(r"(?<=://)[^/?#\s]+@")
_QUERY = re.compile(
    r"(?i)([?&](?:[\w-]*(?:sig|signature|token|key|secret|password|credential)[\w-]*)=)[^&\s'\"]+"
)

# earlier name → name; configurations, manifests and pickled models of earlier versions have it
RENAMED_MODULES = {
    "lightmodel.adapters.learners.scaled_target": "lightmodel.learners.scaled_target"
}


class Section(BaseModel):
    """One table of config.toml: frozen, and closed to misspelt keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def redacted(text: str) -> str:
    """Return `text` with the user part and the signing parameters of every URL in it masked."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text))
