"""`train` and `testing` need little memory, however large the split: the system sets the limit."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store
from tests.fakes.project import ROOT, Project

LIMIT_MB, COLUMNS, GROUP = 950, 100, 50_000
# Else memory is reserved that is never used, for the processors of a machine: all of it counts.
COUNTED = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}
PARTS = {"train": 2_000_000, "test": 1_000_000}
SETTINGS = """
[data]
target = "y"
[train]
folds = 2
threads = 1
compile = "never"
parameters = {num_leaves = 4, max_rounds = 3, bin_construct_sample_cnt = 20_000}
[gate]
bootstrap = 0
"""


def groups(rows: int, seed: int) -> Iterator[pa.Table]:
    """Yield numbers, the first of which tells the target."""
    random = np.random.default_rng(seed)
    for _ in range(0, rows, GROUP):
        numbers = random.integers(0, 1_000, (COLUMNS, GROUP)) / 8
        target = (numbers[0] + random.normal(0, 20, GROUP) > 70).astype(np.int64)
        yield pa.table({**{f"x{at}": one for at, one in enumerate(numbers)}, "y": target})


def write_split() -> None:
    """Make a split of few rows, and publish one like it of many."""
    arrow_csv.write_csv(next(groups(GROUP, 0)), "few.csv")
    ran = Project(Path.cwd()).run("--set", "data.source=few.csv", script="preprocess.py")
    assert ran.code == 0, ran.err
    splits = Store(Path("preprocessed"), "split", Signer(None))
    few = splits.newest()
    with splits.draft() as draft:
        for name in few.manifest.files.keys() - {"train.csv", "test.csv"}:
            draft.write(name, few.read(name))
        for part, rows in PARTS.items():
            with (
                draft.path(f"{part}.parquet") as path,
                parquet.ParquetWriter(path, next(groups(GROUP, 0)).schema) as writer,
            ):
                for group in groups(rows, 1):
                    writer.write_table(group)
        known = few.manifest
        draft.publish(
            inputs=known.inputs,
            parameters=known.parameters,
            rows=PARTS,
            fingerprint="",
            contract=known.contract,
        )


def limit_memory() -> None:
    """Limit what this process may allocate; libraries and mapped files do not count."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MB << 20, LIMIT_MB << 20))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))  # of each thread


def test_a_split_of_thrice_the_memory_is_trained_and_tested() -> None:
    assert 2 * PARTS["train"] * COLUMNS * 8 > 3 * (LIMIT_MB << 20)  # and the table is as large
    Path("config.toml").write_text(SETTINGS, encoding="utf-8")
    write_split()
    for script in ("train.py", "testing.py"):
        ran = subprocess.run(
            [sys.executable, str(ROOT / script)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **COUNTED},
            capture_output=True,
            text=True,
            preexec_fn=limit_memory,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
    assert not [path for path in Path("var").rglob("*") if path.is_file()]
