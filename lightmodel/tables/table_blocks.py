"""Validate the rows of a table as blocks; it imports Arrow, which is slow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Codes, json_id
from lightmodel.tables.blank_rows import blank_rows, within, without_rows
from lightmodel.tables.blocks import Block
from lightmodel.tables.check import validate_table
from lightmodel.tables.column_rules import TOLERABLE
from lightmodel.tables.encode import feature_matrix, json_values
from lightmodel.tables.row_rules import RowRules


def blocks_of(
    table: pa.Table,
    rules: RowRules,
    rows: int,
    lost: Mapping[str, int],
    numbers: Sequence[int] = (),
) -> Iterator[Block]:
    """Yield the rows of a table of plain types, a few at a time: their answers take more memory.

    Args:
        table: with a missing value as null.
        rules: of the contract.
        rows: in a block at most.
        lost: as in `Block`, of the whole table.
        numbers: of the rows, from 1, where the blank ones between them are missing; () if blank rows
            are rows like others.

    Raises:
        ContractViolation: columns are absent or duplicated.
    """
    rules.map_columns(tuple(table.column_names))
    for start in range(0, table.num_rows, rows):
        part = table.slice(start, rows)
        block = table_block(part, rules, {} if start else lost, drops_blank=bool(numbers))
        if numbers:
            local = np.array(numbers[start : start + rows]) - (numbers[start - 1] if start else 0)
            block = within(block, local)
        yield block


def table_block(
    table: pa.Table, rules: RowRules, lost: Mapping[str, int], *, drops_blank: bool = False
) -> Block:
    """Validate a table of plain types, all of it as one block, perhaps without its blank rows."""
    known = [name for name in table.column_names if name in rules.known]
    blank = blank_rows(map(table.column, known)) if drops_blank else None
    block = _validated(table, rules, lost)
    if blank is not None:
        block = without_rows(
            block,
            np.flatnonzero(blank),
            lambda rows: _validated(table.take(pa.array(rows)), rules, lost),
        )
    if not block.violations:
        return block

    def part(rows: Codes) -> Block:
        return table_block(table.take(pa.array(rows)), rules, lost, drops_blank=drops_blank)

    return replace(block, part=part)


def _validated(table: pa.Table, rules: RowRules, lost: Mapping[str, int]) -> Block:
    contract = rules.contract
    validated = validate_table(table, contract, with_target=False)
    if any(one.rule not in TOLERABLE for one in validated.violations):
        no_features = np.empty((table.num_rows, 0))
        block = Block(no_features, None, validated.violations, {}, validated.extra, lost)
        return rules.judged(block)
    ids = contract.id.name if contract.id and contract.id.name in table.column_names else ""
    block = Block(
        feature_matrix(validated.table, contract, rules.encoders),
        list(map(json_id, json_values(table[ids]))) if ids else None,
        validated.violations,
        validated.unseen,
        validated.extra,
        lost,
    )
    if not rules.others:
        return rules.judged(block)
    from lightmodel.tables.other_columns import other_columns

    read = other_columns(table, contract)
    block = replace(block, others=read.table, unseen={**block.unseen, **read.unread})
    return rules.judged(block)
