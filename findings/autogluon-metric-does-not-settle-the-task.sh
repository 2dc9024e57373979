#!/usr/bin/env bash
# AutoGluon 1.6.3: the task is guessed from the target alone, and a metric that exists only for numbers does not settle it. Counts with
# a few dozen values count as classes: with root_mean_squared_error the fit is refused, as that is no metric of classes, and without a
# metric a classifier of accuracy is trained, with a line in the log. Say problem_type="regression" wherever the target may be a count.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check autogluon.tabular==1.6.3
cat > "$folder/fit.py" <<'P'
import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

rows = np.random.default_rng(0)
waiting = rows.uniform(0, 3, 2_000)
table = pd.DataFrame({"waiting": waiting, "visits": rows.poisson(np.exp(waiting))})


def task(**options: str) -> str:
    predictor = TabularPredictor("visits", verbosity=0, path=f"{options}", **options)
    try:
        predictor.fit(table, hyperparameters={"DUMMY": {}})
    except ValueError as error:
        return str(error).partition(".")[0]
    return predictor.problem_type


seen = {
    "number of counts": table["visits"].nunique(),
    "no metric": task(),
    "a metric of numbers": task(eval_metric="root_mean_squared_error"),
    "and the task": task(eval_metric="root_mean_squared_error", problem_type="regression"),
}
for name, value in seen.items():
    print(f"{name}: {value}")
assert seen["no metric"] == "multiclass", seen
assert "not a valid metric for problem_type='multiclass'" in seen["a metric of numbers"], seen
assert seen["and the task"] == "regression", seen
P
cd "$folder"
"$folder/venv/bin/python" fit.py 2>/dev/null
# Seen:
#   number of counts: 31
#   no metric: multiclass
#   a metric of numbers: eval_metric='root_mean_squared_error' is not a valid metric for problem_type='multiclass'
#   and the task: regression
