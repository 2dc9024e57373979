"""JSON that is decoded in blocks is read as it is when it is decoded whole."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import LightModelError
from lightmodel.tables.json_forms import JsonSizes, extract_records, long_document
from lightmodel.tables.json_text import load_json, parse_json

NAMES = ("a", "b")
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**6), 10**6),
        st.floats(allow_infinity=False),
        st.text(max_size=6),
        st.sampled_from(['"', "\\", "},{", "],[", ",", "[", "}", '\\"},{', "1,2"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from([*NAMES, "}", "inputs"]), VALUES), min_size=1)
ROWS = st.lists(st.tuples(VALUES, VALUES).map(list), min_size=1)
COLUMNS = st.integers(1, 9).flatmap(
    lambda rows: st.fixed_dictionaries(
        {name: st.lists(VALUES, min_size=rows, max_size=rows) for name in NAMES}
    )
)
DOCUMENTS = st.one_of(
    RECORDS,
    RECORDS.map(lambda records: {"dataframe_records": records, "params": {"a": [1]}}),
    RECORDS.map(lambda records: {"x": 1, "instances": records}),
    ROWS.map(lambda rows: {"inputs": rows}),
    ROWS.map(lambda rows: {"dataframe_split": {"columns": [*NAMES], "index": [0], "data": rows}}),
    ROWS.map(lambda rows: {"dataframe_split": {"data": rows, "columns": [*NAMES]}}),
    COLUMNS.map(lambda columns: {"inputs": columns}),
    COLUMNS.map(lambda columns: {"instances": columns}),
    COLUMNS.map(lambda columns: {**columns, "c": 1}),
    st.sampled_from([[], [1], {"inputs": []}, {"inputs": {"a": [1], "b": [1, 2]}}, 7, "x", None]),
    st.just({"dataframe_split": {"columns": ["a"]}}),
    st.just({"dataframe_records": [{"a": 1}], "inputs": [[1, 2]]}),
)
INDENTS = st.sampled_from([None, 0, 1])


def whole(text: bytes) -> list[Any] | None:
    """Return the records of a document that is decoded at once; None if it is refused."""
    try:
        return extract_records(parse_json(text), NAMES)
    except LightModelError:
        return None


def in_blocks(text: bytes, block: int, columns: int = 100) -> list[Any] | None:
    """Return them decoded in blocks."""
    try:
        blocks = list(long_document(text, NAMES, JsonSizes(block, columns), load_json))
    except LightModelError:
        return None
    return [record for records in blocks for record in records]


def same(one: object, other: object) -> bool:
    """Return whether two values are equal; every NaN equals every other."""
    return json.dumps(one) == json.dumps(other)


@given(DOCUMENTS, st.integers(1, 60), INDENTS)
def test_blocks_hold_the_same_records(document: object, block: int, indent: int | None) -> None:
    text = json.dumps(document, indent=indent).encode()
    assert same(in_blocks(text, block), whole(text))


@given(DOCUMENTS, st.integers(1, 60), st.integers(0, 200), st.binary(max_size=3))
def test_a_damaged_document_is_never_read_in_another_way(
    document: object, block: int, at: int, put: bytes
) -> None:
    text = json.dumps(document).encode()
    at %= len(text)
    spoilt = text[:at] + put + text[at + 1 :]
    found, expected = in_blocks(spoilt, block), whole(spoilt)
    assert found is None or same(found, expected)
