#!/usr/bin/env bash
# LightGBM 4.7.0: a missing value in a column that had none in training is taken for 0, and neither refused nor sent where
# missing values go. For a year, that is the prediction for the smallest one; a single missing value among the training
# rows changes it to something else. Refuse such rows, or fill them in from the training rows before predict().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 numpy==2.4.6
cat > "$folder/missing.py" <<'P'
import lightgbm as lgb
import numpy as np

random = np.random.default_rng(0)
year = random.integers(1990, 2021, 2000).astype(float)
table = np.column_stack([year, random.normal(size=2000)])
settings = {"objective": "regression", "verbosity": -1, "seed": 0}


def trained(rows: np.ndarray) -> lgb.Booster:
    return lgb.train(settings, lgb.Dataset(rows, label=year - 1990), 200)


def scored(model: lgb.Booster, value: float) -> float:
    return float(model.predict(np.array([[value, 0.0]]))[0])


model = trained(table)
known = {value: scored(model, value) for value in (1990.0, 2005.0, 2020.0)}
missing, zero = scored(model, np.nan), scored(model, 0.0)
with_gap = table.copy()
with_gap[0, 0] = np.nan
print("RESULT years:", ", ".join(f"{value:.0f} -> {score:.1f}" for value, score in known.items()))
print(f"RESULT no gap in training: missing -> {missing:.1f}, zero -> {zero:.1f}")
print(f"RESULT one gap in training: missing -> {scored(trained(with_gap), np.nan):.1f}")
assert missing == zero == known[1990.0]
assert scored(trained(with_gap), np.nan) > 10
P
"$folder/venv/bin/python" "$folder/missing.py" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   years: 1990 -> 0.0, 2005 -> 15.0, 2020 -> 30.0
#   no gap in training: missing -> 0.0, zero -> 0.0
#   one gap in training: missing -> 26.0
