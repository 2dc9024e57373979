"""Where an artefact comes from: the commit of the code, and the Python that runs it."""

import platform
import subprocess
from collections.abc import Iterable

from lightmodel.artefacts.fingerprint import versions

_DESCRIBE = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def commit() -> str | None:
    """Give the commit of the working folder, with "-dirty" after it, or None without git."""
    try:
        found = subprocess.run(  # noqa: S603 — a constant command
            _DESCRIBE, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def requirements(distributions: Iterable[str]) -> str:
    """Write exact pins, one a line."""
    return "".join(f"{name}=={version}\n" for name, version in versions(distributions).items())


def python_environment() -> str:
    """Write MLflow's python_env.yaml for the Python that runs, beside a requirements.txt."""
    pip = versions(["pip"])["pip"]
    return (
        f"python: {platform.python_version()}\n"
        f"build_dependencies:\n- pip=={pip}\n"
        "dependencies:\n- -r requirements.txt\n"
    )
