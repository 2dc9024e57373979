"""Feedback: labels that arrive after the predictions, and the live metrics computed from them.

A table of feedback has the id and the target; each id gets one label, as text.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from lightmodel.config import Config
from lightmodel.contract.cells import MISSING, UNSEEN, Mask, is_marker
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Label, Task, TaskKind, label_name
from lightmodel.errors import SHOWN_ROWS, ArtefactMissing, ContractViolation, DataError, Violation
from lightmodel.predictions.base import id_text
from lightmodel.predictions.factory import open_sink
from lightmodel.scoring.predictor import LoadedModel, body_reader
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from lightmodel.tables.blocks import Block, ValidationReport
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.byte_stream import read_chunks
from lightmodel.tables.row_rules import RowRules

_TABLE = "the table of labels"


@dataclass(frozen=True)
class LateLabels:
    """Labels that arrived after the predictions.

    Attributes:
        labels: id → the task's label or the number, as text; the last row of an id wins.
        rows: the number of rows in the table.
        empty: the number of rows without a label; they are left out.
    """

    labels: Mapping[str, str]
    rows: int
    empty: int


def label_contract(contract: Contract) -> Contract:
    """Return the contract of a table of labels: the model's id, and its target as the only feature.

    Raises:
        DataError: the model's table has no id.
    """
    if contract.id is None:
        raise DataError(
            "the model's table has no id column, so labels cannot be matched",
            hint="set data.id to the name of the id column, and train again",
        )
    kind, written = _type_of(contract.task), contract.target.format
    target = Column(contract.target.name, Role.FEATURE, kind, missing=True, format=written)
    if target.type is ColumnType.CATEGORY:
        target = replace(target, categories=tuple(map(label_name, contract.task.labels)))
    return replace(contract, columns=(contract.id, target))


def _type_of(task: Task) -> ColumnType:
    if task.kind is TaskKind.REGRESSION:
        return ColumnType.NUMBER
    kinds = set(map(type, task.labels))
    if kinds == {bool}:
        return ColumnType.BOOLEAN
    return ColumnType.NUMBER if kinds <= {int, float} else ColumnType.CATEGORY


def label_reader(model: LoadedModel, config: Config) -> BodyReader:
    """Return the reader of requests that carry labels for this model's rows."""
    return body_reader(RowRules(label_contract(model.contract)), model.row_reader, config)


def label_blocks(file: Path, contract: Contract, config: Config) -> Iterator[Block]:
    """Yield the labels of a file in any supported format and of any size."""
    from lightmodel.tables.arrow_rows import read_rows  # imports Arrow, which is slow

    reader = body_reader(RowRules(label_contract(contract)), read_rows, config)
    limits = Limits(sys.maxsize, sys.maxsize, config.serve.max_columns)
    return replace(reader, limits=limits).read(read_chunks(file))


def late_labels(blocks: Iterable[Block], contract: Contract) -> LateLabels:
    """Collect the labels of rows that were read by `label_contract`.

    Raises:
        ContractViolation: ids are missing, or values are not labels of the task.
    """
    id_name = contract.id.name if contract.id else ""
    label_text, labels = _label_formatter(contract.task), dict[str, str]()
    findings, empty = ValidationReport(), 0
    for block in blocks:
        if block.ids is None:
            absent = Violation(id_name, "absent", "is not in the table")
            raise ContractViolation([absent], what=_TABLE)
        values = np.ascontiguousarray(block.features[:, 0])
        present = ~is_marker(values, MISSING)
        empty += int((~present).sum())
        ids = [id_text(value) or None for value in block.ids]
        texts = [label_text(value) for value in values.tolist()]
        invalid = is_marker(values, UNSEEN)
        invalid |= np.array([text is None for text in texts], np.bool_) & np.isfinite(values)
        missing = np.array([key is None for key in ids], np.bool_) & present
        violations = _violations((id_name, "missing", "has no value"), missing)
        rule = (contract.target.name, "label", "is not a label of the model")
        violations += _violations(rule, invalid)
        findings.add(replace(block, violations=(*block.violations, *violations)))
        pairs = zip(ids, texts, strict=True)
        labels.update((key, text) for key, text in pairs if key is not None and text is not None)
    if findings.violations:
        raise ContractViolation(findings.violations, what=_TABLE)
    return LateLabels(labels, findings.rows, empty)


def _violations(rule: tuple[str, str, str], invalid: Mask) -> list[Violation]:
    rows = (np.flatnonzero(invalid) + 1).tolist()
    return [Violation(*rule, tuple(rows[:SHOWN_ROWS]), len(rows))] if rows else []


def _label_formatter(task: Task) -> Callable[[float], str | None]:
    """Return a function from a value to its label's text, or to None if it is missing or no label."""
    kind = _type_of(task)
    if task.kind is TaskKind.REGRESSION:
        return lambda value: repr(value) if math.isfinite(value) else None
    keys: Iterable[Label] = task.labels
    if kind is ColumnType.CATEGORY:
        keys = range(len(task.labels))
    names = {float(key): label_name(label) for key, label in zip(keys, task.labels, strict=True)}
    return names.get


def add_ground_truth(config: Config, blocks: Iterable[Block], contract: Contract) -> dict[str, int]:
    """Store labels, read by `label_contract`, in the prediction log.

    Returns:
        The number of rows, of rows without a label, and of ids with and without an answer.

    Raises:
        ContractViolation: ids are missing, or values are not labels of the task.
        SourceUnavailable: the database is down.
    """
    late = late_labels(blocks, contract)
    with closing(open_sink(config)) as sink:
        matched = sink.add_ground_truth(late.labels, datetime.now(UTC))
    return {
        "rows": late.rows,
        "matched": matched,
        "unmatched": len(late.labels) - matched,
        "without_label": late.empty,
    }


def newest_contract(config: Config) -> Contract:
    """Return the contract of the newest approved model, without loading the model.

    Raises:
        ArtefactMissing: there is none.
    """
    version = newest_approved(models_of(config))
    if version.manifest.contract is None:
        raise ArtefactMissing(f"{version.name} has no contract", hint="train a new model")
    return Contract.from_dict(version.manifest.contract)
