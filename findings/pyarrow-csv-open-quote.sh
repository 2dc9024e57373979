#!/usr/bin/env bash
# pyarrow 25.0.1, pyarrow.csv: a quote that is opened in the last column and never closed takes every later row into
# that cell, and nothing is raised, not even with newlines_in_values=False. What stands behind a closing quote is
# joined to the cell. Python's csv module refuses both texts when it is asked to be strict. So whoever counts rows must look.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1
"$folder/venv/bin/python" - <<'P'
import csv
import io

import pyarrow as pa
from pyarrow import csv as arrow

TEXT = b'a,b\n1,x\n2,"y\n3,z\n4,w\n'


def read(text: bytes, lines: bool) -> dict:
    options = arrow.ParseOptions(newlines_in_values=lines)
    return arrow.read_csv(pa.BufferReader(text), parse_options=options).to_pydict()


def is_refused(text: bytes) -> bool:
    try:
        list(csv.reader(io.StringIO(text.decode()), strict=True))
    except csv.Error:
        return True
    return False


for lines in (True, False):
    table = read(TEXT, lines)
    print(f"newlines_in_values={lines}: {table}")
    assert table == {"a": [1, 2], "b": ["x", "y\n3,z\n4,w\n"]}
joined = read(b'a,b\n1,"x"y\n', True)
print(f"behind a quote: {joined}")
assert joined == {"a": [1], "b": ["xy"]}
assert is_refused(TEXT)
assert is_refused(b'a,b\n1,"x"y\n')
P
# Seen:
#   newlines_in_values=True: {'a': [1, 2], 'b': ['x', 'y\n3,z\n4,w\n']}
#   newlines_in_values=False: {'a': [1, 2], 'b': ['x', 'y\n3,z\n4,w\n']}
#   behind a quote: {'a': [1], 'b': ['xy']}
