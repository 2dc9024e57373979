"""Log models to MLflow in its own format, register them, and set their aliases."""

import json
import logging
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import lightmodel
from lightmodel.contract.columns import Contract
from lightmodel.contract.publication import published
from lightmodel.scoring.model_store import PROFILE
from lightmodel.store.user_code import FOLDER
from lightmodel.tracking.records import AliasUpdate
from lightmodel.tracking.runs import SuppressCode, find_run

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

logger = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION, SINCE = "light_model.version", "light_model.since"
NAME = "model"
LOADER = "lightmodel.tracking.pyfunc"
CODE, DATA = "lightmodel.zip", "version"
SERVING = (
    *("filelock", "joblib", "mlflow", "numpy", "openpyxl", "orjson", "pandas", "pyarrow"),
    *("pydantic", "python-dateutil", "requests"),
)
_LOADED = {
    "model.joblib",
    "manifest.json",
    PROFILE,
    FOLDER,
}  # a compiled model depends on the processor
_UNKNOWN = "ENDPOINT_NOT_FOUND"  # error code of a server without such an endpoint
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that equal code gives equal bytes


def log_and_register(client: "MlflowClient", name: str, run: "Run", version: Path) -> None:
    """Log the model of a run and register it, as far as the server supports this.

    Servers before MLflow 3, hosted ones among them, have no logged models: there the model is logged as
    artifacts of the run.
    """
    model: LoggedModel | None = None
    with SuppressCode(_UNKNOWN):
        model = _log_model(client, run, version)
    if model is None:
        with packed_model(version, run.info.run_id) as folder:
            client.log_artifacts(run.info.run_id, folder, NAME)
    with SuppressCode(_UNKNOWN):
        if _registered(client, name, run) is None:
            _create_registered_model(client, name)
            client.create_model_version(
                name,
                f"models:/{model.model_id}" if model else f"{run.info.artifact_uri}/{NAME}",
                run.info.run_id,
                tags={VERSION: version.name},
                description=version.name,
                model_id=model.model_id if model else None,
            )


def _log_model(client: "MlflowClient", run: "Run", version: Path) -> "LoggedModel":
    """Log the model of a run unless it is logged; delete incomplete ones of killed processes."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    run_id, experiment = run.info.run_id, run.info.experiment_id
    model: LoggedModel | None = None
    for logged in client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
        if logged.status == LoggedModelStatus.READY:
            model = logged
        else:
            client.delete_logged_model(logged.model_id)
    if model is None:
        model = client.create_logged_model(experiment, NAME, run_id)
        with packed_model(version, run_id, model.model_id) as folder:
            client.log_model_artifacts(model.model_id, folder)
        model = client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return model


def _create_registered_model(client: "MlflowClient", name: str) -> None:
    with SuppressCode("RESOURCE_ALREADY_EXISTS"):
        client.create_registered_model(name)


def _registered(client: "MlflowClient", name: str, run: "Run") -> "ModelVersion | None":
    query = f"name = '{name}' and run_id = '{run.info.run_id}'"
    registered = client.search_model_versions(query, max_results=1)
    return registered[0] if registered else None


def set_aliases(client: "MlflowClient", experiment: str, name: str, update: AliasUpdate) -> None:
    """Set the aliases champion and challenger of a registered model, unless a later update was made.

    `experiment` is the id of the experiment that the versions' runs belong to.
    """

    def number_of(version: str) -> str | None:
        run = find_run(client, experiment, version) if version else None
        registered = _registered(client, name, run) if run else None
        if version and registered is None:
            logger.warning(
                "model %s is not logged at MLflow, so no alias points at it; "
                "`python -m lightmodel tracking add %s` logs it",
                version,
                version,
            )
        return str(registered.version) if registered else None

    with SuppressCode(_UNKNOWN):
        _create_registered_model(client, name)
        known = client.get_registered_model(name)
        if known.tags.get(SINCE, "") > update.since:
            return
        champion = number_of(update.champion)
        challenger = number_of(update.challenger) or known.aliases.get(CHALLENGER)
        _set_alias(client, name, CHAMPION, champion)
        _set_alias(client, name, CHALLENGER, challenger if challenger != champion else None)
        client.set_registered_model_tag(name, SINCE, update.since)
        return
    logger.warning("this MLflow has no model registry: models are only logged with their runs")


def _set_alias(client: "MlflowClient", name: str, alias: str, number: str | None) -> None:
    if number is None:
        client.delete_registered_model_alias(name, alias)
    else:
        client.set_registered_model_alias(name, alias, number)


@contextmanager
def packed_model(version: Path, run_id: str, model_id: str | None = None) -> Iterator[str]:
    """Yield a folder in MLflow's format: the version's files, and this package's code as one zip."""
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models import Model

    manifest = json.loads((version / "manifest.json").read_bytes())
    contract = Contract.from_dict(manifest["contract"])
    shown = published(contract, _profile(version))
    samples = [sample["values"] for sample in manifest["samples"]]
    model = Model(run_id=run_id, model_id=model_id)
    with TemporaryDirectory() as folder:
        data, code, target = (Path(folder) / name for name in (DATA, CODE, NAME))
        shutil.copytree(
            version,
            data,
            ignore=lambda at, names: set(names) - _LOADED if at == str(version) else set(),
        )
        _zip_package(code)
        pyfunc.save_model(
            path=str(target),
            loader_module=LOADER,
            data_path=str(data),
            code_paths=[str(code)],
            mlflow_model=model,
            signature=_signature(manifest),
            input_example=pd.DataFrame(list(shown.rows(samples, contract))),
            pip_requirements=_requirements(manifest["libraries"]),
            metadata={
                "version": manifest["version"],
                "contract": shown.contract(manifest["contract"]),
            },
        )
        # Python imports from a zip as from a folder, and one file uploads faster than hundreds.
        model.flavors[pyfunc.FLAVOR_NAME][pyfunc.CODE] = f"code/{CODE}"
        model.save(str(target / "MLmodel"))
        yield str(target)


def _profile(version: Path) -> dict[str, Any]:
    """Return `columns` of the profile of the training table; empty if the version has none."""
    path = version / PROFILE
    columns: dict[str, Any] = json.loads(path.read_bytes())["columns"] if path.is_file() else {}
    return columns


def _requirements(libraries: dict[str, str]) -> list[str]:
    """Return exact pins for scoring: libraries of the model, and those that read rows."""
    pins = {**{name: metadata.version(name) for name in SERVING}, **libraries}
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def _zip_package(path: Path) -> None:
    package = Path(lightmodel.__file__).parent
    with zipfile.ZipFile(path, "w") as archive:
        for module in sorted(package.rglob("*.py")):
            entry = zipfile.ZipInfo(module.relative_to(package.parent).as_posix(), _ZIP_EPOCH)
            archive.writestr(entry, module.read_bytes(), zipfile.ZIP_DEFLATED)


def _signature(manifest: dict[str, Any]) -> "ModelSignature":
    """Return the names and types of the output columns.

    Those of the input stay open, for MLflow converts by them without a word: 3.7 to 3, null to false or to
    "None", and it refuses pandas' int64 for a number. With columns of type `any` its server refuses CSV.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, DataType, Map, Schema

    kinds = {str: DataType.string, bool: DataType.boolean, int: DataType.long}
    columns, task = manifest["contract"]["columns"], manifest["task"]
    outputs: dict[str, Any] = {
        column["name"]: DataType.long if column["type"] == "integer" else DataType.string
        for column in columns
        if column["role"] == "id"
    }
    optional = set(outputs)
    labels = task["labels"] or [0.0]
    outputs["prediction"] = kinds.get(type(labels[0]), DataType.double)
    if task["labels"]:
        outputs["probability"] = DataType.double if len(labels) == 2 else Map(DataType.double)
    specs: list[Any] = [
        ColSpec(kind, name=name, required=name not in optional) for name, kind in outputs.items()
    ]
    return ModelSignature(outputs=Schema(specs))
