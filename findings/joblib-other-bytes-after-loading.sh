#!/usr/bin/env bash
# joblib 1.6.0 with scikit-learn 1.9.1: the bytes of a dump say whether an estimator was fitted here or loaded. A pipeline or a forest that was
# loaded is dumped into more bytes than the same one as it was fitted, since texts and types that were one object have become equal ones. A hash
# of the file is the estimator's only as long as it comes neither from another process nor from a checkpoint.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check joblib==1.6.0 scikit-learn==1.9.1 numpy==2.4.6
cat > "$folder/dump.py" <<'P'
import io

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def dumped(estimator: object) -> bytes:
    file = io.BytesIO()
    joblib.dump(estimator, file)
    return file.getvalue()


rows = np.random.default_rng(0).standard_normal((50, 3))
target = (rows[:, 0] > 0).astype(int)
changed = {}
for estimator in (
    LogisticRegression(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    RandomForestClassifier(3, random_state=0),
):
    fitted = dumped(estimator.fit(rows, target))
    loaded = joblib.load(io.BytesIO(fitted))
    assert dumped(estimator) == fitted
    assert (estimator.predict_proba(rows) == loaded.predict_proba(rows)).all()
    name = type(estimator).__name__
    print(f"{name}: {len(fitted)} bytes as fitted, {len(dumped(loaded))} once loaded")
    changed[name] = fitted != dumped(loaded)
assert changed == {"LogisticRegression": False, "Pipeline": True, "RandomForestClassifier": True}, changed
P
cd "$folder"
"$folder/venv/bin/python" dump.py
# Seen:
#   LogisticRegression: 879 bytes as fitted, 879 once loaded
#   Pipeline: 1425 bytes as fitted, 1457 once loaded
#   RandomForestClassifier: 3673 bytes as fitted, 3913 once loaded
