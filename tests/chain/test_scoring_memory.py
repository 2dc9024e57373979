"""`score` needs little memory, however large the file: the system sets the limit."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.fakes.project import ROOT, Project
from tests.fakes.streams import visit

LIMIT_MB, FILE_MB, ROWS, ROUND = 300, 600, 150_000, 1_000
REMARK = "A remark that no model reads. " * 140  # 4 kB, so that the file is far beyond the limit


def write_csv(path: Path) -> None:
    with path.open("w") as file:
        file.write("visit_id,age,spent,where,remark\n")
        for start in range(0, ROWS, ROUND):
            file.writelines(
                f"v{row},{20 + row % 50},1.5,web,{REMARK}\n" for row in range(start, start + ROUND)
            )


def write_lines(path: Path) -> None:
    with path.open("wb") as file:
        for row in range(ROWS):
            file.write(orjson.dumps({**visit(row), "remark": REMARK}) + b"\n")


def write_parquet(path: Path) -> None:
    part = [{**visit(row), "remark": REMARK} for row in range(ROUND)]
    table = pa.Table.from_pylist(part)
    with parquet.ParquetWriter(
        path, table.schema, compression="none", use_dictionary=False
    ) as writer:
        for _ in range(0, ROWS, ROUND):
            writer.write_table(table)


FORMATS = {"rows.csv": write_csv, "rows.jsonl": write_lines, "rows.parquet": write_parquet}


def limit_memory() -> None:
    """Limit what this process may allocate; libraries and mapped files do not count."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MB << 20, LIMIT_MB << 20))


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_twice_the_memory_is_scored(approved: Project, name: str) -> None:
    path = approved.folder / name
    FORMATS[name](path)
    assert path.stat().st_size > FILE_MB << 20 > 2 * (LIMIT_MB << 20) - 1
    command = [
        sys.executable,
        "-m",
        "lightmodel",
        "score",
        name,
        "--output",
        "out.csv",
        "--processes",
        "1",
    ]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command,
        cwd=approved.folder,
        env=environ,
        capture_output=True,
        text=True,
        preexec_fn=limit_memory,
        check=False,
    )
    path.unlink()
    assert ran.returncode == 0, ran.stderr
    assert f"{ROWS:,} of {ROWS:,} rows scored" in ran.stdout
