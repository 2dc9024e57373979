"""The queue of what was not sent to MLflow yet, on disk."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import AlreadyRunning, ArtefactCorrupt, LightModelError
from lightmodel.tracking.records import AliasUpdate, PendingRun, Queue, RunRecord
from tests.fakes.waiting import running

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
ALIASES = AliasUpdate("one", "other", WHEN)


def pending(run: RunRecord | None = None, aliases: AliasUpdate | None = None) -> PendingRun:
    return PendingRun("trials", "shop", run, aliases)


def written_and_read(folder: Path, run: RunRecord) -> RunRecord:
    queue = Queue(folder)
    read = queue.read(queue.put(pending(run))).run
    assert read is not None
    return read


@pytest.mark.parametrize("one", [pending(RUN), pending(RUN, ALIASES), pending(aliases=ALIASES)])
def test_a_pending_run_is_read_as_it_was_written(tmp_path: Path, one: PendingRun) -> None:
    queue = Queue(tmp_path / "deep" / "queue")
    assert queue.read(queue.put(one)) == one


@given(
    st.dictionaries(st.text(), st.floats()),
    st.dictionaries(st.text(), st.lists(st.tuples(st.floats(0, 9), st.floats())).map(tuple)),
    st.dictionaries(st.text(), st.text()),
)
def test_any_number_and_any_text_can_be_queued(
    tmp_path_factory: pytest.TempPathFactory,
    metrics: dict[str, float],
    curves: dict[str, tuple[tuple[float, float], ...]],
    tags: dict[str, str],
) -> None:
    run = RunRecord("k", "trial", WHEN, WHEN, metrics=metrics, curves=curves, tags=tags)
    read = written_and_read(tmp_path_factory.getbasetemp() / "any", run)

    def defined(value: float) -> float | None:
        return value if math.isfinite(value) else None

    assert read.metrics == {name: defined(value) for name, value in metrics.items()}
    assert read.tags == tags
    assert read.curves == {
        name: tuple((step, defined(value)) for step, value in points)
        for name, points in curves.items()
    }


def test_relative_paths_are_found_from_anywhere(tmp_path: Path) -> None:
    run = RunRecord("k", "trial", WHEN, WHEN, files=(Path("plot.png"),), version=Path("model"))
    read = written_and_read(tmp_path, run)
    assert (read.files, read.version) == ((Path.cwd() / "plot.png",), Path.cwd() / "model")


def test_parameters_of_any_type_are_queued_as_text(tmp_path: Path) -> None:
    run = RunRecord("k", "trial", WHEN, WHEN, parameters={"range": range(3), "at": Path("x")})
    assert written_and_read(tmp_path, run).parameters == {"range": "range(0, 3)", "at": "x"}


def test_files_are_ordered_by_age_and_others_are_ignored(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    assert queue.files() == []
    paths = [queue.put(pending(aliases=AliasUpdate(name, "", WHEN))) for name in "abc"]
    (tmp_path / "log").write_text("x")
    (tmp_path / f"{paths[0].name}.part").write_text("half")
    assert queue.files() == paths


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format":2,"run":{}}'])
def test_an_invalid_file_is_named_in_the_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "2x.json"
    path.write_text(text)
    with pytest.raises(ArtefactCorrupt, match=r"2x\.json"):
        Queue(tmp_path).read(path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((LightModelError, OSError)):
        Queue(tmp_path / "file" / "queue").put(pending(RUN))


def test_titles_name_kind_and_key() -> None:
    assert pending(RUN, ALIASES).title == f"model {RUN.key}"
    assert pending(aliases=ALIASES).title == "champion one"
    assert pending(aliases=AliasUpdate("", "", WHEN)).title == "champion none"


def test_one_process_uploads_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from lightmodel.tracking.records import Queue\n"
        "with Queue(pathlib.Path(sys.argv[1])).lock(0):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    root = Path(__file__).parents[3]
    with running(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(AlreadyRunning), Queue(tmp_path).lock(0.05):
            pass
        other.communicate(b"")
    with Queue(tmp_path).lock(0):
        pass
