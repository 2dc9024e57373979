"""The base class of sections, the masking of secrets in URLs, and renamed modules and settings."""

import os
import re
from collections.abc import Mapping

# or it looks through all installed packages for plugins, which takes as long as the rest of its import
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

from pydantic import BaseModel, ConfigDict

_USER = re.compile(r"(?<=://)[^/?#\s]+@")
_QUERY = re.compile(
    r"(?i)([?&](?:[\w-]*(?:sig|signature|token|key|secret|password|credential)[\w-]*)=)[^&\s'\"]+"
)

# the rest of a URL with ${NAME} in it, up to the end of its string
_LETTER = r"(?:(?!['\"]\s*(?:[,\]#]|$))[^\n])"
_TEMPLATE = re.compile(rf"(?m)(?<=://)(?={_LETTER}*\$\{{){_LETTER}+")
_VARIABLE = re.compile(r"\$\{\w+\}")

# old → new name; configurations, manifests and pickled models of earlier versions use the old one
RENAMED_MODULES = {
    "lightmodel.adapters.learners.scaled_target": "lightmodel.learners.scaled_target"
}

# old → new name of a setting; the old names are valid until release 0.2
RENAMED_SETTINGS = {
    "data.missing": "data.na_values",
    "tune.startup": "tune.n_startup_trials",
    "tune.keep_share": "tune.pruner_percentile",
    "serve.max_megabytes": "serve.max_body_mb",
    "serve.max_whole_megabytes": "serve.max_buffered_mb",
    "serve.max_seconds": "serve.request_timeout_s",
    "serve.stall_seconds": "serve.read_timeout_s",
    "serve.look_every_s": "serve.reload_interval_s",
    "serve.graceful_seconds": "serve.graceful_timeout_s",
    "serve.keepalive_seconds": "serve.keepalive_s",
    "log.spool_megabytes": "log.spool_mb",
    "deploy.ready_seconds": "deploy.ready_timeout_s",
    "deploy.watch_seconds": "deploy.watch_s",
    "azure.start_seconds": "azure.start_timeout_s",
}

# old name of a setting → what does the same; the old names are valid until release 0.2
REPLACED_SETTINGS = {
    "notify.urls": "the tables [[notify]] of the settings file, with urls and events",
    "notify.timeout_s": "timeout_s in the tables [[notify]] of the settings file",
}


class Section(BaseModel):
    """One section of config.toml; it is immutable, and rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def word_or_table(value: object) -> str:
    """Return the tag of the type that a value is meant for: only one type complains of a mistake."""
    return "table" if isinstance(value, Mapping | BaseModel) else "word"


def redacted(text: str) -> str:
    """Return `text` with the user names, passwords and secret parameters of its URLs masked."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text))


def redacted_settings(text: str) -> str:
    """Return `text`, such as that of a settings file, with what may be secret in its URLs masked.

    Of a URL with the value of a variable, such as `mailtos://me:${PASSWORD}@example.org`, only the scheme
    and the names of variables are kept: receivers of notifications have secrets in any part of it.
    """
    return redacted(_TEMPLATE.sub(_without_literals, text))


def _without_literals(match: re.Match[str]) -> str:
    return "***".join(["", *_VARIABLE.findall(match[0]), ""])
