"""Reading the locked requirements, as far as tests need them."""

from collections.abc import Iterator
from pathlib import Path

from tests.fakes.project import ROOT


def locked_files() -> list[Path]:
    """Return every file that `make lock` writes."""
    return [ROOT / "requirements.txt", *sorted((ROOT / "requirements").glob("*.txt"))]


def pins_of(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each requirement of a file without its hashes, and these."""
    for line in file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        requirement, *hashes = line.split("--hash=")
        yield requirement.strip(), [one.strip() for one in hashes]
