"""A table that lies in files, and is scored a few rows at a time, gives the model that memory gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from lightmodel.config import load
from lightmodel.contract import matrices
from lightmodel.learners import lightgbm
from lightmodel.store.versions import Version, models_of
from lightmodel.tables import encode, mapped_matrices
from lightmodel.training import testing, user_features
from tests.fakes.trained import run_chain, settings_for

ROWS = 3_000
WORDS = ("late", "broken", "kind", "fast", "again", "never", "price")
OWN_FEATURES = """
def features(table):
    amount = table["amount"].to_numpy(zero_copy_only=False)
    shop = table["shop"].to_pylist()
    return {"double": amount * 2, "first": [int(name[-1]) for name in shop]}
"""


def orders() -> pa.Table:
    """Return orders of customers, with a column of each kind."""
    random = np.random.default_rng(0)
    amount = random.gamma(2.0, 30.0, ROWS).round(2)
    age = random.integers(18, 80, ROWS)
    channel = random.choice(["web", "phone", "street", "post"], ROWS)
    words = random.choice(WORDS, (ROWS, 9))
    pull = 0.02 * amount + (channel == "web") + (words == "late").sum(axis=1) - 3
    score = pull + random.normal(size=ROWS)
    day = np.datetime64("2025-01-01") + random.integers(0, 400, ROWS).astype("m8[D]")
    return pa.table(
        {
            "shop": [f"shop {row % 90}" for row in range(ROWS)],
            "amount": pa.array(amount, mask=random.random(ROWS) < 0.05),
            "age": age,
            "channel": pa.array(channel, mask=random.random(ROWS) < 0.05),
            "ordered": day,
            "remark": [" ".join(some) for some in words],
            "count": random.integers(1, 5, ROWS),
            "returned": np.where(score > 0, "yes", "no"),
            "mood": np.select([score < -1, score > 1], ["calm", "angry"], "neutral"),
            "cost": score,
        }
    )


def settings(target: str, **others: str) -> dict[str, str]:
    unused = {"returned", "mood", "cost"} - {target}
    return {
        "data.source": "orders.parquet",
        "data.target": target,
        "data.ignore": json.dumps(
            [*sorted(unused), *(["shop"] if "train.module" in others else [])]
        ),
        "data.text": '["remark"]',
        "train.threads": "2",
        **others,
    }


CASES = {
    "binary": settings(
        "returned",
        **{
            "split.method": "group:shop",
            "data.format": "parquet",
            "train.weight": "count",
            "train.calibration": "sigmoid",
            "train.module": "own.py",
        },
    ),
    "multiclass": settings("mood", **{"train.final": "ensemble", "train.class_weight": "balanced"}),
    "regression": settings("cost", **{"train.features": '["frequency"]', "split.method": "random"}),
    "linear": settings("cost", **{"train.parameters": "{linear_tree = true, max_rounds = 10}"}),
    "sklearn": settings(
        "returned",
        **{
            "train.estimator": "sklearn.neighbors.KNeighborsClassifier",
            "train.parameters": "{n_neighbors = 5}",
        },
    ),
}


def made(version: Version) -> dict[str, Any]:
    """Return what training and testing stored that must not depend on where the table lay."""
    names = ("model.joblib", "metrics.json", "reference.parquet", "cv_results.csv")
    tested = json.loads((version.folder / "verdict.json").read_bytes())
    return {**{name: version.read(name) for name in names}, "tested": tested["metrics"]}


@pytest.mark.parametrize("case", CASES)
def test_a_table_in_files_gives_the_same_model_and_metrics(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet.write_table(orders(), "orders.parquet")
    Path("own.py").write_text(OWN_FEATURES, encoding="utf-8")
    sets = settings_for(tmp_path, CASES[case].items())
    config = load(None, sets).config
    run_chain(sets)
    in_memory = models_of(config).newest()
    in_files = []

    def mapped_matrix(rows: int, columns: int, folder: Path) -> Any:
        in_files.append((rows, columns))
        return real(rows, columns, folder)

    real = mapped_matrices.mapped_matrix
    monkeypatch.setattr(mapped_matrices, "mapped_matrix", mapped_matrix)
    monkeypatch.setattr(matrices, "LARGE_CELLS", 0)
    monkeypatch.setattr(lightgbm, "_BINS_BYTES", 0)
    monkeypatch.setattr(testing, "_BLOCK_CELLS", 1_000)
    monkeypatch.setattr(user_features, "CALLED_ROWS", 700)
    monkeypatch.setattr(encode, "_TEXTS", 500)
    run_chain([*sets], force=True)
    newest = models_of(config).newest()
    assert in_files
    assert newest.name != in_memory.name
    assert made(newest) == made(in_memory)
