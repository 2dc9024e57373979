"""The parameters of LightGBM that this project chooses or searches, and LightGBM's other names for them."""

from collections.abc import Mapping
from typing import Any

VARIED: Mapping[str, frozenset[str]] = {
    "num_leaves": frozenset({"num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"}),
    "learning_rate": frozenset({"eta", "shrinkage_rate"}),
    "min_data_in_leaf": frozenset(
        {"min_data_per_leaf", "min_data", "min_child_samples", "min_samples_leaf"}
    ),
    "feature_fraction": frozenset({"sub_feature", "colsample_bytree"}),
    "bagging_fraction": frozenset({"bagging", "sub_row", "subsample"}),
    "bagging_freq": frozenset({"subsample_freq"}),
    "lambda_l1": frozenset({"reg_alpha", "l1_regularization"}),
    "lambda_l2": frozenset({"reg_lambda", "lambda", "l2_regularization"}),
    "max_depth": frozenset(),
    "min_sum_hessian_in_leaf": frozenset(
        {"min_child_weight", "min_hessian", "min_sum_hessian", "min_sum_hessian_per_leaf"}
    ),
    "min_gain_to_split": frozenset({"min_split_gain"}),
    "feature_fraction_bynode": frozenset({"colsample_bynode", "sub_feature_bynode"}),
    "path_smooth": frozenset(),
    "max_delta_step": frozenset({"max_leaf_output", "max_tree_output"}),
    "cat_smooth": frozenset(),
    "cat_l2": frozenset(),
    "min_data_per_group": frozenset(),
    "scale_pos_weight": frozenset(),
}
_MAIN = {other: name for name, others in VARIED.items() for other in others}


def main_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give the same parameters by the main names of those that are known here."""
    return {_MAIN.get(name, name): value for name, value in parameters.items()}
