"""`preprocess` needs little memory, however large the table: the system sets the limit."""

import io
import os
import resource
import signal
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from pyarrow import parquet

from tests.fakes.project import ROOT, Project
from tests.fakes.waiting import wait_until

LIMIT_MB, TABLE_MB = 450, 900
COLUMNS, ROWS, ROUND = 122, 1_000_000, 20_000
SETTINGS = """
[data]
source = "rows.{}"
[tracking]
uri = "none"
"""


def features() -> pa.Table:
    """Return the features and the target of the first rows, which the others repeat."""
    random = np.random.default_rng(0)
    target = random.integers(0, 2, ROUND)
    numbers = {
        f"x{at}": (random.standard_normal(ROUND) + 0.1 * target).round(5) for at in range(COLUMNS)
    }
    places = random.choice(["web", "shop", "phone"], ROUND)
    return pa.table({"place": places, "target": target, **numbers})


def write_csv(path: Path) -> None:
    text = io.BytesIO()
    arrow_csv.write_csv(features(), text, arrow_csv.WriteOptions(quoting_style="none"))
    header, *lines = text.getvalue().splitlines(keepends=True)
    with path.open("wb") as file:
        file.write(b"row_id," + header)
        for start in range(0, ROWS, ROUND):
            file.writelines(b"r%d,%b" % (start + at, line) for at, line in enumerate(lines))


def write_parquet(path: Path) -> None:
    part = features()
    schema = part.schema.insert(0, pa.field("row_id", pa.string()))
    with parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, ROWS, ROUND):
            ids = pa.array([f"r{row}" for row in range(start, start + ROUND)])
            writer.write_table(part.add_column(0, "row_id", ids))


# Arrow's own pool reserves much more than it uses, which the limit counts
PLAIN_POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
FORMATS = {"csv": write_csv, "parquet": write_parquet}


def limit_memory() -> None:
    """Limit what this process may allocate; libraries and mapped files do not count."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MB << 20, LIMIT_MB << 20))


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_of_twice_the_memory_is_split(tmp_path: Path, form: str) -> None:
    path, project = tmp_path / f"rows.{form}", Project(tmp_path)
    FORMATS[form](path)
    assert path.stat().st_size > TABLE_MB << 20
    project.settings(SETTINGS.format(form))
    ran = subprocess.run(
        project.command("preprocess"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **PLAIN_POOL},
        capture_output=True,
        text=True,
        preexec_fn=limit_memory,
        check=False,
    )
    path.unlink()
    assert ran.returncode == 0, ran.stderr
    assert f"{ROWS:,} rows" in ran.stderr
    split = project.splits()[-1]
    for part in split.glob("t*.csv"):
        part.unlink()


def test_killed_in_the_middle_it_leaves_nothing_behind(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.settings(SETTINGS.format("csv").replace("rows.csv", "sample://santander?rows=60000"))
    with project.started("preprocess") as process:
        maps = Path(f"/proc/{process.pid}/maps")
        wait_until(
            lambda: f"{tmp_path}/var/" in maps.read_text(),
            "a mapped file",
            process=process,
            seconds=300,
            interval_s=0.01,
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = {path.name for path in (tmp_path / "var").rglob("*") if path.is_file()}
    assert kept == {".lock", "source.json", "santander-rows60000-seed0.csv"}
    ran = project.run("preprocess")
    assert ran.code == 0, ran.err
