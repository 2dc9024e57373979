"""Log models to MLflow, register them, and set their aliases."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from lightmodel.tracking.model_folder import NAME, packed_model
from lightmodel.tracking.records import AliasUpdate, RunRecord
from lightmodel.tracking.runs import SuppressCode, find_run, model_metrics, model_parameters

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION, SINCE = "light_model.version", "light_model.since"
_UNKNOWN = "ENDPOINT_NOT_FOUND"  # error code of a server without such an endpoint


def log_and_register(
    client: "MlflowClient", name: str, run: "Run", record: RunRecord, version: Path
) -> None:
    """Log the model of a run and register it, as far as the server supports this.

    Servers before MLflow 3, hosted ones among them, have no logged models: there the model is logged as
    artifacts of the run. `version` is the folder of the model's version.
    """
    model: LoggedModel | None = None
    with SuppressCode(_UNKNOWN):
        model = _log_model(client, run, record, version)
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


def _log_model(
    client: "MlflowClient", run: "Run", record: RunRecord, version: Path
) -> "LoggedModel":
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
        parameters = model_parameters(record)
        model = client.create_logged_model(experiment, NAME, run_id, params=parameters)
        with packed_model(version, run_id, model.model_id) as folder:
            client.log_model_artifacts(model.model_id, folder)
        model = client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_batch(run_id, model_metrics(record, model.model_id))
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
