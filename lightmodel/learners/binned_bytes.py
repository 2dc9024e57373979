"""A binned table of LightGBM as bytes, for another process: one byte a cell, where the table has eight."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightmodel.learners.lean_lightgbm import lgb

_NAME = "table.bin"


@dataclass(frozen=True)
class BinnedBytes:
    """Bins, target and weights of a table.

    Attributes:
        file: the content of LightGBM's binary file.
        parameters: those that the table was made with, without which LightGBM refuses the file.
    """

    file: bytes
    parameters: Mapping[str, Any]


def bytes_of_binned(dataset: lgb.Dataset) -> BinnedBytes:
    """Return a constructed table as bytes."""
    with tempfile.TemporaryDirectory(prefix="light-model-") as folder:
        path = Path(folder) / _NAME
        dataset.save_binary(path)
        return BinnedBytes(path.read_bytes(), dict(dataset.params or {}))


def binned_from_bytes(binned: BinnedBytes) -> lgb.Dataset:
    """Return the table."""
    with tempfile.TemporaryDirectory(prefix="light-model-") as folder:
        path = Path(folder) / _NAME
        path.write_bytes(binned.file)
        return lgb.Dataset(path, params=dict(binned.parameters)).construct()
