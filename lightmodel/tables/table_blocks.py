"""Validate the rows of a table as blocks; it imports Arrow, which is slow."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import json_id
from lightmodel.tables.check import validate_table
from lightmodel.tables.encode import feature_matrix, json_values
from lightmodel.tables.row_rules import Block, RowRules


def blocks_of(
    table: pa.Table, rules: RowRules, rows: int, lost: Mapping[str, int]
) -> Iterator[Block]:
    """Yield the rows of a table of plain types, a few at a time: their answers take more memory.

    Args:
        table: with a missing value as null.
        rules: of the contract.
        rows: in a block at most.
        lost: as in `Block`, of the whole table.

    Raises:
        ContractViolation: columns are absent or duplicated.
    """
    rules.map_columns(tuple(table.column_names))
    for start in range(0, table.num_rows, rows):
        yield table_block(table.slice(start, rows), rules, {} if start else lost)


def table_block(table: pa.Table, rules: RowRules, lost: Mapping[str, int]) -> Block:
    """Validate a table of plain types, all of it as one block."""
    contract = rules.contract
    validated = validate_table(table, contract, with_target=False)
    if validated.violations:
        no_features = np.empty((table.num_rows, 0))
        return Block(no_features, None, validated.violations, {}, validated.extra, lost)
    ids = contract.id.name if contract.id and contract.id.name in table.column_names else ""
    return Block(
        feature_matrix(validated.table, contract, rules.encoders),
        list(map(json_id, json_values(table[ids]))) if ids else None,
        (),
        validated.unseen,
        validated.extra,
        lost,
    )
