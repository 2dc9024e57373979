"""Feedback as training rows: labelled rows of the prediction log, beside those of the table.

Such a row only ever trains. It is left out if its id is in the table, if the hash of its id makes it a
test row (which it may become when the table grows), or if it breaks the contract.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.config import SplitSection
from lightmodel.contract.cells import INVALID, UNSEEN, Mask, Vector, is_marker
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.dates import to_micros
from lightmodel.contract.task import TaskKind, label_name
from lightmodel.contract.time_arrays import time_array
from lightmodel.errors import ConfigError, ContractViolation, DataError
from lightmodel.tables.check import validate_table
from lightmodel.training.logged_features import parser_of
from lightmodel.training.preprocess import PreprocessingResult
from lightmodel.training.reference import names_of
from lightmodel.training.split import Method, row_keys, uniform_draws

_BATCH_ROWS = 1_000  # decoded together: Python's objects take ten times the room of numbers
_DAY_S = 86_400


@dataclass(frozen=True)
class LoggedRows:
    """Labelled rows of the prediction log.

    Attributes:
        ids: (rows,) as they were sent.
        labels: (rows,) as texts.
        columns: feature → (rows,) numbers, or codes in the order of `names_of`.
        complete: (rows,) whether a row has all features of the contract.
    """

    ids: Sequence[str]
    labels: Sequence[str]
    columns: Mapping[str, Vector]
    complete: Mask


@dataclass(frozen=True)
class FeedbackCounts:
    """Number of labelled rows that train, and of those left out, by reason."""

    used: int
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        reasons = ", ".join(f"{rows:,} {why}" for why, rows in self.left_out.items() if rows)
        rest = f"; left out: {reasons}" if reasons else ""
        return f"{self.used:,} labelled rows of the prediction log are further training rows{rest}"


def check_feedback(contract: Contract, split: SplitSection) -> None:
    """Check that logged rows can train beside a table.

    Raises:
        DataError: the table has no id, or features of free text, which are not logged.
        ConfigError: the split is by time or by group, which logged rows do not have.
    """
    if contract.id is None:
        raise DataError(
            "data.feedback needs an id column, by which labels find their rows, and the table has none",
            hint="name it in data.id, or set data.feedback to false",
        )
    if split.method.partition(":")[0] in {"time", "group"}:
        raise ConfigError(
            f"data.feedback cannot be used with split.method = {split.method!r}: the prediction log does "
            "not hold that column, so that a row might belong to the test rows",
            hint="set split.method to auto, or data.feedback to false",
        )
    texts = [column.name for column in contract.features if column.type is ColumnType.TEXT]
    if texts:
        raise DataError(
            f"data.feedback cannot be used: texts are not logged, and {', '.join(texts[:5])} holds some",
            hint="add these columns to data.ignore, or set data.feedback to false",
        )


def read_logged(rows: Iterable[tuple[str, str, str]], contract: Contract) -> LoggedRows:
    """Return rows of the prediction log, given as `Sink.feedback` yields them, as columns."""
    parsers = {column.name: parser_of(column) for column in contract.features}
    ids: list[str] = []
    labels: list[str] = []
    complete: list[bool] = []
    parts: dict[str, list[Vector]] = {name: [np.empty(0)] for name in parsers}
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        ids += [row[0] for row in batch]
        labels += [row[1] for row in batch]
        features = [orjson.loads(row[2]) for row in batch]
        complete += [parsers.keys() <= one.keys() for one in features]
        for name, parse in parsers.items():
            parts[name].append(parse([one.get(name) for one in features]))
    columns = {name: np.concatenate(some) for name, some in parts.items()}
    return LoggedRows(ids, labels, columns, np.array(complete, np.bool_))


def add_feedback(
    result: PreprocessingResult, logged: LoggedRows, split: SplitSection
) -> tuple[PreprocessingResult, FeedbackCounts]:
    """Return a split with logged rows among its training rows, and how many there are.

    Raises:
        DataError, ConfigError: see `check_feedback`.
    """
    contract = result.contract
    check_feedback(contract, split)
    rows, labelled, valid = _table(result.train.schema, logged, contract)
    choice = _Choice(np.ones(rows.num_rows, np.bool_), {})
    choice.keep(~_is_known(rows, result, contract), "are in the table")
    choice.keep(labelled, "have no id or label of the task")
    choice.keep(logged.complete & valid, "break the contract")
    choice.keep(_is_training_row(rows, contract, split), "would be test rows")
    added = rows.filter(pa.array(choice.mask))
    if added.num_rows:
        checked = validate_table(added, contract, with_target=True)
        if checked.violations:
            raise ContractViolation(checked.violations, what="the prediction log")
    train = pa.concat_tables([result.train, added], promote_options="permissive")
    return replace(result, train=train), FeedbackCounts(added.num_rows, choice.left_out)


@dataclass
class _Choice:
    """The (rows,) mask of the rows to add, and the number of those left out so far, by reason."""

    mask: Mask
    left_out: dict[str, int]

    def keep(self, allowed: Mask, why: str) -> None:
        """Leave out the rows that are not allowed."""
        self.left_out[why] = int(np.count_nonzero(self.mask & ~allowed))
        self.mask &= allowed


def _table(
    schema: pa.Schema, logged: LoggedRows, contract: Contract
) -> tuple[pa.Table, Mask, Mask]:
    """Return logged rows in a table's schema, and the masks of labelled ones and of valid ones."""
    arrays: dict[str, pa.Array] = {}
    valid = np.ones(len(logged.ids), np.bool_)
    for column in contract.features:
        values, allowed = _values(logged.columns[column.name], column)
        arrays[column.name] = _as_whole(values, schema.field(column.name).type)
        valid &= allowed
    target = contract.target
    labels, labelled = _targets(logged.labels, contract)
    arrays[target.name] = _as_whole(labels, schema.field(target.name).type)
    if contract.id:
        ids = _cast(logged.ids, schema.field(contract.id.name).type)
        arrays[contract.id.name] = ids
        labelled &= _mask(ids.is_valid())
    absent = {
        field.name: pa.nulls(len(logged.ids), field.type)
        for field in schema
        if field.name not in arrays
    }
    columns = {**arrays, **absent}
    return pa.table({name: columns[name] for name in schema.names}), labelled, valid


def _values(numbers: Vector, column: Column) -> tuple[pa.Array, Mask]:
    """Return a feature's values, and the mask of those that its contract allows."""
    unknown = is_marker(numbers, UNSEEN) | is_marker(numbers, INVALID)
    absent = np.isnan(numbers)
    allowed = ~unknown & (column.missing | ~absent)
    names = names_of(column)
    if names is not None:
        codes = pa.array(np.where(absent, 0, numbers).astype(np.int64), mask=absent)
        known = (False, True) if column.type is ColumnType.BOOLEAN else names
        return pc.take(pa.array(known), codes), allowed
    low, high = column.allowed
    with np.errstate(invalid="ignore"):
        allowed &= absent | ((low <= numbers) & (numbers <= high))
        if column.type is ColumnType.INTEGER:
            allowed &= absent | (numbers % 1 == 0)
        if column.type is ColumnType.DATE:
            allowed &= absent | (numbers % _DAY_S == 0)
    numbers = np.where(allowed, numbers, np.nan)
    if column.type.is_temporal:
        return time_array(to_micros(numbers), column.type).combine_chunks(), allowed
    return pa.array(numbers, from_pandas=True), allowed


def _targets(labels: Sequence[str], contract: Contract) -> tuple[pa.Array, Mask]:
    """Return labels in the task's own type, and the mask of those that it knows."""
    task = contract.task
    if task.kind is TaskKind.REGRESSION:
        numbers = np.array([_number(label) for label in labels], np.float64)
        if contract.target.type is ColumnType.INTEGER:
            numbers[numbers % 1 != 0] = np.nan
        return pa.array(numbers, from_pandas=True), np.isfinite(numbers)
    by_name = {label_name(label): label for label in task.labels}
    targets = pa.array([by_name.get(label) for label in labels])
    return targets, _mask(targets.is_valid())


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _as_whole(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return numbers as integers where a table's column has those, and all of them are whole."""
    if not pa.types.is_integer(kind) or not pa.types.is_floating(values.type):
        return values
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        return values


def _cast(texts: Sequence[str], kind: pa.DataType) -> pa.Array:
    """Return ids in the type of the table's; null where one cannot be such an id."""
    try:
        return pa.array(texts, pa.string()).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_cast_one(text, kind) for text in texts], kind)


def _cast_one(text: str, kind: pa.DataType) -> object:
    try:
        value: object = pa.scalar(text).cast(kind).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return value


def _is_known(rows: pa.Table, result: PreprocessingResult, contract: Contract) -> Mask:
    """Return the mask of rows whose id is in the table, or stands in an earlier row."""
    name = contract.id.name if contract.id else ""
    ids = rows[name].combine_chunks()
    of_table = pa.concat_tables([result.train.select([name]), result.test.select([name])])
    in_table = _mask(pc.is_in(ids, value_set=of_table[name].combine_chunks(), skip_nulls=True))
    encoded = ids.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    first = np.zeros(len(ids), np.bool_)
    first[np.unique(encoded, return_index=True)[1]] = True
    known: Mask = in_table | ~(first | (encoded == -1))
    return known


def _is_training_row(rows: pa.Table, contract: Contract, split: SplitSection) -> Mask:
    """Return the mask of rows that would not be test rows if they were in the table."""
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    draws = uniform_draws(row_keys(rows, contract, method), split.seed)
    mask: Mask = draws >= split.test_share
    return mask


def _mask(values: pa.Array) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False).astype(np.bool_)
    return mask
