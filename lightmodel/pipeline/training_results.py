"""The files that describe a training beside its model."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Draft

if TYPE_CHECKING:  # scikit-learn takes seconds to import, often for nothing
    from lightmodel.training.train import TrainingResult


def write_results(draft: Draft, trained: "TrainingResult") -> None:
    """Write metrics, folds, and the importance of features."""
    from lightmodel.report.plots.training import importance_png

    results = {
        "out_of_fold": trained.metrics,
        "threshold": trained.threshold,
        "prior": trained.prior,
        "folds": [asdict(fold) for fold in trained.folds],
        "warnings": trained.warnings,
        "constant": trained.constant,
    }
    draft.write("metrics.json", json_bytes(results))
    folds = [
        {"fold": one.fold, "rows": one.rows, "rounds": one.rounds, **one.metrics}
        for one in trained.folds
    ]
    draft.write("cv_results.csv", csv_bytes(folds))
    importance = trained.importance
    gains = {item.feature: item.gain for item in importance}
    counts = {item.feature: item.split for item in importance if item.split == item.split}
    for kind, values in (("gain", gains), ("split", counts)):
        if values:
            draft.write(f"feature_importance_{kind}.json", json_bytes(values))
            draft.write(f"feature_importance_{kind}.png", importance_png(importance, kind=kind))


def csv_bytes(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows as CSV in UTF-8, with a column for each key that occurs in any of them."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
