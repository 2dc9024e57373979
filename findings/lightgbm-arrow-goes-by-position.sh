#!/usr/bin/env bash
# LightGBM 4.7.0, predict: validate_features=True compares column names in pandas frames only. An Arrow table
# (pyarrow 25.0.1) and a polars 2.1.0 frame are taken by position, so swapped columns give other numbers and no error.
# Whoever scores from Parquet or polars selects the columns by name first: table.select(booster.feature_name()).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    lightgbm==4.7.0 pandas==3.1.1 polars==2.1.0 pyarrow==25.0.1
"$folder/venv/bin/python" - <<'P'
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

numbers = np.random.default_rng(7)
frame = pd.DataFrame({"age": numbers.uniform(18, 90, 500), "balance": numbers.uniform(0, 9000, 500)})
data = lightgbm.Dataset(frame, 2 * frame["age"])
booster = lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data, 20)
right = booster.predict(frame)
swapped = frame[["balance", "age"]]

try:
    booster.predict(swapped, validate_features=True)
    raise SystemExit("the pandas frame was taken")
except lightgbm.basic.LightGBMError as fault:
    print(f"pandas refused: {fault}", flush=True)
for kind, table in (("pyarrow", pa.Table.from_pandas(swapped)), ("polars", pl.from_pandas(swapped))):
    scores = booster.predict(table, validate_features=True)
    print(f"{kind} taken: {scores[:3].round(1)} instead of {right[:3].round(1)}")
    assert abs(scores - right).max() > 50
    assert np.array_equal(booster.predict(table.select(booster.feature_name())), right)
P
# Seen:
#   [LightGBM] [Fatal] Expected 'age' at position 0 but found 'balance'
#   pandas refused: Expected 'age' at position 0 but found 'balance'
#   pyarrow taken: [168.1 168.1 168.1] instead of [124.2 158.6 142.6]
#   polars taken: [168.1 168.1 168.1] instead of [124.2 158.6 142.6]
