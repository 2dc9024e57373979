"""Measure the pages of a Parquet file by their headers, before any page is decompressed.

The metadata at the end of a file also counts bytes, but nothing holds it to the truth. Headers are
Thrift structures in the compact protocol: fields of a number, a type and a value. What Arrow might
read otherwise would escape the measure, hence a field of another type is another field, as for Arrow,
and what Arrow would cut, overwrite or not check is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Union

from lightmodel.errors import DataError

Body = bytearray | mmap  # a file in memory, or mapped to it

_I16, _I32, _I64, _BINARY, _LIST, _STRUCT = 4, 5, 6, 8, 9, 12  # types of the compact protocol
_Field = tuple[int, int]  # number and type
_Struct = dict[_Field, Union[int, "_Struct", list["_Struct"]]]
_ROW_GROUPS, _CHUNKS, _CHUNK_METADATA = (4, _LIST), (1, _LIST), (3, _STRUCT)  # of the metadata
_CODEC, _CHUNK_VALUES, _CHUNK_BYTES = (4, _I32), (5, _I64), (7, _I64)
_DATA_OFFSET, _DICTIONARY_OFFSET = (9, _I64), (11, _I64)
_UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = (2, _I32), (3, _I32)  # of a page's header
_DATA, _DICTIONARY, _DATA_V2 = (5, _STRUCT), (7, _STRUCT), (8, _STRUCT)
_VALUES = (1, _I32)  # a field of the headers of data and of dictionaries
_ENCODINGS = {_DATA: (2, _I32), _DATA_V2: (4, _I32)}  # the field with the encoding of a data page
_DICTIONARY_ENCODINGS, _DELTA_BYTE_ARRAY = {2, 8}, 7
_INTEGER_ENDS = {_I16: 1 << 15, _I32: 1 << 31, _I64: 1 << 63}
_STRUCT_LISTS = ((0, 2), (0, 4), (0, 5), (0, 7), (1, 1), (1, 4), (3, 8), (3, 13))
_ELEMENTS = {  # of the metadata's lists, by depth and number: Arrow does not check their types
    **{place: {_STRUCT} for place in _STRUCT_LISTS},
    **{place: set(_INTEGER_ENDS) for place in ((3, 2), (4, 2), (4, 3))},
    (3, 3): {_BINARY},
}
_KEPT = {(0, 4), (1, 1)}  # row groups and column chunks; other lists are passed over
_LONG = 15  # elements: their number follows
_FIELDS_END = 1 << 15
_MAX_DEPTH = 8
_HEADER_DEPTH = 5  # no list of the metadata lies so deep, so that a header's are passed over


@dataclass
class ChunkSize:
    """The pages of a column chunk, of which a reader holds one, and a copy of the dictionary.

    Attributes:
        page: bytes of the largest page, decompressed; 0 where pages are not compressed.
        dictionary: bytes of the dictionary.
        entries: values in the dictionary.
        plain_values: values that are not in the dictionary.
        plain_bytes: of the pages that hold those.
        starts_plain: whether the first page of data does not refer to the dictionary.
        repeats: whether each text may repeat all of the one before it.
    """

    page: int = 0
    dictionary: int = 0
    entries: int = 0
    plain_values: int = 0
    plain_bytes: int = 0
    starts_plain: bool = False
    repeats: bool = False


def measure_groups(body: Body) -> Iterator[Sequence[ChunkSize | None]]:
    """Yield for each row group the sizes of its column chunks; None stands for one without values.

    The metadata are read here, because a damaged chunk in them ends the process in pyarrow's own.

    Raises:
        DataError: the metadata, or the pages, are damaged.
    """
    try:
        start = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
        metadata, _ = _read_struct(body, max(0, start), 0)
        for group in _structs(metadata, _ROW_GROUPS):
            yield [_measure_chunk(chunk, body) for chunk in _structs(group, _CHUNKS)]
    except (ValueError, IndexError):
        raise DataError(
            "its metadata or pages are damaged", hint="fetch or export the file again"
        ) from None


def _measure_chunk(chunk: _Struct, body: Body) -> ChunkSize | None:
    metadata = chunk.get(_CHUNK_METADATA)
    if not isinstance(metadata, dict):
        raise ValueError("a column chunk has no metadata")  # noqa: TRY004 — of the file, not of an argument
    if not metadata.get(_CHUNK_VALUES):  # then nothing is read
        return None
    start = _number(metadata, _DATA_OFFSET)
    if metadata.get(_DICTIONARY_OFFSET):
        start = min(start, _number(metadata, _DICTIONARY_OFFSET))
    end = start + _number(metadata, _CHUNK_BYTES)
    if end > len(body):
        raise ValueError("a column chunk is outside of the file")
    size = _sum_up(body, start, end)
    if not metadata.get(_CODEC) and not size.repeats:
        size.page = 0  # it is a part of the body
    return size


def _structs(fields: _Struct, field: _Field) -> list[_Struct]:
    found = fields.get(field)
    if not isinstance(found, list):
        raise ValueError("a list is missing")  # noqa: TRY004 — as above
    return found


def _sum_up(body: Body, at: int, end: int) -> ChunkSize:
    size, pages = ChunkSize(), 0
    while at < end:
        header, at = _read_struct(body, at, _HEADER_DEPTH)
        page, stored = _number(header, _UNCOMPRESSED_SIZE), _number(header, _COMPRESSED_SIZE)
        size.page = max(size.page, page)
        if isinstance(dictionary := header.get(_DICTIONARY), dict):
            size.dictionary += page
            size.entries += _number(dictionary, _VALUES)
        for kind, encoding in _ENCODINGS.items():
            if isinstance(data := header.get(kind), dict):
                size.repeats |= _number(data, encoding) == _DELTA_BYTE_ARRAY
                if _number(data, encoding) not in _DICTIONARY_ENCODINGS:
                    size.plain_values += _number(data, _VALUES)
                    size.plain_bytes += page
                    size.starts_plain |= not pages
                pages += 1
        at += stored
    return size


def _number(fields: _Struct, field: _Field) -> int:
    value = fields.get(field)
    if not isinstance(value, int) or value < 0:
        raise ValueError("a header lacks a number")
    return value


def _read_struct(data: Body, at: int, depth: int) -> tuple[_Struct, int]:
    """Return the fields of a structure that are needed, and the position behind it."""
    if depth > _MAX_DEPTH:
        raise ValueError("a header is nested too deeply")
    fields: _Struct = {}
    number, numbers = 0, set[int]()
    while kind := data[at]:
        at += 1
        if kind >> 4:
            number += kind >> 4
        else:
            number, at = _read_integer(data, at)
        kind &= 15
        if number in numbers or not 0 <= number < _FIELDS_END:
            raise ValueError("a field is repeated, or its number is beyond its type")
        numbers.add(number)
        if kind in _SKIP:
            at = _SKIP[kind](data, at)
        else:
            fields[number, kind], at = _read_field(data, at, depth, (number, kind))
    return fields, at + 1


def _read_field(
    data: Body, at: int, depth: int, field: _Field
) -> tuple[int | _Struct | list[_Struct], int]:
    number, kind = field
    if kind == _STRUCT:
        return _read_struct(data, at, depth + 1)
    if kind == _LIST:
        return _read_list(data, at, depth, number)
    if kind not in _INTEGER_ENDS:
        raise ValueError("a header has a field of an unknown type")
    value, at = _read_integer(data, at)
    if value >= _INTEGER_ENDS[kind]:
        raise ValueError("a number is beyond its type")
    return value, at


def _read_list(data: Body, at: int, depth: int, number: int) -> tuple[list[_Struct], int]:
    """Return the structures of a list that is needed, and the position behind it."""
    kind, count, at = data[at] & 15, data[at] >> 4, at + 1
    if count == _LONG:
        count, at = _read_varint(data, at)
    if count and kind not in _ELEMENTS.get((depth, number), {kind}):
        raise ValueError("a list is of another type")
    found: list[_Struct] = []
    for _ in range(count):
        if kind == _STRUCT:
            fields, at = _read_struct(data, at, depth + 1)
            if (depth, number) in _KEPT:
                found.append(fields)
        elif kind in _INTEGER_ENDS:
            _, at = _read_varint(data, at)
        elif kind in _SKIP:
            at = max(_SKIP[kind](data, at), at + 1)
            data[at - 1]
        else:
            raise ValueError("a list is of an unknown type")
    return found, at


def _read_varint(data: Body, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := data[at]) & 128:
        value |= (byte & 127) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError("a number has too many digits")
    return value | byte << shift, at + 1


def _read_integer(data: Body, at: int) -> tuple[int, int]:
    value, at = data[at], at + 1
    if value & 128:
        value, at = _read_varint(data, at - 1)
    return (value >> 1) ^ -(value & 1), at


def _skip_binary(data: Body, at: int) -> int:
    length, at = data[at], at + 1
    if length & 128:
        length, at = _read_varint(data, at - 1)
    return at + length


_SKIP: dict[int, Callable[[Body, int], int]] = {
    1: lambda _, at: at,  # true
    2: lambda _, at: at,  # false
    3: lambda _, at: at + 1,
    7: lambda _, at: at + 8,
    _BINARY: _skip_binary,
}
