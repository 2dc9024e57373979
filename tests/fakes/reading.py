"""One table read as training reads it, and as a request: the two ways that must agree.

All names of the product that the suites of the readers need stand here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from lightmodel.config import DataSection
from lightmodel.contract.cells import Matrix
from lightmodel.contract.columns import Contract
from lightmodel.contract.hints import ColumnHints, texts_as_they_are
from lightmodel.contract.inference import infer
from lightmodel.errors import ContractViolation
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.base import dialect_for
from lightmodel.tables.blocks import Block
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.check import validate_table
from lightmodel.tables.column_formats import read_formats
from lightmodel.tables.encode import feature_matrix
from lightmodel.tables.reading import read_source
from lightmodel.tables.row_readers import CompiledRowReader, RowReader
from lightmodel.tables.row_rules import RowRules
from lightmodel.training.target_check import check_target
from tests.fakes.compiled import library

arrow_rows: RowReader = read_rows


@cache
def compiled_rows() -> RowReader:
    """Return the compiled reader, built once for all tests."""
    return CompiledRowReader(library())


@dataclass(frozen=True)
class Read:
    """A training table as a model sees it, and the contract for its requests."""

    contract: Contract
    matrix: Matrix
    ids: list[str] | None


def read_for_training(path: Path, options: DataSection) -> Read:
    """Read a table as preprocess does, its target in column y.

    Raises:
        DataError: it cannot be trained on.
    """
    source = read_source([path], options)
    hints = ColumnHints(target="y", id=options.id)
    texts = texts_as_they_are(source.table.column_names, hints)
    read = read_formats(source.table, texts, source.dialect, None)
    table, contract = read.table, infer(read.table, hints, source.dialect, read.formats).contract
    conformed = validate_table(table, contract, with_target=True, decimal=contract.decimal)
    if violations := (*check_target(table["y"], contract), *conformed.violations):
        raise ContractViolation(violations, what="the table")
    matrix = feature_matrix(conformed.table, contract)
    ids = [str(one) for one in table[contract.id.name].to_pylist()] if contract.id else None
    return Read(contract, matrix, ids)


def read_request(
    contract: Contract, reader: RowReader, options: DataSection, pieces: Sequence[bytes]
) -> list[Block]:
    """Read a body that arrives in pieces, as the service does."""
    limits = Limits(1 << 24, 1 << 24, 1_000)
    body = BodyReader(RowRules(contract), reader, dialect_for(contract, options), limits)
    return list(body.read(iter(pieces), "csv"))


def features_of(blocks: Iterable[Block]) -> Matrix:
    """Return the features of all blocks; every NaN has the same bits."""
    return plain_nans(np.concatenate([block.features for block in blocks]))


def plain_nans(numbers: Matrix) -> Matrix:
    """Return the numbers with one NaN for all of them, so that bits can be compared."""
    return np.where(np.isnan(numbers), np.nan, numbers)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut bytes into pieces at the given offsets."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]
