#!/usr/bin/env bash
# LightGBM 4.7.0: min_sum_hessian_in_leaf may be 0 by its documentation. With 0, boosting of a table that separates the classes
# does not stop when nothing is left to split, as it does with 1e-12: an internal check fails, and train raises. Whoever
# searches this parameter should begin above 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0
cat > "$folder/separable.py" <<'P'
import lightgbm
import numpy as np

table = np.random.default_rng(0).normal(size=(240, 3))
labels = (table[:, 0] > 0).astype(float)
for least in (1e-3, 1e-12, 0.0):
    parameters = {"objective": "binary", "num_leaves": 4, "min_sum_hessian_in_leaf": least}
    parameters |= {"learning_rate": 0.25, "num_threads": 1, "verbosity": -1}
    try:
        trees = lightgbm.train(parameters, lightgbm.Dataset(table, labels), 1000).num_trees()
        ended = f"{trees} trees"
    except lightgbm.basic.LightGBMError as error:
        ended = str(error).partition(" at ")[0]
    print(f"RESULT at least {least:g}: {ended}")
    assert ("trees" in ended) == (least > 0), ended
P
"$folder/venv/bin/python" "$folder/separable.py" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   at least 0.001: 44 trees
#   at least 1e-12: 127 trees
#   at least 0: Check failed: (best_split_info.left_count) > (0)
