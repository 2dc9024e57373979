"""Connect to MLflow, in a local database or on a server, and translate its errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from lightmodel.config import TrackingSection, environment
from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, LightModelError, SourceUnavailable
from lightmodel.tracking.models import log_and_register, set_aliases
from lightmodel.tracking.records import PendingRun
from lightmodel.tracking.runs import SuppressCode, log_run

if TYPE_CHECKING:  # it takes seconds to import
    from mlflow import MlflowClient

_SERVERS = ("http://", "https://", "databricks")
_REFUSED = frozenset({400, 401, 403, 404})
_REFUSED_CODES = frozenset({"FEATURE_DISABLED", "INVALID_STATE"})  # MLflow counts them as 500
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Tracker:
    """A connection to MLflow.

    Attributes:
        client: MLflow's client.
        artifacts: folder of artifacts; None if a server decides where they are stored.
    """

    client: "MlflowClient"
    artifacts: Path | None

    def send(self, pending: PendingRun) -> None:
        """Log a run, register its model, and set the aliases.

        A run that is sent twice is logged once; what a killed process sent partly is completed. A
        missing file or folder is left out, and a tag of the run names it.

        Raises:
            SourceUnavailable: MLflow does not answer, or has a temporary failure.
            ConfigError: MLflow refuses the request. No error message contains a secret.
        """
        with translate_mlflow_errors():
            experiment = self._experiment_id(pending.experiment)
            if pending.run:
                with log_run(self.client, experiment, pending.run) as run:
                    if run and pending.run.version and pending.run.manifest:
                        log_and_register(
                            self.client, pending.model, run, pending.run, pending.run.version
                        )
            if pending.aliases:
                set_aliases(self.client, experiment, pending.model, pending.aliases)

    def _experiment_id(self, name: str) -> str:
        """Return the id of an experiment, which is created if it does not exist."""
        if self.client.get_experiment_by_name(name) is None:
            location = self.artifacts.absolute().as_uri() if self.artifacts else None
            with SuppressCode("RESOURCE_ALREADY_EXISTS"):
                self.client.create_experiment(name, location)
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage != "active":
            raise ConfigError(
                f"the MLflow experiment {name!r} was deleted",
                hint="restore it there, or set tracking.experiment to another name",
            )
        return str(experiment.experiment_id)


def connect(tracking: TrackingSection) -> Tracker:
    """Connect to MLflow at tracking.uri.

    Raises:
        ConfigError: MLflow is not installed, or does not support the URI.
        SourceUnavailable: the database cannot be opened.
    """
    environment.export(_variables(tracking))
    try:
        import mlflow
    except ImportError:
        raise ConfigError(
            "tracking needs MLflow, which is not installed",
            hint='`pip install -r requirements.txt`, or set tracking.uri = "none"',
        ) from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with translate_mlflow_errors():
        uri = _create_database(tracking.folder) if tracking.uri == "auto" else tracking.uri
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
    return Tracker(client, None if uri.startswith(_SERVERS) else tracking.folder / "mlartifacts")


def _variables(tracking: TrackingSection) -> dict[str, str]:
    """Return environment variables for MLflow: secrets, timeouts, and telemetry switched off."""
    secrets = {name: getattr(tracking, name) for name in ("username", "password", "token")}
    return {
        **{
            f"MLFLOW_TRACKING_{name}".upper(): secret.get_secret_value()
            for name, secret in secrets.items()
            if secret
        },
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(tracking.timeout_s))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def _create_database(folder: Path) -> str:
    """Return the URI of the SQLite file, which is created under another name, then renamed.

    Creating its tables takes seconds, and a process that is killed meanwhile leaves only some of them.
    """
    import mlflow

    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / "mlflow.db"
    part = path.with_name("mlflow.db.part")
    with FileLock(path.with_name("mlflow.db.lock")):
        if not path.exists():
            part.unlink(missing_ok=True)
            mlflow.MlflowClient(f"sqlite:///{part}")
            part.replace(path)
    return f"sqlite:///{path}"


@contextmanager
def translate_mlflow_errors() -> Iterator[None]:
    """Turn what MLflow raises into errors of this project.

    Raises:
        SourceUnavailable: MLflow does not answer, or has a temporary failure.
        ConfigError: MLflow refuses the request.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]  # MLflow's own
        refused = status in _REFUSED or error.error_code in _REFUSED_CODES
        raise _translated(error.message, refused=refused) from error
    except (SQLAlchemyError, OSError) as error:  # those of requests among them
        response = getattr(error, "response", None)
        refused = getattr(response, "status_code", 0) in _REFUSED
        raise _translated(str(error), refused=refused) from error
    except PackageNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed", hint="install what made it") from error


def _translated(message: str, *, refused: bool) -> LightModelError:
    text = redacted(" ".join(message.split()))[:_LONGEST_MESSAGE]
    if refused:
        return ConfigError(
            f"MLflow refuses: {text}", hint="check tracking.uri, and your permission to write there"
        )
    return SourceUnavailable(
        f"MLflow does not answer: {text}",
        hint="once it answers, `python -m lightmodel tracking resend` uploads the queue",
    )
