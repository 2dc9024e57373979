"""The chain while MLflow is down, slow or killed: a run logs a warning and is uploaded later."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import requests

from benchmarks.ports import free_port
from lightmodel.config import load
from lightmodel.service import create_app
from tests.fakes.mlflow_server import mlflow_server, older_server, silent_server
from tests.fakes.project import ROOT, SETTINGS, Project, shop_project
from tests.fakes.server import wait_until_it_answers
from tests.fakes.waiting import running, wait_until

pytestmark = [
    pytest.mark.mlflow,
    # MLflow warns when it is imported and when it queries its database.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
SECRET = "hush-hush"
SERVE = ("-m", "models:/light-model@champion", "--env-manager", "local", "--host", "127.0.0.1")
ROWS = [
    {"visit_id": "a", "age": 30, "spent": None, "where": "web"},
    {"visit_id": "b", "age": 61, "spent": 12.5, "where": "phone"},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture(scope="module")
def queued_shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose run could not be uploaded; not to be changed."""
    made = shop_project(tmp_path_factory.mktemp("queued"), SETTINGS)
    assert made.run(**at(f"http://127.0.0.1:{free_port()}")).code == 0
    assert len(waiting(made)) == 1
    return made


@pytest.fixture
def queued(queued_shop: Project, tmp_path: Path) -> Project:
    """Return a copy of that project; the queue holds the paths of the copy's files."""
    shutil.copytree(queued_shop.folder, tmp_path, dirs_exist_ok=True)
    copy = Project(tmp_path)
    for path in waiting(copy):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(str(queued_shop.folder), str(tmp_path)), encoding="utf-8")
    return copy


def at(uri: str, timeout_s: float = 60) -> dict[str, str]:
    return {
        "LIGHTMODEL__TRACKING__URI": uri,
        "LIGHTMODEL__TRACKING__TIMEOUT_S": str(timeout_s),
        "LIGHTMODEL__TRACKING__TOKEN": SECRET,
    }


def waiting(project: Project) -> list[Path]:
    return sorted((project.folder / "var" / "tracking").glob("2*.json"))


def client_of(uri: str) -> Any:
    import mlflow

    return mlflow.MlflowClient(uri)


def runs(client: Any, version: str = "") -> list[Any]:
    """Return all runs of a database or server, or those of one model version."""
    every = [one.experiment_id for one in client.search_experiments()]
    selected: list[Any] = client.search_runs(
        every, f"tags.version = '{version}'" if version else ""
    )
    return selected


def test_a_refused_port_costs_a_warning_and_the_run_is_uploaded_later(
    project: Project, server: str
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    ran = project.run(**at(uri))
    assert ran.code == 0
    assert ran.err.count("tracking: ") == 1
    assert "python -m lightmodel tracking resend" in ran.err
    assert len(waiting(project)) == 1
    name = project.models()[0].name
    assert f"model {name}" in project.tool("tracking", "list", **at(uri)).out
    down = project.tool("tracking", "resend", **at(uri))
    assert (down.code, "MLflow does not answer" in down.err) == (75, True)
    sent = project.tool("tracking", "resend", **at(server))
    assert (sent.code, waiting(project)) == (0, []), sent.err
    assert f"uploaded: model {name}" in sent.out
    assert len(runs(client_of(server), name)) == 1
    assert project.tool("tracking", "resend", **at(server)).out == "the queue is empty\n"
    assert SECRET not in ran.err + down.err + sent.err + sent.out


@pytest.mark.parametrize("unknown", [("logged-models",), ("logged-models", "registered-models")])
def test_a_server_of_before_logged_models_keeps_the_model_with_its_run(
    project: Project, server: str, unknown: tuple[str, ...]
) -> None:
    """Hosted servers may still be that old."""
    import mlflow

    name = {"LIGHTMODEL__TRACKING__REGISTERED_MODEL": f"older-{len(unknown)}"}
    with older_server(server, unknown) as uri:
        ran = project.run(**at(uri), **name)
        assert ran.code == 0
        assert waiting(project) == [], ran.err
    version = project.models()[0]
    (run,) = runs(client_of(server), version.name)
    assert run.info.status == "FINISHED"
    mlflow.set_tracking_uri(server)
    try:
        model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
        assert model.predict(pd.DataFrame(ROWS))["prediction"].tolist()
        if len(unknown) == 1:
            held = client_of(server).get_model_version_by_alias(f"older-{len(unknown)}", "champion")
            assert held.tags["light_model.version"] == version.name
    finally:
        mlflow.set_tracking_uri("")


def test_a_silent_server_costs_no_more_than_the_limit_and_leaves_no_process(
    project: Project,
) -> None:
    with silent_server() as uri:
        ran = project.run(**at(uri, timeout_s=2))
        assert ran.code == 0
        assert "MLflow did not finish within 2 s" in ran.err or "does not answer" in ran.err
        assert len(waiting(project)) == 1
        assert not [one for one in psutil.process_iter() if _is_ours(one, project)]


def _is_ours(process: psutil.Process, project: Project) -> bool:
    try:
        return process.cwd() == str(project.folder) and "resend" in process.cmdline()
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False


def test_files_that_are_gone_when_it_is_uploaded_are_named(queued: Project) -> None:
    (version,) = queued.models()
    version.rename(version.with_name("gone"))
    sent = queued.tool("tracking", "resend", **at("auto"))
    assert sent.code == 0
    (run,) = runs(client_of(f"sqlite:///{queued.folder}/model-development/mlflow.db"))
    assert f"model {version.name}" in run.data.tags["light_model.files"]
    assert run.data.metrics["test_auc"] > 0.5


def test_two_resends_and_one_that_is_killed_upload_once(queued: Project, server: str) -> None:
    name = queued.models()[0].name
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **at(server)}
    command = [sys.executable, "-m", "lightmodel", "tracking", "resend"]

    def resending() -> "AbstractContextManager[subprocess.Popen[bytes]]":
        return running(command, cwd=queued.folder, env=environ, stdout=subprocess.DEVNULL)

    client = client_of(server)
    with resending() as killed:
        wait_until(lambda: runs(client, name) or killed.poll() is not None, "the upload's start")
    with resending() as one, resending() as other:
        assert [one.wait(timeout=300), other.wait(timeout=300)] == [0, 0]
    (run,) = runs(client, name)
    assert (run.info.status, waiting(queued)) == ("FINISHED", [])
    ours = f"run_id = '{run.info.run_id}'"
    assert len(client.search_model_versions(f"name = 'light-model' and {ours}")) == 1
    models = client.search_logged_models([run.info.experiment_id], f"source_{ours}")
    assert [str(model.status) for model in models] == ["READY"]


def test_the_next_run_uploads_what_an_earlier_one_could_not(queued: Project) -> None:
    assert queued.run("--force", **at("auto")).code == 0
    assert waiting(queued) == []
    assert len(runs(client_of(f"sqlite:///{queued.folder}/model-development/mlflow.db"))) == 2


def test_mlflow_serves_the_champion_as_the_service_answers(
    queued: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert queued.tool("tracking", "resend", **at("auto")).code == 0
    port = free_port()
    bin_folder = str(Path(sys.executable).parent)  # it calls uvicorn by PATH
    with (
        (queued.folder / "serve.log").open("wb") as log,
        running(
            [sys.executable, "-m", "mlflow", "models", "serve", *SERVE, "--port", str(port)],
            cwd=queued.folder,
            env={
                **os.environ,
                "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
                "MLFLOW_TRACKING_URI": f"sqlite:///{queued.folder}/model-development/mlflow.db",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(f"{url}/ping", process)
        good = requests.post(f"{url}/invocations", json={"dataframe_records": ROWS}, timeout=60)
        spoiled = [{**ROWS[0], "age": "old"}]
        bad = requests.post(f"{url}/invocations", json={"dataframe_records": spoiled}, timeout=60)
    monkeypatch.chdir(queued.folder)
    ours = create_app(load().config).test_client().post("/predict", json=ROWS).json or []
    answered = good.json()["predictions"]
    for one, other in zip(answered, ours, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], rel=1e-12)
        assert (one["visit_id"], one["prediction"]) == (other["visit_id"], other["prediction"])
    assert bad.status_code == 400
    assert "column age to type 'int64'" in bad.json()["message"]  # by the signature
