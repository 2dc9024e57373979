"""Models at MLflow: logged with their run, registered, and pointed at by two aliases."""

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lightmodel.tracking.packing import pack_model
from lightmodel.tracking.records import RunRecord, Standing

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION, SINCE = "light_model.version", "light_model.since"
NAME = "model"


def keep_model(
    client: "MlflowClient", name: str, run: "Run", version: Path, record: RunRecord
) -> None:
    """Log the model of a run and register it, as far as the server is able to.

    Servers before MLflow 3, hosted ones among them, know no logged models: there it is a folder of the run.
    """
    from mlflow.exceptions import MlflowException

    try:
        model: LoggedModel | None = log_model(client, run, version)
    except MlflowException as error:
        if not is_unknown(error):
            raise
        model = None
        _upload(version, run, None, lambda path: client.log_artifacts(run.info.run_id, path, NAME))
    try:
        register(client, name, run, model, record)
    except MlflowException as error:
        if not is_unknown(error):
            raise
        logger.warning("this MLflow has no registry: %s is kept with its run alone", record.key)


def is_unknown(error: "MlflowException") -> bool:
    """Say whether a server does not know what it was asked for."""
    return error.error_code == "ENDPOINT_NOT_FOUND" or "failed with error code 404" in error.message


def log_model(client: "MlflowClient", run: "Run", version: Path) -> "LoggedModel":
    """Keep the model of a run in MLflow's own format, unless it is there whole."""
    logged = _logged(client, run)
    if logged is not None:
        return logged
    made = client.create_logged_model(run.info.experiment_id, NAME, run.info.run_id)
    _upload(
        version, run, made.model_id, lambda path: client.log_model_artifacts(made.model_id, path)
    )
    ready = client.finalize_logged_model(made.model_id, "READY")
    _connect(client, run, ready)
    return ready


def _connect(client: "MlflowClient", run: "Run", model: "LoggedModel") -> None:
    from mlflow.entities import LoggedModelOutput

    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])


def _logged(client: "MlflowClient", run: "Run") -> "LoggedModel | None":
    """Find a model that is whole; what a killed process left of one is removed."""
    from mlflow.entities import LoggedModelStatus

    ours = f"source_run_id = '{run.info.run_id}'"
    for model in client.search_logged_models([run.info.experiment_id], ours):
        if model.status == LoggedModelStatus.READY:
            _connect(client, run, model)  # that may be where it was killed
            return model
        client.delete_logged_model(model.model_id)
    return None


def _upload(version: Path, run: "Run", model_id: str | None, upload: Callable[[str], None]) -> None:
    from mlflow.models import Model

    folder = Path(tempfile.mkdtemp())
    try:
        pack_model(version, folder / NAME, Model(run_id=run.info.run_id, model_id=model_id))
        upload(str(folder / NAME))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def register(
    client: "MlflowClient",
    name: str,
    run: "Run",
    model: "LoggedModel | None",
    record: RunRecord,
) -> None:
    """Make a version of the registered model of a run's model, unless there is one.

    Args:
        client: of MLflow.
        name: of the registered model.
        run: of the model.
        model: that was logged; None: it is a folder of the run.
        record: of the run.
    """
    if _registered(client, name, run.info.run_id):
        return
    ensure_registered_model(client, name)
    client.create_model_version(
        name,
        f"models:/{model.model_id}" if model else f"{run.info.artifact_uri}/{NAME}",
        run.info.run_id,
        tags={VERSION: record.key},
        description=record.key,
        model_id=model.model_id if model else None,
    )


def ensure_registered_model(client: "MlflowClient", name: str) -> None:
    """Make the registered model where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _registered(client: "MlflowClient", name: str, run_id: str) -> "ModelVersion | None":
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'", max_results=1)
    return found[0] if found else None


def appoint(
    client: "MlflowClient", name: str, standing: Standing, find: Callable[[str], "Run | None"]
) -> None:
    """Move the aliases, unless somebody said later how things stand.

    Args:
        client: of MLflow.
        name: of the registered model.
        standing: which versions are champion and challenger.
        find: gives the run of a version.
    """
    ensure_registered_model(client, name)
    known = client.get_registered_model(name)
    if known.tags.get(SINCE, "") > standing.since:
        return
    champion = _number(client, name, standing.champion, find)
    challenger = _number(client, name, standing.challenger, find) or known.aliases.get(CHALLENGER)
    _point(client, name, CHAMPION, champion)
    _point(client, name, CHALLENGER, challenger if challenger != champion else None)
    client.set_registered_model_tag(name, SINCE, standing.since)


def _number(
    client: "MlflowClient", name: str, version: str, find: Callable[[str], "Run | None"]
) -> str | None:
    """Give MLflow's number of a version of ours."""
    if not version:
        return None
    run = find(version)
    found = _registered(client, name, run.info.run_id) if run else None
    if found is None:
        logger.warning(
            "%s was never told to MLflow, so no alias points at it; "
            "`python -m lightmodel tracking add %s` tells it",
            version,
            version,
        )
    return str(found.version) if found else None


def _point(client: "MlflowClient", name: str, alias: str, number: str | None) -> None:
    if number is None:
        client.delete_registered_model_alias(name, alias)
    else:
        client.set_registered_model_alias(name, alias, number)
