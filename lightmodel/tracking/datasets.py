"""Describe the tables of a run as MLflow's data sets, without reading them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lightmodel.tracking.records import RunRecord

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow.entities import DatasetInput

TRAINING, EVALUATION = "training", "evaluation"  # as MLflow names the contexts
_LONGEST_NAME, _DIGEST_LENGTH = 250, 36
_COLUMN_TYPES = {"integer": "long", "number": "double", "boolean": "boolean", "date": "datetime"}


def dataset_inputs(record: RunRecord) -> dict[str, "DatasetInput"]:
    """Return the table that a model was trained on and its test rows, by context, where they are known."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source, sha256 = record.tags.get("data.source"), record.tags.get("data.sha256")
    if not source or not sha256:
        return {}
    scheme = source.partition("://")[0] if "://" in source else "local"
    kind = "http" if scheme == "https" else scheme
    name = source.partition("?")[0].rstrip("/").rpartition("/")[2] or "table"
    address = {"url" if kind == "http" else "uri": source, "sha256": sha256}
    counts = ((name, value) for name, value in record.metrics.items() if name.startswith("rows_"))
    rows = {name: int(value) for name, value in counts if value is not None}
    schema = _schema(record.manifest) if record.manifest else None
    tested = {"rows_test": rows["rows_test"]} if "rows_test" in rows else {}
    given = {
        TRAINING: (name, sha256, rows),
        EVALUATION: (f"{name} (test rows)", record.tags.get("data.test_sha256"), tested),
    }
    return {
        context: DatasetInput(
            Dataset(
                name=title[:_LONGEST_NAME],
                digest=digest[:_DIGEST_LENGTH],
                source_type=kind,
                source=json.dumps(address),
                schema=schema,
                profile=json.dumps(profile),
            ),
            [InputTag("mlflow.data.context", context)],
        )
        for context, (title, digest, profile) in given.items()
        if digest
    }


def _schema(manifest: Path) -> str:
    columns = [
        {
            "type": _COLUMN_TYPES.get(column["type"], "string"),
            "name": column["name"],
            "required": not column["missing"],
        }
        for column in json.loads(manifest.read_bytes())["contract"]["columns"]
    ]
    return json.dumps({"mlflow_colspec": columns})
