"""Log runs to MLflow, each once, with names and lengths of values that it allows."""

import hashlib
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lightmodel.tracking.datasets import EVALUATION, TRAINING, dataset_inputs
from lightmodel.tracking.records import RunRecord

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

logger = logging.getLogger(__name__)

KEY, DIGEST, MISSING = "light_model.key", "light_model.digest", "light_model.files"
PARENT, COMMIT = "mlflow.parentRunId", "mlflow.source.git.commit"
_NOT_ALLOWED = re.compile(r"[^\w\-. /:]")
_LONGEST_NAME, _LONGEST_VALUE, _LONGEST_TAG = 250, 6000, 5000
_FILE_TYPES = {".json", ".html", ".csv", ".png", ".txt", ".yaml"}


@dataclass(frozen=True)
class SuppressCode(AbstractContextManager["SuppressCode", bool]):
    """Suppresses MLflow's errors of one code, as contextlib.suppress does those of one class."""

    code: str

    def __exit__(self, *raised: object) -> bool:
        """Return whether the error has the code, which suppresses it."""
        return getattr(raised[1], "error_code", "") == self.code


def find_run(client: "MlflowClient", experiment: str, key: str) -> "Run | None":
    """Return the run with this key; None where there is none."""
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
    return runs[0] if runs else None


@contextmanager
def log_run(client: "MlflowClient", experiment: str, record: RunRecord) -> Iterator["Run | None"]:
    """Log a run except for its model, which the caller logs inside; finish the run on leaving.

    Yields the run, or None if it was finished with the same record before.
    """
    run = _find_or_create(client, experiment, record.key, record.created)
    digest = hashlib.sha256(json.dumps(asdict(record), default=str).encode()).hexdigest()
    if run.data.tags.get(DIGEST) == digest:
        yield None
        return
    _log_values(client, run, record)
    _log_files(client, run.info.run_id, record)
    yield run
    client.set_tag(run.info.run_id, DIGEST, digest)
    client.set_terminated(run.info.run_id, end_time=_ms(record.ended))


def _find_or_create(client: "MlflowClient", experiment: str, key: str, created: str) -> "Run":
    run = find_run(client, experiment, key)
    return run or client.create_run(experiment, _ms(created), {KEY: key}, key)


def _log_values(client: "MlflowClient", run: "Run", record: RunRecord) -> None:
    from mlflow.entities import Param, RunTag

    tags = _tags(record)
    if record.parent:  # the parent may be logged later; then it is created here
        experiment = run.info.experiment_id
        parent = _find_or_create(client, experiment, record.parent, record.created)
        tags[PARENT] = parent.info.run_id
    client.log_batch(
        run.info.run_id,
        list(_metrics(record)),
        [Param(name, value) for name, value in model_parameters(record).items()],
        [RunTag(name, value) for name, value in tags.items()],
    )
    if given := dataset_inputs(record):
        client.log_inputs(run.info.run_id, list(given.values()))


def _log_files(client: "MlflowClient", run_id: str, record: RunRecord) -> None:
    """Log the files that exist; a tag names those that are missing."""
    missing = [path.name for path in record.files if not path.is_file()]
    files = [path for path in record.files if path.is_file()]
    if record.version and record.manifest:
        files += [path for path in record.version.iterdir() if path.suffix in _FILE_TYPES]
    elif record.version:
        missing.append(f"model {record.version.name}")
    for path in files:
        client.log_artifact(run_id, str(path))
    if missing:
        logger.warning("run %s: missing files are not logged: %s", record.key, ", ".join(missing))
        client.set_tag(run_id, MISSING, f"missing, so not logged: {', '.join(missing)}")


def _tags(record: RunRecord) -> dict[str, str]:
    """Return the tags, with the commit also under the name that MLflow's page shows."""
    tags = {_name(name): str(value)[:_LONGEST_TAG] for name, value in record.tags.items()}
    if commit := record.tags.get("commit"):
        tags[COMMIT] = commit
    return {**tags, KEY: record.key, "light_model.kind": record.kind}


def _metrics(record: RunRecord) -> Iterator["Metric"]:
    """Yield the defined values: metrics at the run's end, and the points of curves."""
    from mlflow.entities import Metric

    single = {name: ((0, value),) for name, value in record.metrics.items()}
    for moment, curves in ((record.ended, single), (record.created, record.curves)):
        for name, points in curves.items():
            for step, value in points:
                if value is not None and math.isfinite(value):
                    yield Metric(_name(name), float(value), _ms(moment), int(step))
    for name, points in record.system.items():
        for step, (moment_s, value) in enumerate(points):
            yield Metric(name, float(value or 0), int(moment_s * 1000), step)


def model_parameters(record: RunRecord) -> dict[str, str]:
    """Return the parameters of a run by the names and with the lengths of values that MLflow allows."""
    return {_name(name): _value(value) for name, value in _flat(record.parameters)}


def model_metrics(record: RunRecord, model_id: str) -> list["Metric"]:
    """Return the metrics of a model, each with the rows that it was measured on, if those are known."""
    from mlflow.entities import Metric

    by_context = {context: one.dataset for context, one in dataset_inputs(record).items()}
    metrics = []
    for name, value in record.metrics.items():
        if value is not None and math.isfinite(value):
            data = by_context.get(EVALUATION if name.startswith("test_") else TRAINING)
            metrics.append(
                Metric(
                    _name(name),
                    float(value),
                    _ms(record.ended),
                    step=0,
                    model_id=model_id,
                    dataset_name=data.name if data else None,
                    dataset_digest=data.digest if data else None,
                )
            )
    return metrics


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested parameters under names with dots."""
    for name, value in parameters.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text[:_LONGEST_VALUE]


def _name(name: str) -> str:
    return _NOT_ALLOWED.sub("_", name)[:_LONGEST_NAME]


def _ms(moment: str) -> int:
    """Convert an ISO time to milliseconds since 1970, as MLflow stores it."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
