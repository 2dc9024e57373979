"""The contract of a tracker, on a database and a server: each run is logged once, and aliases are set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ports import free_port
from lightmodel.config import TrackingSection
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.tracking.client import Tracker, connect
from lightmodel.tracking.records import AliasUpdate, PendingRun, RunRecord
from tests.fakes.mlflow_server import mlflow_server, silent_server

# MLflow warns when it is imported and when it queries its database.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
EXPERIMENT, MODEL = "trials", "shop"
WHEN, LATER = "2026-01-02T03:04:05+00:00", "2026-01-02T04:00:00+00:00"
STUDY = RunRecord("study-1", "study", WHEN, LATER, metrics={"best": 0.9}, tags={"study": "one"})
TRIAL = RunRecord(
    key="study-1-trial-7",
    kind="trial",
    created=WHEN,
    ended=LATER,
    parent="study-1",
    parameters={"train": {"parameters": {"num_leaves": 4, "long": "x" * 9000}}, "odd[name]": None},
    metrics={"oof_auc": 0.9},
    curves={"fold_01/valid_loss": tuple((float(at), 1 / at) for at in range(1, 1200))},
    tags={"note": "y" * 9000, "commit": "c0ffee"},
)


def open_tracker(uri: str, folder: Path, timeout_s: float = 60) -> Tracker:
    return connect(TrackingSection(uri=uri, folder=folder, timeout_s=timeout_s))


def send(tracker: Tracker, record: RunRecord) -> None:
    tracker.send(PendingRun(EXPERIMENT, MODEL, record))


@pytest.fixture(scope="module", params=["auto", pytest.param("server", marks=pytest.mark.mlflow)])
def tracker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tracker]:
    folder = tmp_path_factory.mktemp("tracked")
    if request.param == "auto":
        yield open_tracker("auto", folder)
        return
    with mlflow_server(folder) as address:
        yield open_tracker(address, folder)


def experiment_id(tracker: Tracker, name: str) -> str:
    experiment = tracker.client.get_experiment_by_name(name)
    assert experiment
    return str(experiment.experiment_id)


def runs(tracker: Tracker, key: str) -> list[Any]:
    logged: list[Any] = tracker.client.search_runs(
        [experiment_id(tracker, EXPERIMENT)], f"tags.`light_model.key` = '{key}'"
    )
    return logged


def test_a_run_is_logged_once_with_everything_in_it(tracker: Tracker) -> None:
    for _ in range(2):
        send(tracker, TRIAL)
    (run,) = runs(tracker, TRIAL.key)
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 55 * 60 * 1000 + 55 * 1000
    params = run.data.params
    assert params["train.parameters.num_leaves"] == "4"
    assert len(params["train.parameters.long"]) == 6000
    assert params["odd_name_"] == "null"
    assert run.data.metrics["oof_auc"] == 0.9
    assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
    history = tracker.client.get_metric_history(run.info.run_id, "fold_01/valid_loss")
    assert [(one.step, one.value) for one in history] == [(at, 1 / at) for at in range(1, 1200)]


def test_a_part_may_come_before_the_whole(tracker: Tracker) -> None:
    send(tracker, replace(TRIAL, key="early", parent="late-study"))
    send(tracker, replace(STUDY, key="late-study"))
    (part,), (whole,) = runs(tracker, "early"), runs(tracker, "late-study")
    assert part.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert (whole.data.metrics, whole.info.status) == ({"best": 0.9}, "FINISHED")


def test_a_run_that_was_begun_by_a_killed_process_is_completed(tracker: Tracker) -> None:
    send(tracker, replace(STUDY, key="first"))  # so that the experiment exists
    experiment = experiment_id(tracker, EXPERIMENT)
    half = tracker.client.create_run(experiment, tags={"light_model.key": "half"})
    tracker.client.log_batch(half.info.run_id, metrics=[])
    send(tracker, replace(STUDY, key="half"))
    (run,) = runs(tracker, "half")
    assert (run.info.run_id, run.info.status) == (half.info.run_id, "FINISHED")
    assert run.data.metrics == {"best": 0.9}


def test_the_same_run_with_other_facts_is_brought_up_to_date(tracker: Tracker) -> None:
    send(tracker, replace(STUDY, key="again"))
    send(
        tracker,
        replace(STUDY, key="again", ended="2026-01-03T00:00:00+00:00", metrics={"best": 1.0}),
    )
    (run,) = runs(tracker, "again")
    assert run.data.metrics == {"best": 1.0}


def test_files_are_logged_and_those_that_are_gone_are_named(
    tracker: Tracker, tmp_path: Path
) -> None:
    (tmp_path / "plot.txt").write_text("here")
    files = (tmp_path / "plot.txt", tmp_path / "gone.txt")
    record = RunRecord("files", "model", WHEN, LATER, files=files, version=tmp_path / "no-model")
    send(tracker, record)
    (run,) = runs(tracker, "files")
    logged = [file.path for file in tracker.client.list_artifacts(run.info.run_id)]
    assert logged == ["plot.txt"]
    assert "gone.txt, model no-model" in run.data.tags["light_model.files"]


def test_a_version_that_was_never_logged_leaves_no_champion(
    tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    update = AliasUpdate("20260101T000000000000Z-000000", "", WHEN)
    tracker.send(PendingRun(EXPERIMENT, MODEL, aliases=update))
    assert tracker.client.get_registered_model(MODEL).aliases == {}
    assert "tracking add 20260101T000000000000Z-000000" in caplog.text


def test_an_earlier_update_of_the_aliases_changes_nothing(tracker: Tracker) -> None:
    for since in (LATER, WHEN):
        tracker.send(PendingRun(EXPERIMENT, "twice", aliases=AliasUpdate("", "", since)))
    assert tracker.client.get_registered_model("twice").tags["light_model.since"] == LATER


def test_a_deleted_experiment_is_a_mistake(tracker: Tracker) -> None:
    pending = PendingRun("deleted", MODEL, STUDY)
    tracker.send(pending)
    tracker.client.delete_experiment(experiment_id(tracker, "deleted"))
    with pytest.raises(ConfigError, match="was deleted"):
        tracker.send(pending)


def test_half_a_database_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db.part").write_text("half")
    send(open_tracker("auto", tmp_path), STUDY)
    assert (tmp_path / "mlflow.db").is_file()
    assert not (tmp_path / "mlflow.db.part").exists()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:{port}", "sqlite:////proc/no/such.db"])
def test_an_unreachable_server_is_retryable(uri: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        send(open_tracker(uri.format(port=free_port()), tmp_path), STUDY)


def test_a_silent_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")  # so that monkeypatch restores it
    with silent_server() as address, pytest.raises(SourceUnavailable):
        send(open_tracker(address, tmp_path, timeout_s=1), STUDY)


def test_an_address_of_no_known_kind_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLflow refuses"):
        send(open_tracker("nonsense://here", tmp_path), STUDY)
