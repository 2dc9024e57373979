"""Where an artefact comes from: the commit of the code, and the Python that runs it."""

import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from lightmodel.store.fingerprint import versions

_DESCRIBE = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def commit() -> str | None:
    """Give the commit of the working folder, with "-dirty" after it; None where nobody knows it."""
    try:
        found = subprocess.run(  # noqa: S603 — a constant command
            _DESCRIBE, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return _commit_of_image()
    return found.stdout.strip() or None


def _commit_of_image() -> str | None:
    """Read what the Dockerfile wrote down: an image holds neither git nor a repository."""
    try:
        return (Path(__file__).parents[2] / "COMMIT").read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def machine() -> dict[str, str]:
    """Say what kind of machine this is: a model's bytes are the same on the same kind."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def requirements(distributions: Iterable[str]) -> str:
    """Write exact pins, one a line."""
    return "".join(f"{name}=={version}\n" for name, version in versions(distributions).items())


def python_environment() -> str:
    """Write MLflow's python_env.yaml for the Python that runs, beside a requirements.txt."""
    try:
        pip = f"pip=={metadata.version('pip')}"
    except metadata.PackageNotFoundError:  # images and uv's environments do without it
        pip = "pip"
    return (
        f"python: {platform.python_version()}\n"
        f"build_dependencies:\n- {pip}\n"
        "dependencies:\n- -r requirements.txt\n"
    )
