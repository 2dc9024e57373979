"""The parameters of LightGBM that this project chooses, and LightGBM's other names for them."""

from collections.abc import Mapping
from typing import Any

VARIED: Mapping[str, frozenset[str]] = {
    "num_leaves": frozenset({"num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"}),
    "learning_rate": frozenset({"eta", "shrinkage_rate"}),
    "min_data_in_leaf": frozenset(
        {"min_data_per_leaf", "min_data", "min_child_samples", "min_samples_leaf"}
    ),
    "feature_fraction": frozenset({"sub_feature", "colsample_bytree"}),
    "lambda_l1": frozenset({"reg_alpha", "l1_regularization"}),
    "lambda_l2": frozenset({"reg_lambda", "lambda", "l2_regularization"}),
}
_MAIN = {other: name for name, others in VARIED.items() for other in others}


def main_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give the same parameters by the main names of those that are known here."""
    return {_MAIN.get(name, name): value for name, value in parameters.items()}
