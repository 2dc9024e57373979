#!/usr/bin/env bash
# treelite 4.8.1 and m2cgen 0.10.0 on models of LightGBM 4.7.0: each turns one kind of model into one with other scores and says
# nothing, and refuses what the other mistakes. treelite takes zero_as_missing=true as if zero were a number, m2cgen
# takes the leaves of linear_tree=true as constants. So compare scores on real rows before a converted model
# is used, and do not take a good outcome with one setting for a good converter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    lightgbm==4.7.0 m2cgen==0.10.0 scikit-learn==1.9.1 treelite==4.8.1
cd "$folder"
"$folder/venv/bin/python" - <<'P'
import lightgbm
import m2cgen
import numpy as np
import treelite

numbers = np.random.default_rng(1)
table = numbers.normal(size=(1000, 4))
table[numbers.uniform(size=table.shape) < 0.3] = 0.0
target = 3 * table[:, 0] + 5 * (table[:, 1] == 0)


def by_treelite(model: lightgbm.LGBMRegressor) -> np.ndarray:
    model.booster_.save_model("model.txt")
    return treelite.gtil.predict(treelite.frontend.load_lightgbm_model("model.txt"), table).ravel()


def by_m2cgen(model: lightgbm.LGBMRegressor) -> np.ndarray:
    code = {}
    exec(m2cgen.export_to_python(model), code)
    return np.array([code["score"](row) for row in table])


outcomes = {}
for setting in ({}, {"zero_as_missing": True}, {"linear_tree": True}):
    model = lightgbm.LGBMRegressor(n_estimators=20, num_leaves=7, verbose=-1, n_jobs=1, **setting).fit(table, target)
    for convert in (by_treelite, by_m2cgen):
        try:
            gap = abs(convert(model) - model.predict(table)).max()
            outcome = "the same scores" if gap < 1e-6 else "other scores"
        except (ValueError, treelite.TreeliteError):
            outcome = "refused"
        outcomes[convert.__name__, *setting] = outcome
        print(f"{convert.__name__} {setting}: {outcome}")
assert outcomes["by_treelite",] == outcomes["by_m2cgen",] == "the same scores"
assert outcomes["by_treelite", "zero_as_missing"] == outcomes["by_m2cgen", "linear_tree"] == "other scores"
assert outcomes["by_treelite", "linear_tree"] == outcomes["by_m2cgen", "zero_as_missing"] == "refused"
P
# Seen:
#   by_treelite {}: the same scores
#   by_m2cgen {}: the same scores
#   by_treelite {'zero_as_missing': True}: other scores
#   by_m2cgen {'zero_as_missing': True}: refused
#   by_treelite {'linear_tree': True}: refused
#   by_m2cgen {'linear_tree': True}: other scores
