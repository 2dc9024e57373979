#!/usr/bin/env bash
# pandas 3.0.6 with openpyxl 3.1.5, to_excel: a duration becomes a number of days in a cell whose format shows whole
# numbers, so that a reader of the sheet sees 2 for 36 hours and 0 for 90 minutes; read_excel returns floats. Write
# durations as text, or set a format such as [h]:mm:ss on the cells.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.0.6 openpyxl==3.1.5
cat > "$folder/durations.py" <<'P'
import sys

import openpyxl
import pandas as pd

path = sys.argv[1]
pd.DataFrame({"took": pd.to_timedelta(["36:00:00", "01:30:00"])}).to_excel(path, index=False)
_, *cells = openpyxl.load_workbook(path).active["A"]
back = pd.read_excel(path)["took"]
print("RESULT cells:", ", ".join(f"{cell.value} with the format {cell.number_format}" for cell in cells))
print("RESULT read back:", back.dtype, back.tolist())
assert [(cell.value, cell.number_format) for cell in cells] == [(1.5, "0"), (0.0625, "0")]
assert back.dtype == "float64"
P
"$folder/venv/bin/python" "$folder/durations.py" "$folder/rows.xlsx" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   cells: 1.5 with the format 0, 0.0625 with the format 0
#   read back: float64 [1.5, 0.0625]
