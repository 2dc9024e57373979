"""`score` on the command line: what it prints, and its exit codes."""

from pathlib import Path

import orjson
import pytest

from tests.fakes.command_line import CommandLine
from tests.fakes.project import Project
from tests.fakes.streams import visit


@pytest.fixture
def folder(trained_shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIGHTMODEL__STORE__ROOT", str(trained_shop.folder))
    monkeypatch.setenv("LIGHTMODEL__STORE__WORK", str(tmp_path / "work"))
    rows = [visit(1), {**visit(2), "age": "old"}, visit(3)]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return tmp_path


def test_a_summary_is_printed(call: CommandLine, folder: Path) -> None:
    called = call("score", "rows.jsonl", "--output", "out.csv", "--on-error", "file")
    assert called.code == 0, called.err
    assert "2 of 3 rows scored by 2" in called.out
    assert "rows/s)" in called.out
    assert "rows that break the contract, and have no answer: 1" in called.out
    assert "answers: out.csv\nrows without an answer: out-errors.jsonl\n" in called.out
    assert len((folder / "out.csv").read_bytes().splitlines()) == 3


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["rows.jsonl", "--output", "out.csv"], 65, "row 2;"),
        (["rows.json", "--output", "out.csv"], 65, "did you mean rows.jsonl"),
        (["rows.jsonl", "--output", "out.txt"], 78, ".parquet"),
        (["rows.jsonl", "--output", "out.csv", "--version", "v1"], 66, "no model 'v1'"),
        (["rows.jsonl", "--output", ""], 2, "the path is empty"),
        (["ftp://host/rows.csv", "--output", "out.csv"], 78, "unknown"),
    ],
)
def test_what_fails_has_its_exit_code(
    call: CommandLine, words: list[str], code: int, message: str
) -> None:
    called = call("score", *words)
    assert called.code == code
    assert message in called.err
