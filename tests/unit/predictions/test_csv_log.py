"""The CSV files of the prediction log, as people open them."""

import csv
import subprocess
import sys
from pathlib import Path

from lightmodel.predictions.csv_file import CsvSink
from tests.fakes.answers import VERSION, answered, at, lines
from tests.fakes.project import ROOT

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from lightmodel.predictions.csv_file import CsvSink
from lightmodel.errors import SourceUnavailable

folder, batch = Path(sys.argv[1]), Path(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    CsvSink(folder).write(batch.read_bytes())
except SourceUnavailable as error:
    sys.exit(str(error))
"""


def test_each_utc_day_has_a_file_with_a_header_and_plain_cells(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path)
    for day in (3, 4, 3):
        rows = answered(f"r{day}", ["a, b"], [0.25], time=at(day, day=day), features={"x": [1.5]})
        sink.write(lines(rows))
    assert [path.name for path in sorted(tmp_path.glob("*.csv"))] == [
        "predictions-2026-01-03.csv",
        "predictions-2026-01-04.csv",
    ]
    with (tmp_path / "predictions-2026-01-03.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "request": "r3",
        "row": "1",
        "time": "2026-01-03T12:00:03.000000Z",
        "version": VERSION,
        "id": "a, b",
        "prediction": "no",
        "probability": "0.25",
        "features": '{"x":1.5}',
    }


def test_half_a_batch_that_a_full_disk_left_is_cut_off_before_the_next_one(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path)
    sink.write(lines(answered("r1", ["a"], [0.5])))
    path = tmp_path / "predictions-2026-01-03.csv"
    before = path.read_bytes()
    big = lines(answered("r2", ["a"] * 1_000, [0.5] * 1_000))
    (tmp_path / "batch").write_bytes(big)
    words = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(tmp_path / "batch")]
    failed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "File too large" in failed.stderr
    assert len(path.read_bytes()) > len(before)
    assert sink.answered() == {VERSION: 1}
    assert path.read_bytes() == before
    assert sink.write(big) == 1_000
    assert path.read_text().count("\n") == 1_002


def test_a_day_that_somebody_took_away_begins_anew(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path)
    sink.write(lines(answered("r1", ["a"], [0.5])))
    (tmp_path / "predictions-2026-01-03.csv").unlink()
    sink.write(lines(answered("r2", ["a"], [0.5])))
    assert sink.answered() == {VERSION: 1}
