"""What every tracker owes: told twice is kept once, told half is completed, and aliases follow."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightmodel.config import environment
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.tracking.base import Tracker
from lightmodel.tracking.records import Destination, RunRecord, Standing
from tests.fakes.mlflow_server import mlflow_server, silent_server
from tests.fakes.server import free_port

# Of MLflow's own: one when it is imported, one when it asks its data base.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
TO = Destination("trials", "shop")
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


def tracker(uri: str, folder: Path) -> Any:
    from lightmodel.tracking.server import open_mlflow, variables

    environment.export(variables("", "", "", 5))
    return open_mlflow(uri, folder)


@pytest.fixture(scope="module", params=["auto", pytest.param("server", marks=pytest.mark.mlflow)])
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tracker]:
    folder = tmp_path_factory.mktemp("tracked")
    if request.param == "auto":
        yield tracker("auto", folder)
        return
    with mlflow_server(folder) as address:
        yield tracker(address, folder)


def runs(kept: Any, key: str) -> list[Any]:
    experiment = kept.client.get_experiment_by_name(TO.experiment)
    found: list[Any] = kept.client.search_runs(
        [experiment.experiment_id], f"tags.`light_model.key` = '{key}'"
    )
    return found


def test_a_run_is_kept_once_with_all_that_was_told(kept: Any) -> None:
    for _ in range(2):
        kept.send(TRIAL, TO)
    (run,) = runs(kept, TRIAL.key)
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 55 * 60 * 1000 + 55 * 1000
    params = run.data.params
    assert params["train.parameters.num_leaves"] == "4"
    assert len(params["train.parameters.long"]) == 6000
    assert params["odd_name_"] == "null"
    assert run.data.metrics["oof_auc"] == 0.9
    assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
    history = kept.client.get_metric_history(run.info.run_id, "fold_01/valid_loss")
    assert [(one.step, one.value) for one in history] == [(at, 1 / at) for at in range(1, 1200)]


def test_a_part_may_come_before_the_whole(kept: Any) -> None:
    kept.send(replace(TRIAL, key="early", parent="late-study"), TO)
    kept.send(replace(STUDY, key="late-study"), TO)
    (part,), (whole,) = runs(kept, "early"), runs(kept, "late-study")
    assert part.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert (whole.data.metrics, whole.info.status) == ({"best": 0.9}, "FINISHED")


def test_a_run_that_was_begun_by_a_killed_process_is_completed(kept: Any) -> None:
    kept.send(replace(STUDY, key="first"), TO)  # the experiment is there
    experiment = kept.client.get_experiment_by_name(TO.experiment).experiment_id
    half = kept.client.create_run(experiment, tags={"light_model.key": "half"})
    kept.client.log_batch(half.info.run_id, metrics=[])
    kept.send(replace(STUDY, key="half"), TO)
    (run,) = runs(kept, "half")
    assert (run.info.run_id, run.info.status) == (half.info.run_id, "FINISHED")
    assert run.data.metrics == {"best": 0.9}


def test_the_same_run_with_other_facts_is_brought_up_to_date(kept: Any) -> None:
    kept.send(replace(STUDY, key="again"), TO)
    kept.send(
        replace(STUDY, key="again", ended="2026-01-03T00:00:00+00:00", metrics={"best": 1.0}), TO
    )
    (run,) = runs(kept, "again")
    assert run.data.metrics == {"best": 1.0}


def test_files_are_kept_and_those_that_are_gone_are_named(kept: Any, tmp_path: Path) -> None:
    (tmp_path / "plot.txt").write_text("here")
    files = (tmp_path / "plot.txt", tmp_path / "gone.txt")
    record = RunRecord("files", "model", WHEN, LATER, files=files, version=tmp_path / "no-model")
    kept.send(record, TO)
    (run,) = runs(kept, "files")
    found = [file.path for file in kept.client.list_artifacts(run.info.run_id)]
    assert found == ["plot.txt"]
    assert "gone.txt, model no-model" in run.data.tags["light_model.files"]


def test_a_version_that_was_never_told_leaves_no_champion(
    kept: Any, caplog: pytest.LogCaptureFixture
) -> None:
    kept.appoint(Standing("20260101T000000000000Z-000000", "", WHEN), TO)
    assert kept.client.get_registered_model(TO.model).aliases == {}
    assert "tracking add 20260101T000000000000Z-000000" in caplog.text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:{port}", "sqlite:////proc/no/such.db"])
def test_who_does_not_answer_is_worth_another_try(uri: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        tracker(uri.format(port=free_port()), tmp_path).send(STUDY, TO)


def test_silence_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_server() as address:
        silent = tracker(address, tmp_path)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        with pytest.raises(SourceUnavailable):
            silent.send(STUDY, TO)


def test_an_address_of_no_known_kind_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLflow refuses"):
        tracker("nonsense://here", tmp_path).send(STUDY, TO)
