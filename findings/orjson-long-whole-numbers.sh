#!/usr/bin/env bash
# orjson 3.13.0: loads() reads a whole number of 2**64 or more, or below -2**63, as a float and drops its last digits; Python's
# json module keeps every digit. dumps() refuses such an int, so what it will not write it reads as something else.
# Keys of twenty digits, such as joined customer numbers, fall together: send them as text, or parse requests with json.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check orjson==3.13.0
"$folder/venv/bin/python" - <<'P'
import json

import orjson

for text in ("18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809"):
    print(f"{text}: json {json.loads(text)!r}, orjson {orjson.loads(text)!r}")
    fits = -(2**63) <= int(text) < 2**64
    assert json.loads(text) == int(text)
    assert isinstance(orjson.loads(text), int if fits else float)
keys = '["20261128000000000017", "20261128000000000018"]'.replace('"', "")
print(f"two keys read by json: {len(set(json.loads(keys)))}, by orjson: {len(set(orjson.loads(keys)))}")
assert len(set(json.loads(keys))) == 2 and len(set(orjson.loads(keys))) == 1
try:
    orjson.dumps(2**64)
    raise SystemExit("2**64 was written")
except TypeError as fault:
    print(f"written by orjson: {fault}")
P
# Seen:
#   18446744073709551615: json 18446744073709551615, orjson 18446744073709551615
#   18446744073709551616: json 18446744073709551616, orjson 1.8446744073709552e+19
#   -9223372036854775808: json -9223372036854775808, orjson -9223372036854775808
#   -9223372036854775809: json -9223372036854775809, orjson -9.223372036854776e+18
#   two keys read by json: 2, by orjson: 1
#   written by orjson: Integer exceeds 64-bit range
