"""`preprocess` of a source that counts as small, and as large: the two ways that must agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.errors import LightModelError
from lightmodel.pipeline.context import RunContext
from lightmodel.pipeline.preprocess import run_preprocess
from lightmodel.progress import SilentProgress
from lightmodel.store.versions import splits_of
from lightmodel.tables import json_table, reading

BOUNDS = {"in memory": 1 << 60, "mapped": 0}


@dataclass(frozen=True)
class Preprocessed:
    """The bytes of a split's files by name, or what the error says.

    Attributes:
        mapped: whether a file was mapped on the way, of which nothing else is to be seen.
    """

    files: Mapping[str, bytes]
    error: tuple[str, str, str] = ("", "", "")
    mapped: bool = field(default=False, compare=False)


def preprocessed_both_ways(
    monkeypatch: pytest.MonkeyPatch, folder: Path, source: str, *sets: str
) -> tuple[Preprocessed, Preprocessed]:
    """Return what both ways make of the table that `source` names in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(json_table, "BLOCK_BYTES", 1 << 12)
    small, large = (
        _preprocessed(monkeypatch, folder, way, f"data.source={source}", *sets) for way in BOUNDS
    )
    return small, large


def _preprocessed(
    monkeypatch: pytest.MonkeyPatch, folder: Path, way: str, *sets: str
) -> Preprocessed:
    monkeypatch.setattr(reading, "IN_MEMORY_BYTES", BOUNDS[way])
    root, work = folder / way, folder / way / "work"
    config = load(None, (*sets, f"store.root={root}", f"store.work={work}")).config
    try:
        outcome = run_preprocess(RunContext(config, SilentProgress()), {})
    except LightModelError as error:
        return Preprocessed({}, (type(error).__name__, error.message, error.hint), work.exists())
    assert not work.exists() or not list(work.iterdir())
    version = splits_of(config).get(outcome.version)
    contents = {name: version.file(name).read_bytes() for name in version.manifest.files}
    return Preprocessed(contents, mapped=work.exists())
