"""Read a Parquet body as blocks of validated rows, by batches; it imports Arrow, which is slow.

Beside the body there is in memory, of each column that the contract knows, one page and the
dictionary of the current row group, and one batch of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
from pyarrow import parquet

from lightmodel.contract.cells import normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError, TooLarge
from lightmodel.tables.base import refuse_duplicates, translate_errors
from lightmodel.tables.blocks import Block
from lightmodel.tables.column_types import null_missing, to_plain_types
from lightmodel.tables.formats import is_pandas_index
from lightmodel.tables.parquet_batches import Batches, Columns, ParquetLimits, too_large
from lightmodel.tables.parquet_pages import Body
from lightmodel.tables.reading import drop_export_artefacts
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.table_blocks import table_block

_NAME = "body.parquet"
_FOOTER_SHARE = 32  # of the limit: in memory, metadata takes several times its bytes
_FOOTER_COLUMN_BYTES = 256  # of metadata that each column of a file may have beyond that


@dataclass(frozen=True)
class ParquetBlocks:
    """Reads Parquet for one contract.

    Attributes:
        rules: of the contract.
        dialect: of the training table.
        limits: of the body.
        drops_blank: whether rows without a value are left out.
    """

    rules: RowRules
    dialect: Dialect
    limits: ParquetLimits
    drops_blank: bool = False

    def read(self, body: Body) -> Iterator[Block]:
        """Yield blocks of rows, at least one row in all; see `tables`."""
        for table, extra in self.tables(body):
            yield self.block(table, extra)

    def block(self, table: pa.Table, extra: tuple[str, ...]) -> Block:
        """Return the block of a table that `tables` has yielded."""
        with translate_errors(_NAME, "a Parquet file"):
            block = table_block(table, self.rules, {}, drops_blank=self.drops_blank)
        return replace(block, extra=extra)

    def tables(self, body: Body) -> Iterator[tuple[pa.Table, tuple[str, ...]]]:
        """Yield rows in plain types by the names of the contract, and the columns that it does not know.

        Raises:
            DataError: the file is damaged, has no rows, or holds nested values.
            ContractViolation: columns are absent or duplicated.
            TooLarge: it has too many columns, or takes too much memory at once.
        """
        footer = int.from_bytes(body[-8:-4], "little")
        most = self.limits.buffered // _FOOTER_SHARE + self.limits.columns * _FOOTER_COLUMN_BYTES
        if most < footer < len(body):
            raise too_large("the metadata takes", most, "write fewer and larger row groups")
        with translate_errors(_NAME, "a Parquet file"):
            file = parquet.ParquetFile(pa.BufferReader(body))
            if file.metadata.num_columns > self.limits.columns:
                raise TooLarge(
                    f"the file has more than {self.limits.columns:,} columns (serve.max_columns)"
                )
            if not file.metadata.num_columns:
                raise _no_rows()
            yield from self._tables(Batches(file, body, self.limits))

    def _tables(self, batches: Batches) -> Iterator[tuple[pa.Table, tuple[str, ...]]]:
        columns, rows = self._columns(batches.schema), 0
        batches.refuse_large_groups(columns)
        texts = self._ids_as_text(batches, columns)
        for table in batches.tables(columns):
            for at in texts:
                values = table.column(at).cast(pa.string())
                table = table.set_column(at, table.field(at).with_type(pa.string()), values)  # noqa: PLW2901
            plain = to_plain_types(table, _NAME).rename_columns(list(columns.names))
            named = drop_export_artefacts(null_missing(plain, self.dialect.na_values), _NAME)
            rows += named.num_rows
            yield named.rename_columns(list(columns.final)), columns.extra
        if not rows:
            raise _no_rows()

    def _columns(self, schema: pa.Schema) -> Columns:
        """Choose the columns that the contract knows, by their names or by training's order."""
        places = [at for at, name in enumerate(schema.names) if not is_pandas_index(name)]
        to_plain_types(pa.schema(map(schema.field, places)).empty_table(), _NAME)
        names = [normalize_name(schema.names[at]) for at in places]
        refuse_duplicates(names, _NAME)
        named = tuple(filter(None, names))
        final = named
        if self.dialect.columns and not self.rules.places.keys() <= set(named):
            final = self.dialect.columns if named == self.dialect.header else named
        extra = self.rules.map_columns(final).extra
        if len(named) == len(names):  # else it depends on the others what one without a name is
            known = [at for at, name in enumerate(final) if name in self.rules.known]
            places, names, final = (
                [places[at] for at in known],
                [names[at] for at in known],
                tuple(final[at] for at in known),
            )
        stored = tuple(schema.names[at] for at in places)
        return Columns(tuple(places), stored, tuple(names), final, extra)

    def _ids_as_text(self, batches: Batches, columns: Columns) -> list[int]:
        """Return the position of the id if its integers exceed int64 anywhere: all are text then."""
        column = self.rules.contract.id
        if column is None or column.name not in columns.final:
            return []
        at = columns.names.index(
            dict(zip(columns.final, filter(None, columns.names), strict=True))[column.name]
        )
        return [at] if batches.exceeds_int64(columns, at) else []


def _no_rows() -> DataError:
    return DataError(f"{_NAME} holds no rows", hint="fetch or export it again")
