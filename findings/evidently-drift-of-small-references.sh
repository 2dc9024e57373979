#!/usr/bin/env bash
# Evidently 0.7.23 with pandas 3.0.6, DataDriftPreset as it is: with up to 1,000 reference rows a category column is judged by
# a chi-square test that takes the reference's shares for the exact truth. Two samples of one source are then "drifted" in
# a quarter of the columns, not in the twentieth that the level of 0.05 promises. From 1,001 rows on it is another test
# and the alarms are gone. Name a test that counts both samples, or take a longer reference.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check evidently==0.7.23 pandas==3.0.6
cd "$folder"
DO_NOT_TRACK=1 "$folder/venv/bin/python" - <<'P'
import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

COLUMNS = 40
numbers = np.random.default_rng(0)


def sample(rows: int) -> pd.DataFrame:
    return pd.DataFrame({f"c{number}": numbers.choice(list("abcde"), rows) for number in range(COLUMNS)})


drifted = {}
for rows in (500, 1000, 1001):
    metrics = Report([DataDriftPreset()]).run(sample(rows), sample(rows)).dict()["metrics"]
    drifted[rows] = int(metrics[0]["value"]["count"])
    methods = sorted({metric["config"]["method"] for metric in metrics[1:]})
    print(f"{rows} rows, nothing changed: {drifted[rows]} of {COLUMNS} columns drifted, by {methods}")
assert drifted[500] >= COLUMNS / 5 and drifted[1000] >= COLUMNS / 5 and drifted[1001] == 0
P
# Seen:
#   500 rows, nothing changed: 13 of 40 columns drifted, by ['chi-square p_value']
#   1000 rows, nothing changed: 11 of 40 columns drifted, by ['chi-square p_value']
#   1001 rows, nothing changed: 0 of 40 columns drifted, by ['Jensen-Shannon distance']
