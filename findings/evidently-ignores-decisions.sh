#!/usr/bin/env bash
# Evidently 0.7.23 with pandas 3.0.6, ClassificationPreset: where a task names both prediction_labels and prediction_probas,
# the labels are not looked at. Accuracy, precision, recall and confusion matrix are those of probabilities cut at 0.5
# (or of the most probable class), whatever threshold the service decides by, and nothing says so. Declare two tasks: one
# with the labels alone for these metrics, and one with the probabilities for RocAuc and LogLoss.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check evidently==0.7.23 pandas==3.0.6
cd "$folder"
DO_NOT_TRACK=1 "$folder/venv/bin/python" - <<'P'
import numpy as np
import pandas as pd
from evidently import BinaryClassification, DataDefinition, Dataset, Report
from evidently.presets import ClassificationPreset

ROWS = 2_000
numbers = np.random.default_rng(0)
risk = numbers.beta(2, 8, ROWS)
table = pd.DataFrame({
    "truth": np.where(numbers.random(ROWS) < risk, "ill", "well"),
    "decision": np.where(risk >= 0.2, "ill", "well"),  # a doctor looks at one in five, not at one in two
    "risk": risk,
})


def recall(**predictions: str) -> float:
    task = BinaryClassification(target="truth", pos_label="ill", **predictions)
    definition = DataDefinition(
        numerical_columns=["risk"], categorical_columns=["truth", "decision"], classification=[task]
    )
    dataset = Dataset.from_pandas(table, data_definition=definition)
    metrics = Report([ClassificationPreset()]).run(dataset, None).dict()["metrics"]
    return next(one["value"] for one in metrics if one["metric_name"].startswith("Recall("))


ill = table[table["truth"] == "ill"]
decided, halved = (ill["decision"] == "ill").mean(), (ill["risk"] >= 0.5).mean()
alone, both = recall(prediction_labels="decision"), recall(prediction_labels="decision", prediction_probas="risk")
print(f"recall of the decisions {decided:.3f}, of risks cut at 0.5 {halved:.3f}")
print(f"Evidently, with the decisions {alone:.3f}, with decisions and risks {both:.3f}")
assert np.isclose(alone, decided) and np.isclose(both, halved) and decided > 5 * halved
P
# Seen:
#   recall of the decisions 0.673, of risks cut at 0.5 0.061
#   Evidently, with the decisions 0.673, with decisions and risks 0.061
