"""Infer a contract from a table: roles, types, ranges, categories and the task."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from lightmodel.contract.column_inference import infer_column
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.hints import ColumnHints, require_column
from lightmodel.contract.identifiers import (
    Identifiers,
    find_identifiers,
    kept_warning,
    left_out_warning,
    says_id,
)
from lightmodel.contract.task import Task, is_answer_name
from lightmodel.contract.task_inference import guessed_positive, infer_task
from lightmodel.errors import DataError


@dataclass(frozen=True)
class Inferred:
    """A contract, and warnings about what was guessed, dropped or rounded."""

    contract: Contract
    warnings: tuple[str, ...]


def infer(
    table: pa.Table,
    hints: ColumnHints,
    dialect: Dialect | None = None,
    formats: Mapping[str, str] | None = None,
) -> Inferred:
    """Infer the contract of a training table with distinct column names.

    Args:
        table: of plain types; a missing value is null.
        hints: from the settings.
        dialect: of the table; becomes part of the contract.
        formats: of the columns whose texts were read by one; become part of the contract.

    Raises:
        DataError: a named column does not exist, the target is unsuitable, or the id has a name
            that answers use.
    """
    require_column(table, hints.target, "data.target")
    require_column(table, hints.id if hints.id != "auto" else "", "data.id")
    for setting in ("ignore", "keep", "text"):
        for name in getattr(hints, setting):
            require_column(table, name, f"data.{setting}")
    task = infer_task(table[hints.target], hints)
    warnings = guessed_positive(task, hints)
    contract = Contract((), task, dialect)
    identifiers = _identifiers(table, hints, task, warnings)
    _reject_answer_name(identifiers.id, task)
    columns = []
    for name in table.column_names:
        role, values = _role(name, identifiers, hints), table[name]
        if role is Role.FEATURE and name in hints.text:
            column = Column(name, role, ColumnType.TEXT, values.null_count > 0)
        else:
            column = infer_column(name, role, values, contract.decimal, warnings)
        columns.append(replace(column, format=(formats or {}).get(name, column.format)))
    if not any(column.role is Role.FEATURE for column in columns):
        raise DataError(
            "no column is left to predict from", hint="check data.ignore, data.id and data.keep"
        )
    return Inferred(replace(contract, columns=tuple(columns)), tuple(warnings))


def _identifiers(
    table: pa.Table, hints: ColumnHints, task: Task, warnings: list[str]
) -> Identifiers:
    """Return the columns that identify the rows, with a warning; one column at least stays a feature."""
    if not hints.id:
        return Identifiers()
    chosen = {*hints.keep, *hints.text}
    taken = {hints.target, hints.id, *hints.ignore, *chosen}
    free = [name for name in table.column_names if name not in taken]
    found = find_identifiers(table, [name for name in free if name not in hints.accepted])
    if kept := find_identifiers(table, [name for name in free if name in hints.accepted]).names:
        warnings.append(kept_warning(kept))
    if hints.id != "auto":
        found = Identifiers(hints.id, found.names)
    elif is_answer_name(found.id, task):
        found = Identifiers("", found.names)
    if not {*free, *chosen} - {*found.names}:
        found = Identifiers(found.id, ())
    named = [name for name in found.names if name != hints.id and not says_id(name)]
    if named:
        warnings.append(left_out_warning(named, found.id))
    return found


def _reject_answer_name(id_name: str, task: Task) -> None:
    """Raise a DataError if the id, which each answer repeats, is named like another value of it."""
    if is_answer_name(id_name, task):
        raise DataError(
            f"the id column {id_name!r} has the name of a value that the service adds to each row",
            hint="rename it in the table, or set data.id to another column, or to nothing for none",
        )


def _role(name: str, identifiers: Identifiers, hints: ColumnHints) -> Role:
    if name == hints.target:
        return Role.TARGET
    if name == identifiers.id:
        return Role.ID
    return Role.IGNORED if name in {*hints.ignore, *identifiers.others} else Role.FEATURE
