"""Matrices in mapped files: numbers like any others, and room on the disk from the start."""

import os
from pathlib import Path

import numpy as np
import pytest

from lightmodel.contract import matrices
from lightmodel.errors import StorageFull
from lightmodel.tables.mapped_matrices import mapped_matrix, new_matrix
from tests.fakes.small_files import small_files

ROWS, COLUMNS = 70_000, 3  # 1.7 MB


@pytest.mark.parametrize("system", ["Linux", "macOS"])
def test_a_mapped_matrix_keeps_what_is_written(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "macOS":
        monkeypatch.delattr(os, "posix_fallocate")
    numbers = np.arange(ROWS * COLUMNS, dtype=np.float64).reshape(ROWS, COLUMNS)
    matrix = mapped_matrix(ROWS, COLUMNS, tmp_path / "work")
    assert not matrix.any()
    matrix[:] = numbers
    assert type(matrix) is np.ndarray
    assert np.array_equal(matrix, numbers)
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize("system", ["Linux", "macOS"])
def test_a_full_disk_is_an_error_before_anything_is_written(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "macOS":
        monkeypatch.delattr(os, "posix_fallocate")
    with small_files(1 << 16), pytest.raises(StorageFull):
        mapped_matrix(ROWS, COLUMNS, tmp_path)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 5)])
def test_a_large_matrix_is_in_a_file_and_column_major_like_a_small_one(
    shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = new_matrix(*shape, tmp_path / "work")
    assert not (tmp_path / "work").exists()
    monkeypatch.setattr(matrices, "LARGE_CELLS", -1)
    large = new_matrix(*shape, tmp_path / "work")
    assert (tmp_path / "work").exists()
    for matrix in (small, large):
        assert matrix.shape == shape
        assert matrix.flags.f_contiguous
