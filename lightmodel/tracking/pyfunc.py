"""The model that MLflow loads: it scores rows as the service does."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightmodel.config import load
from lightmodel.contract.cells import normalize_name
from lightmodel.errors import ContractViolation, DataError, LightModelError
from lightmodel.scoring.model_store import open_version
from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.store.manifest import Manifest, read_json
from lightmodel.store.versions import Version
from lightmodel.tables.blocks import ValidationReport
from lightmodel.tables.column_rules import request_hint
from lightmodel.tables.file_forms import WRAPPERS
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.json_forms import extract_records
from lightmodel.tables.json_text import Record

logger = logging.getLogger(__name__)

_BLOCK_ROWS = 10_000


@dataclass(frozen=True)
class RowModel:
    """A model with the interface that MLflow expects."""

    served: LoadedModel

    def predict(self, rows: object, params: Mapping[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 — MLflow passes both
        """Return id, prediction and probability of each row, as the service's JSON has them.

        `rows` is a DataFrame with the contract's columns, or what MLflow's scoring server makes of
        `inputs` and `instances`: records, columns by name, or rows of values in training order.

        Raises:
            MlflowException: the rows do not fit the contract; all violations are named.
        """
        frame = rows if isinstance(rows, pd.DataFrame) else None
        try:
            answered = self._answer(rows if frame is None else _blocks(frame, self.served))
        except LightModelError as error:
            from mlflow.exceptions import MlflowException
            from mlflow.protos.databricks_pb2 import BAD_REQUEST, INVALID_PARAMETER_VALUE

            text = f"{error.message}; {error.hint}" if error.hint else error.message
            is_row = isinstance(error, ContractViolation)
            raise MlflowException(
                text, error_code=INVALID_PARAMETER_VALUE if is_row else BAD_REQUEST
            ) from error
        if frame is not None:
            answered.index = frame.index
        return answered

    def _answer(self, rows: object) -> pd.DataFrame:
        features = self.served.contract.feature_names
        blocks = rows if isinstance(rows, Iterator) else iter([_records(_plain(rows), features)])
        dialect = self.served.body_reader.dialect
        reader = JsonBlocks(self.served.rules, frozenset(dialect.na_values))
        findings, answered = ValidationReport(), list[Answers]()
        for records in blocks:
            block = reader.block(records)
            findings.add(block)
            if not findings.violations:
                answered.append(self.served.predictor.answer(block))
        if violations := findings.violations:
            hint = request_hint(violations)
            raise ContractViolation(violations, what="the table", hint=hint)
        for found, what in (
            (findings.missing, "no value, which none lacked in training"),
            (findings.out_of_range, "a number far outside the range of training"),
        ):
            for name, count in found.items():
                logger.warning("column %r: %d rows have %s", name, count, what)
        return pd.concat([_frame(one) for one in answered], ignore_index=True)


def _frame(answers: Answers) -> pd.DataFrame:
    """Return answers as a table; a missing id is None, not NaN, which JSON does not know."""
    frame = pd.DataFrame(answers.columns())
    if answers.ids is not None and answers.id_name is not None:
        frame[answers.id_name] = pd.Series(list(answers.ids), dtype=object)
    return frame


def _load_pyfunc(path: str) -> RowModel:
    """Open the version in a folder; MLflow calls this function by its name.

    Settings come from the environment only: the working folder is another program's.

    Raises:
        ArtefactCorrupt: it does not match its manifest, or scores its sample rows differently.
    """
    folder = Path(path)
    data = (folder / "manifest.json").read_bytes()
    name = str(read_json(data, folder.name).get("version"))
    manifest = Manifest.from_json(data, name)
    kept = {file: entry for file, entry in manifest.files.items() if (folder / file).is_file()}
    config = load(Path(os.devnull)).config
    return RowModel(open_version(Version(name, folder, replace(manifest, files=kept)), config))


def _blocks(frame: pd.DataFrame, served: LoadedModel) -> Iterator[list[Record]]:
    """Yield a table as records, in blocks of 10,000 rows.

    Raises:
        ContractViolation: columns are missing, or occur twice.
        DataError: the table has no rows.
    """
    served.rules.map_columns(tuple(map(normalize_name, frame.columns)))
    if frame.empty:
        raise DataError("the table holds no rows")
    for start in range(0, len(frame), _BLOCK_ROWS):
        part = frame.iloc[start : start + _BLOCK_ROWS]
        columns = {str(name): _cells(part[name]) for name in frame.columns}
        yield [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _cells(column: "pd.Series[Any]") -> list[Any]:
    cells = column.astype(object).where(column.notna(), None).tolist()
    return [_plain(cell) for cell in cells] if column.dtype == object else cells


def _records(content: object, features: Sequence[str]) -> list[Record]:
    """Return the records in a document, or in what is the value of `inputs` in one."""
    if isinstance(content, Mapping) and content.keys() & set(WRAPPERS):
        return extract_records(content, features)
    return extract_records({"inputs": content}, features)


def _plain(value: object) -> object:
    """Convert NumPy's values to Python's."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
