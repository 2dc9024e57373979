"""What waits for tracking, on disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from lightmodel.errors import AlreadyRunning, ArtefactCorrupt, LightModelError
from lightmodel.tracking.queue import Letter, Outbox
from lightmodel.tracking.records import Destination, RunRecord, Standing

TO = Destination("trials", "shop")
WHEN = "2026-01-02T03:04:05+00:00"
RUN = RunRecord(
    key="20260102T030405000000Z-abcdef",
    kind="model",
    created=WHEN,
    ended=WHEN,
    parameters={"train": {"folds": 3, "weights": [1, 2.5]}},
    metrics={"auc": 0.9},
    curves={"fold_01/valid_loss": ((10.0, 0.5), (20.0, 0.25))},
    tags={"verdict": "approved"},
    files=(Path("/somewhere/plot.png"),),
    version=Path("/somewhere/model/20260102T030405000000Z-abcdef"),
)


@pytest.mark.parametrize("content", [RUN, Standing("one", "other", WHEN)])
def test_a_letter_is_read_as_it_was_written(tmp_path: Path, content: RunRecord | Standing) -> None:
    outbox = Outbox(tmp_path / "deep" / "box")
    path = outbox.put(Letter(content, TO))
    assert outbox.read(path) == Letter(content, TO)


def test_relative_paths_are_found_from_anywhere(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    record = RunRecord("k", "trial", WHEN, WHEN, files=(Path("plot.png"),), version=Path("model"))
    read = outbox.read(outbox.put(Letter(record, TO))).content
    assert isinstance(read, RunRecord)
    assert (read.files, read.version) == ((Path.cwd() / "plot.png",), Path.cwd() / "model")


def test_what_is_undefined_is_left_out(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    nan = float("nan")
    record = RunRecord(
        "k", "trial", WHEN, WHEN, metrics={"auc": nan, "f1": 1}, curves={"c": ((1, nan), (2, 3))}
    )
    read = outbox.read(outbox.put(Letter(record, TO))).content
    assert isinstance(read, RunRecord)
    assert (read.metrics, read.curves) == ({"f1": 1}, {"c": ((2, 3),)})


def test_letters_wait_oldest_first_and_nothing_else_does(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    assert outbox.waiting() == []
    paths = [outbox.put(Letter(Standing(name, "", WHEN), TO)) for name in "abc"]
    (tmp_path / "log").write_text("x")
    (tmp_path / f"{paths[0].name}.part").write_text("half")
    assert outbox.waiting() == paths


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format":1,"what":"run"}'])
def test_rubbish_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "2x.json"
    path.write_text(text)
    with pytest.raises(ArtefactCorrupt, match=r"2x\.json"):
        Outbox(tmp_path).read(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((LightModelError, OSError)):
        Outbox(tmp_path / "file" / "box").put(Letter(RUN, TO))


def test_one_process_delivers_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from lightmodel.tracking.queue import Outbox\n"
        "with Outbox(pathlib.Path(sys.argv[1])).delivering(0):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(AlreadyRunning), Outbox(tmp_path).delivering(0.05):
            pass
        other.communicate(b"")
    with Outbox(tmp_path).delivering(0):
        pass
