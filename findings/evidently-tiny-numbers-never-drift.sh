#!/usr/bin/env bash
# Evidently 0.7.23 with pandas 3.0.6, DataDriftPreset as it is: numbers of more than 1,000 rows are judged by the Wasserstein
# distance over the reference's standard deviation, but over 0.001 where that is smaller. So the verdict depends on the unit: what
# has drifted far in milliseconds has not in hours. Rescale columns of tiny numbers, or name another method
# for them (per_column_method, such as "jensenshannon" or "ks").
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

numbers = np.random.default_rng(0)
before, now = numbers.normal(50, 5, 2_000), numbers.normal(70, 5, 2_000)  # milliseconds, 4 deviations later
UNITS = {"milliseconds": 1, "seconds": 1e-3, "hours": 1e-3 / 3_600}


def table(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({unit: values * factor for unit, factor in UNITS.items()})


metrics = Report([DataDriftPreset()]).run(table(now), table(before)).dict()["metrics"]
drift = {one["config"]["column"]: float(one["value"]) for one in metrics[1:]}
for unit, value in drift.items():
    print(f"the same times in {unit}: drift {value:.4f}, {'drifted' if value >= 0.1 else 'not drifted'}")
assert drift["milliseconds"] > 3 and drift["seconds"] > 3 and drift["hours"] < 0.1
P
# Seen:
#   the same times in milliseconds: drift 4.0251, drifted
#   the same times in seconds: drift 4.0251, drifted
#   the same times in hours: drift 0.0056, not drifted
