"""Settings of libraries that read nothing but the environment."""

import os
from collections.abc import Mapping


def preset(settings: Mapping[str, str]) -> None:
    """Put values into this process's environment, where the user has put none."""
    for name, value in settings.items():
        os.environ.setdefault(name, value)
