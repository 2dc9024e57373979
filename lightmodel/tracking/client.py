"""MLflow, in its own database or behind a server: connecting, and what its errors mean."""

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
from lightmodel.tracking.models import keep_model, set_aliases
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
        client: of MLflow.
        artifacts: folder of the files, where no server decides on that.
    """

    client: "MlflowClient"
    artifacts: Path | None

    def send(self, pending: PendingRun) -> None:
        """Log a run, register its model, and set the aliases.

        What is sent twice is there once; what a killed process sent half is completed. A file or
        folder that is gone is left out, and a tag of the run names it.

        Raises:
            SourceUnavailable: MLflow does not answer, or not now.
            ConfigError: it refuses. No error quotes a secret.
        """
        with translate_mlflow_errors():
            experiment = self._experiment(pending.experiment)
            if pending.run:
                with log_run(self.client, experiment, pending.run) as run:
                    if run and pending.run.version and pending.run.manifest:
                        keep_model(self.client, pending.model, run, pending.run.version)
            if pending.aliases:
                set_aliases(self.client, experiment, pending.model, pending.aliases)

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment, which is created where there is none."""
        if self.client.get_experiment_by_name(name) is None:
            location = self.artifacts.absolute().as_uri() if self.artifacts else None
            with SuppressCode("RESOURCE_ALREADY_EXISTS"):
                self.client.create_experiment(name, location)
        found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise ConfigError(
                f"the experiment {name!r} was deleted at MLflow",
                hint="restore it there, or set tracking.experiment to another name",
            )
        return str(found.experiment_id)


def connect(tracking: TrackingSection) -> Tracker:
    """Connect to what tracking.uri names.

    Raises:
        ConfigError: MLflow is not installed, or knows no such address.
        SourceUnavailable: the database cannot be opened.
    """
    environment.export(_variables(tracking))
    try:
        import mlflow
    except ImportError:
        raise ConfigError(
            "tracking wants MLflow, which is not installed",
            hint='`pip install -r requirements.txt`; tracking.uri = "none" does without',
        ) from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with translate_mlflow_errors():
        uri = _create_database(tracking.folder) if tracking.uri == "auto" else tracking.uri
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
    return Tracker(client, None if uri.startswith(_SERVERS) else tracking.folder / "mlartifacts")


def _variables(tracking: TrackingSection) -> dict[str, str]:
    """Return the environment variables that MLflow reads: secrets, time limits, no calls home."""
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
    """Return the address of the SQLite file, which gets its name once its tables are there.

    Creating them takes seconds, and a process that is killed meanwhile leaves half of them.
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
        SourceUnavailable: it does not answer, or not now.
        ConfigError: it refuses.
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
            f"MLflow refuses: {text}", hint="look at tracking.uri and who may write there"
        )
    return SourceUnavailable(
        f"MLflow does not answer: {text}",
        hint="`python -m lightmodel tracking resend` uploads the queue, once it does",
    )
