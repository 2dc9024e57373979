"""Evidently's process: what it is given, and every way in which it may fail."""

import sys
from pathlib import Path

import numpy as np
import pytest

from lightmodel.config import WatchSection
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError, LightModelError, NotPossible
from lightmodel.watch.evidently.pages import make_pages
from lightmodel.watch.evidently.tables import LabelledTable, labelled_table
from lightmodel.watch.labelled import LabelledRows
from tests.fakes.waiting import LONGEST_S
from tests.unit.watch.watch_samples import MIXED


@pytest.fixture
def table() -> LabelledTable:
    target = np.array([0.0, 1.0])
    rows = LabelledRows(
        Task(TaskKind.BINARY), np.array(["a", "b"]), target, target.astype(np.int64), target
    )
    return labelled_table(rows, MIXED)


def fake_python(body: str) -> Path:
    """Return a program that is called as Evidently's Python, with the script's folder as the last word."""
    path = Path("python")
    head = f"#!{sys.executable}\nimport os, signal, sys, time\nfolder = sys.argv[-1]\n"
    path.write_text(f"{head}{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def section(python: Path, timeout_s: float = 10 * LONGEST_S) -> WatchSection:
    return WatchSection(evidently_python=python, evidently_timeout_s=timeout_s)


def result(text: str) -> str:
    return f"open(folder + '/result.json', 'w').write({text!r})"


def folder() -> Path:
    path = Path("tables")
    path.mkdir()
    return path


def test_what_the_pages_say_is_returned(table: LabelledTable) -> None:
    body = result('{"labelled": {"Accuracy": 0.5}}')
    made = make_pages(section(fake_python(body)), folder(), None, table)
    assert made == {"labelled": {"Accuracy": 0.5}}
    assert sorted(path.name for path in Path("tables").iterdir()) == [
        "job.json", "labelled.parquet", "result.json"
    ]  # fmt: skip


def test_evidently_is_told_to_send_nothing(table: LabelledTable) -> None:
    text = "{'labelled': os.environ.get('DO_NOT_TRACK')}"
    body = f"import json\njson.dump({text}, open(folder + '/result.json', 'w'))"
    made = make_pages(section(fake_python(body)), folder(), None, table)
    assert made == {"labelled": "1"}


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            result('{"missing": "No module named evidently"}'),
            ConfigError,
            "cannot be imported: No mod",
        ),
        (
            result('{"failed": "ValueError in a.py, line 3"}'),
            NotPossible,
            "failed: ValueError in a.py",
        ),
        (result('{"drift'), NotPossible, "ended with code 0 before"),
        ("sys.exit(7)", NotPossible, "ended with code 7 before"),
        ("os.kill(os.getpid(), signal.SIGKILL)", NotPossible, "ended with code -9 before"),
    ],
    ids=["missing", "failed", "half-written", "ended", "killed"],
)
def test_each_failure_has_an_error_of_its_own(
    table: LabelledTable, body: str, kind: type[LightModelError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        make_pages(section(fake_python(body)), folder(), None, table)
    assert words in caught.value.message
    assert caught.value.hint


def test_a_process_that_takes_too_long_is_ended(table: LabelledTable) -> None:
    program = fake_python("time.sleep(600)")
    with pytest.raises(NotPossible, match="did not finish") as caught:
        make_pages(section(program, timeout_s=0.5), folder(), None, table)
    assert "evidently_timeout_s" in caught.value.hint


def test_a_file_that_is_no_program_is_an_error_with_a_hint(table: LabelledTable) -> None:
    Path("python").write_text("?", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be run") as caught:
        make_pages(section(Path("python")), folder(), None, table)
    assert "make evidently" in caught.value.hint


def test_a_python_without_evidently_is_an_error_with_a_hint(table: LabelledTable) -> None:
    """The script itself runs here, by this Python."""
    with pytest.raises(ConfigError, match="No module named 'evidently'") as caught:
        make_pages(section(Path(sys.executable)), folder(), None, table)
    assert "make evidently" in caught.value.hint


def test_without_tables_nothing_is_run() -> None:
    assert make_pages(section(Path("nowhere")), folder(), None, None) == {}
