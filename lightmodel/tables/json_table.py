"""Read JSON Lines of any length with Arrow, in two passes: over the types, and over the values."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.json as arrow_json

from lightmodel.tables.base import Text
from lightmodel.tables.byte_stream import Chunks, rechunk
from lightmodel.tables.mapped import mapped_table

BLOCK_BYTES = 8 << 20
# the types that Arrow infers, each followed by those that hold its values too
_WIDER: tuple[tuple[pa.DataType, ...], ...] = (
    (pa.int64(), pa.float64()),
    (pa.timestamp("s"), pa.timestamp("ns"), pa.string()),
)


def read_uniform_lines(
    text: Text, options: arrow_json.ReadOptions, folder: Path
) -> pa.Table | None:
    """Return the records as a table in a mapped file of `folder`; None if Arrow cannot read them.

    Raises:
        LightModelError: the text cannot be decoded, or the disk is full.
    """
    try:
        schema = _common_schema(
            arrow_json.read_json(pa.BufferReader(block), options).schema
            for block in _blocks(text.utf8())
        )
        if schema is None:
            return None
        return mapped_table(_batches(text.utf8(), options, schema), schema, folder)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _blocks(utf8: Chunks) -> Iterator[bytes]:
    """Yield whole lines, many at a time."""
    held = b""
    for chunk in rechunk(utf8, BLOCK_BYTES):
        lines, mark, rest = chunk.rpartition(b"\n")
        if not mark:
            held += chunk
            continue
        yield held + lines
        held = rest
    if held.strip():
        yield held


def _batches(
    utf8: Chunks, options: arrow_json.ReadOptions, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    parse = arrow_json.ParseOptions(explicit_schema=schema)
    for block in _blocks(utf8):
        yield from arrow_json.read_json(pa.BufferReader(block), options, parse).to_batches()


def _common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema | None:
    """Return the types that Arrow would infer for all blocks at once; None if there are none."""
    kinds: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            kind = _common_type(kinds.get(field.name, pa.null()), field.type)
            if kind is None:
                return None
            kinds[field.name] = kind
    return pa.schema(list(kinds.items()))


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    for kinds in _WIDER:
        if one in kinds and other in kinds:
            return max(one, other, key=kinds.index)
    return None
