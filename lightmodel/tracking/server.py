"""MLflow, in its own data base or behind a server."""

import logging
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightmodel.errors import ConfigError
from lightmodel.store.manifest import read_json
from lightmodel.tracking.failures import told
from lightmodel.tracking.models import appoint, is_unknown, keep_model
from lightmodel.tracking.records import Destination, RunRecord, Standing
from lightmodel.tracking.runs import (
    DIGEST,
    GONE,
    KEY,
    PARENT,
    dataset_of,
    digest_of,
    log_numbers,
    milliseconds,
    tags_of,
)

if TYPE_CHECKING:  # it takes seconds to import
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

_SERVERS = ("http://", "https://", "databricks")
OF_VERSIONS = (
    *("manifest.json", "report.html", "verdict.json", "metrics.json", "cv_results.csv"),
    *("contract.json", "profile.json", "checks.json", "python_env.yaml", "requirements.txt"),
    *("attempts.json",),
    *(
        f"feature_importance_{kind}.{form}"
        for kind in ("gain", "split")
        for form in ("json", "png")
    ),
)


@dataclass(frozen=True)
class MlflowTracker:
    """Tells MLflow; see `Tracker`.

    Attributes:
        client: of MLflow.
        artifacts: folder of the files, where no server decides on that.
    """

    client: "MlflowClient"
    artifacts: Path | None
    _experiments: dict[str, str] = field(default_factory=dict)

    def send(self, record: RunRecord, to: Destination) -> None:
        """Keep a run; see `Tracker`."""
        with told():
            experiment = self._experiment(to.experiment)
            run = self._find(experiment, record.key) or self._start(experiment, record)
            if run.data.tags.get(DIGEST) == digest_of(record):
                return
            self._fill(run, record, to)
            self.client.set_tag(run.info.run_id, DIGEST, digest_of(record))
            ended = milliseconds(record.ended)
            self.client.set_terminated(run.info.run_id, end_time=ended)

    def appoint(self, standing: Standing, to: Destination) -> None:
        """Move the aliases; see `Tracker`."""
        from mlflow.exceptions import MlflowException

        with told():
            experiment = self._experiment(to.experiment)
            try:
                appoint(self.client, to.model, standing, lambda key: self._find(experiment, key))
            except MlflowException as error:
                if not is_unknown(error):
                    raise
                logger.warning("this MLflow has no registry: nothing says which version is served")

    def _fill(self, run: "Run", record: RunRecord, to: Destination) -> None:
        name = run.info.run_id
        log_numbers(self.client, name, record)
        if parent := self._parent(run.info.experiment_id, record):
            self.client.set_tag(name, PARENT, parent.info.run_id)
        version = record.version if record.version and _is_there(record.version) else None
        dataset = dataset_of(record, _columns(version))
        if dataset:
            self.client.log_inputs(name, [dataset])
        self._log_files(name, record, version)
        if record.kind == "model" and version:
            keep_model(self.client, to.model, run, version, record)

    def _log_files(self, run: str, record: RunRecord, version: Path | None) -> None:
        """Keep the files that are still there, and say which are not."""
        of_version = [version / name for name in OF_VERSIONS] if version else []
        gone = [path.name for path in record.files if not path.is_file()]
        if record.version and version is None:
            gone.append(f"model {record.version.name}")
        folder = Path(tempfile.mkdtemp())
        try:
            for path in (*of_version, *record.files):
                if path.is_file():
                    shutil.copyfile(path, folder / path.name)
            self.client.log_artifacts(run, str(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if gone:
            logger.warning("%s: gone before they were tracked: %s", record.key, ", ".join(gone))
            self.client.set_tag(run, GONE, f"gone before they were tracked: {', '.join(gone)}")

    def _parent(self, experiment: str, record: RunRecord) -> "Run | None":
        """Give the run that this one is a part of; one that was not told yet is begun."""
        if not record.parent:
            return None
        found = self._find(experiment, record.parent)
        return found or self.client.create_run(
            experiment,
            milliseconds(record.created),
            tags={KEY: record.parent},
            run_name=record.parent,
        )

    def _find(self, experiment: str, key: str) -> "Run | None":
        found = self.client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        return found[0] if found else None

    def _start(self, experiment: str, record: RunRecord) -> "Run":
        started = milliseconds(record.created)
        return self.client.create_run(experiment, started, tags_of(record), record.key)

    def _experiment(self, name: str) -> str:
        """Give the id of an experiment, which is made where there is none."""
        if name not in self._experiments:
            self._experiments[name] = self._found_or_made(name)
        return self._experiments[name]

    def _found_or_made(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = self.artifacts.absolute().as_uri() if self.artifacts else None
            try:
                return str(self.client.create_experiment(name, location))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise ConfigError(
                f"the experiment {name!r} was deleted at MLflow",
                hint="restore it there, or set tracking.experiment to another name",
            )
        return str(found.experiment_id)


def _is_there(version: Path) -> bool:
    return (version / "manifest.json").is_file()


def _columns(version: Path | None) -> list[dict[str, Any]]:
    if version is None:
        return []
    manifest = read_json((version / "manifest.json").read_bytes(), f"{version.name}/manifest.json")
    return list(manifest["contract"]["columns"])


def open_mlflow(uri: str, folder: Path) -> MlflowTracker:
    """Connect to MLflow.

    Args:
        uri: of a server or a data base; auto: a SQLite file in `folder`.
        folder: of that file, and of mlartifacts/ where no server keeps the files.

    Raises:
        ConfigError: MLflow is not installed, or knows no such address.
        SourceUnavailable: the data base cannot be opened.
    """
    try:
        import mlflow
    except ImportError:
        raise ConfigError(
            "tracking wants MLflow, which is not installed",
            hint='`pip install -r requirements.txt`; tracking.uri = "none" does without',
        ) from None
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with told():
        address = _own_data_base(folder) if uri == "auto" else uri
        mlflow.set_tracking_uri(address)
        client = mlflow.MlflowClient(address)
    return MlflowTracker(client, None if uri.startswith(_SERVERS) else folder / "mlartifacts")


def _own_data_base(folder: Path) -> str:
    """Give the address of the SQLite file; it gets its name once its tables are made.

    Making them takes seconds, and a process that is killed over it would leave half of them.
    """
    import mlflow

    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / "mlflow.db"
    if not path.exists():
        part = Path(tempfile.mkdtemp(dir=folder, suffix=".part")) / path.name
        try:
            mlflow.MlflowClient(f"sqlite:///{part}")
            _name_once(part, path)
        finally:
            shutil.rmtree(part.parent, ignore_errors=True)
    return f"sqlite:///{path}"


def _name_once(part: Path, path: Path) -> None:
    """Give a file its name, unless another process was sooner."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        pass
    except OSError:  # some volumes know no hard links
        if not path.exists():
            part.replace(path)


def variables(username: str, password: str, token: str, timeout_s: float) -> dict[str, str]:
    """Give the environment variables that MLflow reads: secrets, patience, and no calls home."""
    secret = {
        "MLFLOW_TRACKING_USERNAME": username,
        "MLFLOW_TRACKING_PASSWORD": password,
        "MLFLOW_TRACKING_TOKEN": token,
    }
    return {
        **{name: value for name, value in secret.items() if value},
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(timeout_s))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
