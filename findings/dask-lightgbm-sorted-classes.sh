#!/usr/bin/env bash
# LightGBM 4.7.0, lightgbm.DaskLGBMClassifier on Dask 2026.8.0: each worker numbers the classes by what it holds itself. With
# a table sorted by class, four classes on two workers are trained as two; the model knows the classes of one worker only
# and fit ends well. Number the labels before they are spread, shuffle the rows, and compare classes_ after fit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'dask[dataframe]==2026.8.0' distributed==2026.8.0 lightgbm==4.7.0 scikit-learn==1.9.1
cat > "$folder/sorted.py" <<'P'
import dask.array
import numpy as np
from dask.distributed import Client, LocalCluster
from lightgbm import DaskLGBMClassifier


def train(client: Client, table: np.ndarray, labels: np.ndarray) -> tuple[list[int], float]:
    model = DaskLGBMClassifier(n_estimators=10, verbose=-1, client=client)
    parts = dask.array.from_array(table, chunks=(1000, 2)), dask.array.from_array(labels, chunks=1000)
    local = model.fit(*parts).to_local()
    return local.classes_.tolist(), float((local.predict(table) == labels).mean())


if __name__ == "__main__":
    numbers = np.random.default_rng(5)
    labels = np.repeat([1, 2, 3, 4], 500)
    table = np.column_stack([labels + numbers.normal(0, 0.1, 2000), numbers.normal(size=2000)])
    mixed = numbers.permutation(2000)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        with Client(cluster) as client:
            by_class, right_by_class = train(client, table, labels)
            shuffled, right_shuffled = train(client, table[mixed], labels[mixed])
    print(f"RESULT sorted by class: {len(by_class)} classes known, share of right answers {right_by_class:.1f}")
    print(f"RESULT shuffled: {len(shuffled)} classes known, share of right answers {right_shuffled:.1f}")
    assert len(by_class) == 2 and right_by_class < 0.6
    assert shuffled == [1, 2, 3, 4] and right_shuffled > 0.9
P
"$folder/venv/bin/python" "$folder/sorted.py" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   sorted by class: 2 classes known, share of right answers 0.5
#   shuffled: 4 classes known, share of right answers 1.0
