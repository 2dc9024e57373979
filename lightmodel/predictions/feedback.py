"""Labels that are known later: from rows with an id and the target to one label, as text, for each id."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightmodel.config import Config
from lightmodel.contract.cells import NOT_THERE, UNSEEN, Mask, is_marked
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Label, Task, TaskKind, label_name
from lightmodel.errors import SHOWN_ROWS, ContractViolation, DataError, Violation
from lightmodel.predictions.base import id_text
from lightmodel.scoring.predictor import LoadedModel, body_reader
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.byte_stream import pieces_of
from lightmodel.tables.row_rules import Block, Findings, RowRules

_WHAT = "the table of labels"


@dataclass(frozen=True)
class Truths:
    """Late labels.

    Attributes:
        labels: id → the task's label or the number, as text; the last row of an id wins.
        rows: of the table.
        empty: rows whose label is not there yet; they are left out.
    """

    labels: Mapping[str, str]
    rows: int
    empty: int


def label_contract(contract: Contract) -> Contract:
    """Return what a table of late labels must fit: the model's id, and its target as the only feature.

    Raises:
        DataError: the model's table has no id.
    """
    if contract.id is None:
        raise DataError(
            "the model's table has no id column, so that labels cannot be matched",
            hint="name the column in data.id, and train on it",
        )
    target = Column(contract.target.name, Role.FEATURE, _type_of(contract.task), missing=True)
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
    """Return what reads late labels of a model's rows out of requests."""
    return body_reader(RowRules(label_contract(model.contract)), model.row_reader, config)


def label_blocks(file: Path, contract: Contract, config: Config) -> Iterator[Block]:
    """Yield late labels from a file of any form, however big it is."""
    reader = body_reader(RowRules(label_contract(contract)), read_rows, config)
    limits = Limits(sys.maxsize, sys.maxsize, config.serve.max_columns)
    return replace(reader, limits=limits).read(pieces_of(file))


def truths_of(blocks: Iterable[Block], contract: Contract) -> Truths:
    """Collect the labels of rows that were read by `label_contract`.

    Raises:
        ContractViolation: ids are missing, or values are no labels of the task.
    """
    id_name = contract.id.name if contract.id else ""
    name_of, labels = _names(contract.task), dict[str, str]()
    findings, empty = Findings(), 0
    for block in blocks:
        if block.ids is None:
            absent = Violation(id_name, "absent", "is not in the table")
            raise ContractViolation([absent], what=_WHAT)
        values = np.ascontiguousarray(block.features[:, 0])
        there = ~is_marked(values, NOT_THERE)
        empty += int((~there).sum())
        known = [id_text(value) or None for value in block.ids]
        named = [name_of(value) for value in values.tolist()]
        wrong = is_marked(values, UNSEEN)
        wrong |= np.array([name is None for name in named], np.bool_) & np.isfinite(values)
        missing = np.array([key is None for key in known], np.bool_) & there
        found = _violations((id_name, "missing", "has no value"), missing)
        found += _violations((contract.target.name, "label", "is not a label of the model"), wrong)
        findings.add(replace(block, violations=(*block.violations, *found)))
        pairs = zip(known, named, strict=True)
        labels.update((key, name) for key, name in pairs if key is not None and name is not None)
    if findings.violations:
        raise ContractViolation(findings.violations, what=_WHAT)
    return Truths(labels, findings.rows, empty)


def _violations(rule: tuple[str, str, str], wrong: Mask) -> list[Violation]:
    rows = (np.flatnonzero(wrong) + 1).tolist()
    return [Violation(*rule, tuple(rows[:SHOWN_ROWS]), len(rows))] if rows else []


def _names(task: Task) -> Callable[[float], str | None]:
    """Return what writes a value as a label's text; None for what is none, or not there."""
    kind = _type_of(task)
    if task.kind is TaskKind.REGRESSION:
        return lambda value: repr(value) if math.isfinite(value) else None
    keys: Iterable[Label] = task.labels
    if kind is ColumnType.CATEGORY:
        keys = range(len(task.labels))
    names = {float(key): label_name(label) for key, label in zip(keys, task.labels, strict=True)}
    return names.get
