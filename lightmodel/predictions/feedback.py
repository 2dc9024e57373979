"""Labels that are known later, and how good the answers were, now that these are known.

From rows with an id and the target comes one label, as text, for each id.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.byte_stream import read_chunks
from lightmodel.tables.row_rules import Block, RowRules, ValidationReport
from lightmodel.training.metrics import measure_answers

_WHAT = "the table of labels"
_Row = tuple[float, float, float | list[float]]  # ground truth, decision, score


@dataclass(frozen=True)
class LateLabels:
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
    return replace(reader, limits=limits).read(read_chunks(file))


def late_labels(blocks: Iterable[Block], contract: Contract) -> LateLabels:
    """Collect the labels of rows that were read by `label_contract`.

    Raises:
        ContractViolation: ids are missing, or values are no labels of the task.
    """
    id_name = contract.id.name if contract.id else ""
    name_of, labels = _names(contract.task), dict[str, str]()
    findings, empty = ValidationReport(), 0
    for block in blocks:
        if block.ids is None:
            absent = Violation(id_name, "absent", "is not in the table")
            raise ContractViolation([absent], what=_WHAT)
        values = np.ascontiguousarray(block.features[:, 0])
        there = ~is_marker(values, MISSING)
        empty += int((~there).sum())
        known = [id_text(value) or None for value in block.ids]
        named = [name_of(value) for value in values.tolist()]
        wrong = is_marker(values, UNSEEN)
        wrong |= np.array([name is None for name in named], np.bool_) & np.isfinite(values)
        missing = np.array([key is None for key in known], np.bool_) & there
        found = _violations((id_name, "missing", "has no value"), missing)
        found += _violations((contract.target.name, "label", "is not a label of the model"), wrong)
        findings.add(replace(block, violations=(*block.violations, *found)))
        pairs = zip(known, named, strict=True)
        labels.update((key, name) for key, name in pairs if key is not None and name is not None)
    if findings.violations:
        raise ContractViolation(findings.violations, what=_WHAT)
    return LateLabels(labels, findings.rows, empty)


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


def add_ground_truth(config: Config, blocks: Iterable[Block], contract: Contract) -> dict[str, int]:
    """Keep labels that came late, read by `label_contract`.

    Returns:
        how many rows came, how many of them have no label yet, and how many ids have an answer or none.

    Raises:
        ContractViolation: ids are missing, or values are no labels of the task.
        SourceUnavailable: the database is down.
    """
    truths = late_labels(blocks, contract)
    with closing(open_sink(config)) as sink:
        matched = sink.add_ground_truth(truths.labels, datetime.now(UTC))
    unmatched = len(truths.labels) - matched
    return {
        "rows": truths.rows,
        "matched": matched,
        "unmatched": unmatched,
        "without_label": truths.empty,
    }


@dataclass(frozen=True)
class LiveMetrics:
    """What a model version did.

    Attributes:
        rows: that it answered.
        labelled: ids among them whose ground truth is known.
        metrics: over those; NaN where one is undefined; empty when there are none.
    """

    version: str
    rows: int
    labelled: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


def live_metrics(config: Config) -> list[LiveMetrics]:
    """Measure each model version on the labels that have come, oldest version first.

    Raises:
        ArtefactMissing: no model is left that says what the answers mean.
        SourceUnavailable: the sink is down.
    """
    contract = newest_contract(config)
    known = {
        version.name: Contract.from_dict(version.manifest.contract)
        for version in models_of(config).versions()
        if version.manifest.contract
    }
    with closing(open_sink(config)) as sink:
        return [
            measure(version, rows, known.get(version, contract).task, sink.labelled(version))
            for version, rows in sink.answered().items()
        ]


def newest_contract(config: Config) -> Contract:
    """Return the contract of the newest approved model, without loading the model.

    Raises:
        ArtefactMissing: there is none.
    """
    version = newest_approved(models_of(config))
    if version.manifest.contract is None:
        raise ArtefactMissing(f"{version.name} holds no contract", hint="train anew")
    return Contract.from_dict(version.manifest.contract)


def measure(
    version: str, rows: int, task: Task, labelled: Iterable[tuple[str, Any, Any]]
) -> LiveMetrics:
    """Measure the answers of one version, whose labelled ones are as `Sink.labelled` returns them.

    Answers that are not of this task are left out: a log may hold those of other tables.
    """
    codes = {label_name(label): code for code, label in enumerate(task.labels)}
    known = [row for answer in labelled if (row := _numbers(task, codes, answer)) is not None]
    if not known:
        return LiveMetrics(version, rows)
    target, decided, scores = (np.array(column, np.float64) for column in zip(*known, strict=True))
    metrics = measure_answers(task.kind, target, scores, decided.astype(np.int64))
    return LiveMetrics(version, rows, len(known), metrics)


def _numbers(task: Task, codes: Mapping[str, int], answer: tuple[str, Any, Any]) -> _Row | None:
    """Return an answer as numbers; None for what is no answer of this task."""
    truth, prediction, probability = answer
    try:
        if task.kind is TaskKind.REGRESSION:
            return float(truth), 0.0, float(prediction)
        scores = (
            float(probability)
            if task.kind is TaskKind.BINARY
            else [float(probability[name]) for name in codes]
        )
        return codes[truth], codes[label_name(prediction)], scores
    except (KeyError, TypeError, ValueError):
        return None
