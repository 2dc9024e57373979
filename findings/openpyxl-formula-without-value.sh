#!/usr/bin/env bash
# openpyxl 3.1.5 with pandas 3.1.1: a workbook written by openpyxl holds a formula but not its result, since only a spreadsheet
# program works it out. read_excel, which opens workbooks with data_only=True, then gives a whole column of missing cells,
# and LightGBM would train on it as such. Write results instead of formulas, or have the file opened and saved once in a
# spreadsheet program; opening it without data_only tells an empty cell from a formula that was never worked out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openpyxl==3.1.5 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'P'
import openpyxl
import pandas as pd

pd.DataFrame({"income": [900, 700], "rent": [300, 350], "left": ["=A2-B2", "=A3-B3"]}).to_excel("clients.xlsx", index=False)
frame = pd.read_excel("clients.xlsx")
print(f"read back by pandas: {frame.to_dict('list')}")
assert frame["income"].tolist() == [900, 700] and frame["left"].isna().all()
results = [cell.value for cell in openpyxl.load_workbook("clients.xlsx", data_only=True).active["C"]]
formulas = [cell.value for cell in openpyxl.load_workbook("clients.xlsx").active["C"]]
print(f"data_only=True:      {results}")
print(f"data_only=False:     {formulas}")
assert results == ["left", None, None] and formulas == ["left", "=A2-B2", "=A3-B3"]
P
# Seen:
#   read back by pandas: {'income': [900, 700], 'rent': [300, 350], 'left': [nan, nan]}
#   data_only=True:      ['left', None, None]
#   data_only=False:     ['left', '=A2-B2', '=A3-B3']
