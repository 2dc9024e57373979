#!/usr/bin/env bash
# Dask 2026.8.0, dask.dataframe.read_csv: the first block of a file decides that a column is text, and yet pandas guesses
# anew in each later block and Dask casts its answer to text afterwards. A block that holds nothing but digits loses its
# leading zeros ("00701" becomes "701"), and with an empty cell in it "7" becomes "7.0"; pandas on the whole file keeps both.
# Joins and category codes then miss. Name the type of every text column in dtype=, which is obeyed block by block.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'dask[dataframe]==2026.8.0' pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'P'
from pathlib import Path

import dask.dataframe
import pandas as pd

lines = ["branch,grade", *["AB101,X"] * 30, *["00701,7"] * 30, "00701,"]
Path("clients.csv").write_text("\n".join(lines) + "\n")


def values(frame: pd.DataFrame) -> dict[str, list]:
    return {column: list(frame[column].dropna().unique()) for column in frame}


whole = values(pd.read_csv("clients.csv"))
table = dask.dataframe.read_csv("clients.csv", blocksize=250)
blocks = values(table.compute())
named = values(dask.dataframe.read_csv("clients.csv", blocksize=250, dtype=str).compute())
print(f"types told by Dask before reading: {[str(kind) for kind in table.dtypes]}, blocks: {table.npartitions}")
print(f"pandas:             {whole}")
print(f"Dask:               {blocks}")
print(f"Dask with dtype=str {named}")
assert whole == named == {"branch": ["AB101", "00701"], "grade": ["X", "7"]}
assert blocks == {"branch": ["AB101", "701"], "grade": ["X", "7.0"]}
P
# Seen:
#   types told by Dask before reading: ['string', 'string'], blocks: 2
#   pandas:             {'branch': ['AB101', '00701'], 'grade': ['X', '7']}
#   Dask:               {'branch': ['AB101', '701'], 'grade': ['X', '7.0']}
#   Dask with dtype=str {'branch': ['AB101', '00701'], 'grade': ['X', '7']}
