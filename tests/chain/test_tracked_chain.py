"""The chain with MLflow's own database, and what MLflow stores of each run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow.csv as arrow_csv
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lightmodel.config import load
from lightmodel.service import create_app
from tests.fakes.project import ROOT, SETTINGS, Project, shop_project
from tests.fakes.tables import shop_table

# MLflow warns when it is imported and when it queries its database.
pytestmark = [
    pytest.mark.mlflow,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
TRACKED = {"LIGHTMODEL__TRACKING__URI": "auto", "LIGHTMODEL__TRACKING__TIMEOUT_S": "60"}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose first model was approved and whose second was rejected."""
    made = shop_project(tmp_path_factory.mktemp("tracked"), SETTINGS)
    first = made.run(**TRACKED)
    assert (first.code, "tracking" in first.err) == (0, False), first.err
    second = made.run(
        *("--set", "gate.minimum=0.999", "--set", "train.seed=1"),
        *("--set", "tracking.system_metrics=true"),
        **TRACKED,
    )
    assert (second.code, "tracking" in second.err) == (10, False), second.err
    return made


@pytest.fixture(scope="module")
def client(tracked: Project) -> Iterator[Any]:
    import mlflow

    address = f"sqlite:///{tracked.folder}/model-development/mlflow.db"
    mlflow.set_tracking_uri(address)
    yield mlflow.MlflowClient(address)
    mlflow.set_tracking_uri("")


def run_of(client: Any, version: str) -> Any:
    experiment = client.get_experiment_by_name("light-model").experiment_id
    (run,) = client.search_runs([experiment], f"tags.version = '{version}'")
    return run


def test_each_model_is_one_run_with_everything_about_it(tracked: Project, client: Any) -> None:
    folder = tracked.models()[0]
    run = run_of(client, folder.name)
    verdict = json.loads((folder / "verdict.json").read_bytes())
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert run.data.metrics["test_auc"] == verdict["metrics"]["auc"]
    assert run.data.metrics["oof_auc"] == manifest["metrics"]["auc"]
    assert run.data.params["learner.num_leaves"] == "4"
    assert run.data.tags["verdict"] == "approved"
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert kept >= {
        *("report.html", "verdict.json", "metrics.json", "cv_results.csv", "python_env.yaml"),
        *("requirements.txt", "feature_importance_gain.json", "feature_importance_gain.png"),
        *("feature_importance_split.json", "feature_importance_split.png"),
    }


def test_the_losses_of_each_fold_are_curves(tracked: Project, client: Any) -> None:
    run = run_of(client, tracked.models()[0].name)
    for fold in range(1, 5):
        valid, train = (
            client.get_metric_history(run.info.run_id, f"fold_{fold:02d}/{kind}_loss")
            for kind in ("valid", "train")
        )
        assert [point.step for point in valid] == [10, 20, 30, 40, 50, 60]
        assert [point.step for point in train] == [10, 20, 40]
        assert train[-1].value < train[0].value
    folds = client.get_metric_history(run.info.run_id, "fold/auc")
    assert [point.step for point in folds] == [1, 2, 3, 4]


def test_the_table_and_its_test_rows_are_inputs_with_their_digests(
    tracked: Project, client: Any
) -> None:
    folder = tracked.models()[0]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    given = {
        one.tags[0].value: one.dataset for one in run_of(client, folder.name).inputs.dataset_inputs
    }
    assert set(given) == {"training", "evaluation"}
    assert given["training"].name == "shop.csv"
    assert manifest["inputs"]["sha256"].startswith(given["training"].digest)
    assert json.loads(given["training"].source)["sha256"] == manifest["inputs"]["sha256"]
    assert given["evaluation"].name == "shop.csv (test rows)"
    assert manifest["inputs"]["test_sha256"].startswith(given["evaluation"].digest)
    assert json.loads(given["evaluation"].profile) == {"rows_test": manifest["rows"]["test"]}


def test_system_metrics_are_sampled_where_they_are_switched_on(
    tracked: Project, client: Any
) -> None:
    without, sampled = (run_of(client, folder.name) for folder in tracked.models())
    assert not [name for name in without.data.metrics if name.startswith("system/")]
    names = {name for name in sampled.data.metrics if name.startswith("system/")}
    assert len(names) == 8
    for name in names:
        points = client.get_metric_history(sampled.info.run_id, name)
        assert [point.step for point in points] == list(range(len(points)))
        times = [point.timestamp for point in points]
        # how busy the processors are is known from the second sample on
        assert len(times) > (name != "system/cpu_utilization_percentage")
        assert times == sorted(set(times))
        assert times[-1] <= sampled.info.end_time + 60_000
    assert 0 < sampled.data.metrics["system/system_memory_usage_percentage"] < 100


def logged_model_of(client: Any, version: str) -> Any:
    run = run_of(client, version)
    (model,) = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    return model


def test_the_logged_model_has_parameters_and_metrics_of_its_own(
    tracked: Project, client: Any
) -> None:
    folder = tracked.models()[0]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    verdict = json.loads((folder / "verdict.json").read_bytes())
    model = logged_model_of(client, folder.name)
    assert model.params["learner.num_leaves"] == "4"
    metrics = {one.key: one for one in model.metrics}
    assert len(metrics) == len(model.metrics)
    assert metrics["test_auc"].value == verdict["metrics"]["auc"]
    assert metrics["test_auc"].dataset_name == "shop.csv (test rows)"
    assert metrics["oof_auc"].value == manifest["metrics"]["auc"]
    assert metrics["oof_auc"].dataset_name == "shop.csv"


def test_lightgbms_own_loader_gives_the_booster(tracked: Project, client: Any) -> None:
    import lightgbm
    import mlflow

    folder = tracked.models()[0]
    booster = mlflow.lightgbm.load_model(logged_model_of(client, folder.name).model_uri)
    stored = joblib.load(folder / "model.joblib")["model"]["texts"]
    rows = np.array([[30.0, 3.5, 1.0], [41.0, np.nan, 0.0]])
    expected = lightgbm.Booster(model_str=stored[0]).predict(rows)
    assert np.array_equal(np.asarray(booster.predict(rows)), np.asarray(expected))


@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0")
def test_what_mlflows_autologging_records_is_here_too(
    tracked: Project, client: Any, tmp_path: Path
) -> None:
    auto = autologged(tmp_path)
    assert all(
        names for kind, names in auto.items() if kind not in {"tags", "parameters of the model"}
    )
    run = run_of(client, tracked.models()[0].name)
    ours = logged_by(client, run, logged_model_of(client, tracked.models()[0].name))
    documented = documented_differences()
    for kind, names in auto.items():
        absent = names - ours[kind]
        assert absent <= documented.keys(), (kind, absent)
    assert documented.keys() <= {name for names in auto.values() for name in names}
    replaced = {one for value in documented.values() for one in re.findall(r"`([^`]+)`", value)}
    assert replaced <= {name for names in ours.values() for name in names}


def documented_differences() -> dict[str, str]:
    """Return the table of the guide: what autologging records → what stands for it here, in words."""
    text = (ROOT / "docs/guide/tracking.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (?:parameters?|metrics?|contexts?) (.+?) \| (.+?) \|$", text, re.MULTILINE
    )
    return {name: here for names, here in rows for name in re.findall(r"`([^`]+)`", names)}


def autologged(folder: Path) -> dict[str, set[str]]:
    """Train with LightGBM under `mlflow.lightgbm.autolog()`, and return what it records."""
    import lightgbm
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/auto.db")
    client = mlflow.MlflowClient()
    client.create_experiment("auto", (folder / "artifacts").as_uri())
    experiment = mlflow.set_experiment("auto")
    mlflow.lightgbm.autolog(log_input_examples=True)
    try:
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=list("abc"))
        rows = [
            lightgbm.Dataset(part.drop(columns="c"), part["c"] > 0)
            for part in (frame[:200], frame[200:])
        ]
        parameters = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbosity": -1}
        stop = lightgbm.early_stopping(3, verbose=False)
        lightgbm.train(parameters, rows[0], 20, valid_sets=rows[1:], callbacks=[stop])
        (run,) = client.search_runs([experiment.experiment_id])
        (model,) = client.search_logged_models([experiment.experiment_id])
        return logged_by(client, run, model)
    finally:
        mlflow.lightgbm.autolog(disable=True)
        mlflow.set_tracking_uri(before)


def logged_by(client: Any, run: Any, model: Any) -> dict[str, set[str]]:
    """Return the names of all that a run and its model have, by kind."""
    import mlflow

    described = mlflow.models.get_model_info(model.model_uri)
    return {
        "parameters": {name.rpartition(".")[2] for name in run.data.params},
        "parameters of the model": {f"{name.rpartition('.')[2]}" for name in model.params},
        "metrics": set(run.data.metrics),
        "files": {one.path for one in client.list_artifacts(run.info.run_id)},
        "tags": {name for name in run.data.tags if not name.startswith("mlflow.")},
        "contexts": {one.tags[0].value for one in run.inputs.dataset_inputs},
        "flavors": set(described.flavors),
        "signature": {
            name for name in ("inputs", "outputs") if getattr(described.signature, name, None)
        },
        "example": {"input example"} if described.saved_input_example_info else set(),
    }


def test_the_aliases_say_what_is_served_and_what_was_rejected(
    tracked: Project, client: Any
) -> None:
    approved, rejected = (folder.name for folder in tracked.models())
    champion = client.get_model_version_by_alias("light-model", "champion")
    challenger = client.get_model_version_by_alias("light-model", "challenger")
    assert champion.tags["light_model.version"] == champion.description == approved
    assert challenger.tags["light_model.version"] == rejected


def test_mlflow_answers_as_the_service_does(
    tracked: Project, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    assert client
    monkeypatch.chdir(tracked.folder)
    app = create_app(load().config).test_client()
    rows = (tracked.folder / "shop.csv").read_bytes()
    answered = app.post("/predict", data=rows, content_type="text/csv")
    model = mlflow.pyfunc.load_model("models:/light-model@champion")
    frame = pd.read_csv(tracked.folder / "shop.csv").drop(columns="bought")
    assert model.metadata.metadata["version"] == answered.headers["X-Model-Version"]
    predicted = model.predict(frame).to_dict("records")
    for one, other in zip(predicted, answered.json or [], strict=True):
        assert list(one) == list(other)
        assert one["probability"] == pytest.approx(other.pop("probability"), rel=1e-12)
        assert {name: one[name] for name in other} == other


def test_both_addresses_of_a_model_load(tracked: Project, client: Any) -> None:
    import mlflow

    run = run_of(client, tracked.models()[1].name)
    frame = pd.DataFrame({"age": [30], "spent": [None], "where": ["web"]})
    by_run = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(frame)
    by_alias = mlflow.pyfunc.load_model("models:/light-model@challenger").predict(frame)
    assert by_run.equals(by_alias)
    assert list(by_run) == ["prediction", "probability"]


@pytest.mark.parametrize("spoiled", ["absent", "text", "empty"])
def test_rows_that_break_the_contract_are_refused_as_by_the_service(
    tracked: Project, client: Any, spoiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    from mlflow.exceptions import MlflowException

    assert client
    monkeypatch.chdir(tracked.folder)
    frame = pd.DataFrame({"age": [30, 31], "spent": [1.0, None], "where": ["web", "street"]})
    frame = {
        "absent": frame.drop(columns="age"),
        "text": frame.assign(age="old"),
        "empty": frame.head(0),
    }[spoiled]
    app = create_app(load().config).test_client()
    refused = app.post("/predict", json=json.loads(frame.to_json(orient="records")))
    assert refused.status_code == 422
    model = mlflow.pyfunc.load_model("models:/light-model@champion")
    with pytest.raises(MlflowException) as error:
        model.predict(frame)
    for violation in (refused.json or {}).get("violations", ()):
        assert violation["column"] in error.value.message


def test_rollback_moves_the_champion(tracked: Project, client: Any, tmp_path: Path) -> None:
    import mlflow

    assert client
    shutil.copytree(tracked.folder, tmp_path / "copy")
    copy = Project(tmp_path / "copy")
    assert copy.run("--set", "train.seed=2", **TRACKED).code == 0
    first, _, third = (folder.name for folder in copy.models())
    client = mlflow.MlflowClient(f"sqlite:///{copy.folder}/model-development/mlflow.db")

    def champion() -> str:
        version = client.get_model_version_by_alias("light-model", "champion")
        return str(version.tags["light_model.version"])

    assert champion() == third
    assert copy.tool("models", "rollback", **TRACKED).code == 0
    assert champion() == first
    assert copy.tool("models", "rollback", "--force", **TRACKED).code == 0
    assert "champion" not in client.get_registered_model("light-model").aliases


def test_a_run_that_changes_nothing_logs_nothing(tracked: Project) -> None:
    before = sorted((tracked.folder / "model-development").rglob("*"))
    ran = tracked.run("--set", "gate.minimum=0.999", "--set", "train.seed=1", **TRACKED)
    assert ran.code == 10
    assert sorted((tracked.folder / "model-development").rglob("*")) == before


def test_a_model_answers_where_nothing_but_its_requirements_is_installed(
    tracked: Project, client: Any
) -> None:
    source = client.get_model_version_by_alias("light-model", "champion").source
    model = source.removeprefix("models:/")
    folder = tracked.folder / "model-development" / "mlartifacts" / "models" / model / "artifacts"
    pins = (folder / "requirements.txt").read_text().splitlines()
    named = _with_dependencies(canonicalize_name(pin.partition("==")[0]) for pin in pins)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder), *named],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["5"]), done.stderr


ALONE = """
import importlib.metadata as metadata, sys
there = set(sys.argv[2:])
owners = metadata.packages_distributions()
class Absent:
    def find_spec(self, name, path=None, target=None):
        mine = {one.lower().replace("_", "-").replace(".", "-") for one in owners.get(name, ())}
        if mine and not mine & there:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
assert "lightmodel.zip" in sys.modules["lightmodel"].__file__
print(len(model.predict(model.input_example)))
"""


def _with_dependencies(names: Iterable[str]) -> set[str]:
    """Return these distributions and all that they require, as installed."""
    required: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in required:
            continue
        required.add(name)
        with suppress(metadata.PackageNotFoundError):
            for text in metadata.requires(name) or ():
                wanted = Requirement(text)
                if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                    waiting.append(canonicalize_name(wanted.name))
    return required


OWN = """
import numpy as np

def features(columns):
    return {"thrift": columns["spent"] / columns["age"]}
"""


def test_a_model_of_own_code_answers_from_mlflow_as_well(tmp_path: Path) -> None:
    import mlflow

    made = Project(tmp_path)
    arrow_csv.write_csv(shop_table(), tmp_path / "shop.csv")
    made.settings(SETTINGS)
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    options = ("--set", "train.module=mine.py", "--set", "train.calibration=sigmoid")
    ran = made.run(*options, "--set", 'store.mirrors=["s3://nowhere/at-all"]', **TRACKED)
    assert ran.code == 0, ran.err
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/model-development/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model("models:/light-model@champion")
        (version,) = made.models()
        samples = json.loads((version / "manifest.json").read_bytes())["samples"]
        answers = model.predict(pd.DataFrame([sample["values"] for sample in samples]))
    finally:
        mlflow.set_tracking_uri(before)
    stored = [sample["score"][0] for sample in samples]
    assert answers["probability"].tolist() == pytest.approx(stored, rel=1e-12)
