#!/usr/bin/env bash
# LightGBM 4.7.0: rows of weight 0 take part in a training. `min_data_in_leaf` counts rows, whatever they weigh, and so do the bins of
# the features: 30 rows are too few for two leaves of 20, and with 30 more of weight 0 the same rows are split. So a weight of 0 does
# not leave a row out, as it does in scikit-learn's linear models: remove such rows before the data set is made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 numpy==2.4.6
cat > "$folder/weigh.py" <<'P'
import lightgbm as lgb
import numpy as np

steps = np.arange(30.0)
weighed = (steps[:, None], (steps > 14).astype(float), np.ones(30))
unweighed = (steps[:, None] + 0.5, (steps > 9).astype(float), np.zeros(30))


def leaves(*parts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> int:
    features, target, weights = (np.concatenate(one) for one in zip(*parts))
    rows = lgb.Dataset(features, target, weight=weights)
    booster = lgb.train({"min_data_in_leaf": 20, "num_threads": 1, "verbosity": -1}, rows, 1)
    return booster.dump_model()["tree_info"][0]["num_leaves"]


seen = {"30 rows": leaves(weighed), "and 30 of weight 0": leaves(weighed, unweighed)}
print(f"leaves: {seen}")
assert seen == {"30 rows": 1, "and 30 of weight 0": 2}, seen
P
"$folder/venv/bin/python" "$folder/weigh.py"
# Seen:
#   leaves: {'30 rows': 1, 'and 30 of weight 0': 2}
