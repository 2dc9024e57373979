"""A run record as MLflow takes it: names it allows, values it has room for, batches of its size."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from lightmodel.tracking.records import RunRecord

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Param

KEY, DIGEST, GONE = "light_model.key", "light_model.digest", "light_model.files"
PARENT, COMMIT = "mlflow.parentRunId", "mlflow.source.git.commit"
_NOT_ALLOWED = re.compile(r"[^\w\-. /:]")
_LONGEST_NAME, _LONGEST_VALUE, _LONGEST_TAG = 250, 6000, 5000
_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 500
_DIGEST_LETTERS = 36


def digest_of(record: RunRecord) -> str:
    """Give what tells two states of one run apart."""
    return hashlib.sha256(json.dumps(asdict(record), default=str).encode()).hexdigest()


def milliseconds(moment: str) -> int:
    """Turn an ISO time into MLflow's."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def log_numbers(client: "MlflowClient", run: str, record: RunRecord) -> None:
    """Write parameters, tags and metrics; the same ones again change nothing."""
    from mlflow.entities import RunTag

    tags = [RunTag(name, value) for name, value in tags_of(record).items()]
    client.log_batch(run, tags=tags)
    for params in _batches(_params(record.parameters), _PARAMS_AT_ONCE):
        client.log_batch(run, params=params)
    for metrics in _batches(_metrics(record), _METRICS_AT_ONCE):
        client.log_batch(run, metrics=metrics)


def tags_of(record: RunRecord) -> dict[str, str]:
    """Give the tags, the commit under the name that MLflow's page knows."""
    tags = {_name(name): str(value)[:_LONGEST_TAG] for name, value in record.tags.items()}
    if commit := record.tags.get("commit"):
        tags[COMMIT] = commit
    return {**tags, KEY: record.key, "light_model.kind": record.kind}


def dataset_of(record: RunRecord, columns: Sequence[Mapping[str, Any]]) -> "DatasetInput | None":
    """Describe the table that a model was made of, without reading it; None where nobody knows it."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source, sha256 = record.tags.get("data.source"), record.tags.get("data.sha256")
    if not source or not sha256:
        return None
    scheme = source.partition("://")[0] if "://" in source else "local"
    kind = "http" if scheme == "https" else scheme
    where = {"url" if kind == "http" else "uri": source, "sha256": sha256}
    schema = {"mlflow_colspec": [_column(column) for column in columns]}
    rows = {name: int(value) for name, value in record.metrics.items() if name.startswith("rows_")}
    found = Dataset(
        name=_data_name(source),
        digest=sha256[:_DIGEST_LETTERS],
        source_type=kind,
        source=json.dumps(where),
        schema=json.dumps(schema) if columns else None,
        profile=json.dumps(rows),
    )
    return DatasetInput(found, [InputTag("mlflow.data.context", "training")])


_TYPES = {"integer": "long", "number": "double", "boolean": "boolean", "date": "datetime"}


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    kind = _TYPES.get(column["type"], "string")
    return {"type": kind, "name": column["name"], "required": not column["missing"]}


def _data_name(source: str) -> str:
    name = source.partition("?")[0].rstrip("/").rpartition("/")[2]
    return name[:_LONGEST_NAME] or "table"


def _params(parameters: Mapping[str, Any]) -> Iterator["Param"]:
    from mlflow.entities import Param

    for name, value in flattened(parameters):
        yield Param(_name(name), _value(value))


def flattened(parameters: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested parameters under names with dots."""
    for name, value in parameters.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _metrics(record: RunRecord) -> Iterator["Metric"]:
    from mlflow.entities import Metric

    started, ended = milliseconds(record.created), milliseconds(record.ended)
    for name, value in record.metrics.items():
        yield Metric(_name(name), float(value), ended, 0)
    for name, points in record.curves.items():
        for at, value in points:
            yield Metric(_name(name), float(value), started, int(at))


def _name(name: str) -> str:
    return _NOT_ALLOWED.sub("_", name)[:_LONGEST_NAME]


def _batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(items, size)):
        yield batch
