"""The names of LightGBM's parameters: its aliases, and what train.parameters may not or need not hold."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from lightmodel.errors import ConfigError
from lightmodel.learners.lean_lightgbm import lgb

STOPPING = {"max_rounds": 20_000, "patience": 100, "evaluate_every": 10}
"""Parameters of our own beside LightGBM's, and their defaults; in rounds."""

# What the project's other settings decide.
_DECIDED = {
    "objective": "set train.objective, or train.task",
    "num_class": "it follows from train.task",
    **dict.fromkeys(("alpha", "tweedie_variance_power"), "set train.alpha"),
    **dict.fromkeys(("metric", "eval_at"), "set gate.metric"),
    "seed": "set train.seed",
    "num_threads": "set train.threads",
    "deterministic": "a model is always the same for the same data",
    "verbosity": "LightGBM's messages are not shown",
    "num_iterations": "set max_rounds, which early stopping seldom reaches",
    **dict.fromkeys(
        ("early_stopping_round", "early_stopping_min_delta", "first_metric_only"), "set patience"
    ),
    "metric_freq": "set evaluate_every",
    "categorical_feature": "set the column's type in data.columns",
    "ignore_column": "set data.ignore",
    "label_column": "set data.target",
    "weight_column": "set train.weight",
}
# What has an effect only on LightGBM's own program, on its way of scoring, or on several machines.
_IDLE = {
    "auc_mu_weights",
    "config",
    "convert_model",
    "convert_model_language",
    "data",
    "group_column",
    "header",
    "input_model",
    "is_provide_training_metric",
    "label_gain",
    "lambdarank_norm",
    "lambdarank_position_bias_regularization",
    "lambdarank_truncation_level",
    "local_listen_port",
    "machine_list_filename",
    "machines",
    "multi_error_top_k",
    "num_iteration_predict",
    "num_machines",
    "output_model",
    "output_result",
    "parser_config_file",
    "precise_float_parser",
    "pre_partition",
    "pred_early_stop",
    "pred_early_stop_freq",
    "pred_early_stop_margin",
    "predict_contrib",
    "predict_disable_shape_check",
    "predict_leaf_index",
    "predict_raw_score",
    "save_binary",
    "saved_feature_importance_type",
    "snapshot_freq",
    "start_iteration_predict",
    "task",
    "time_out",
    "two_round",
    "valid",
}


def main_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same parameters, with aliases replaced by LightGBM's main names."""
    return {_main_names().get(name, name): value for name, value in parameters.items()}


def checked_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return train.parameters under LightGBM's main names.

    Raises:
        ConfigError: a name is unknown, given twice, without effect, or decided by another setting; lists
            every mistake.
    """
    checked: dict[str, Any] = {}
    mistakes = []
    for given, value in parameters.items():
        name = _main_names().get(given, given)
        if name in checked:
            mistakes.append(f"{given}: {name} is set already")
        elif mistake := _mistake(name):
            mistakes.append(f"{given}: {mistake}")
        checked[name] = value
    if mistakes:
        lines = "\n".join(f"  - train.parameters.{mistake}" for mistake in mistakes)
        number = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ConfigError(
            f"train.parameters has {number}:\n{lines}",
            hint="docs/config.md names what may be set; LightGBM's documentation explains its parameters",
        )
    return checked


def _mistake(name: str) -> str:
    """Return why a parameter of this main name may not be set; "" if it may."""
    if decided := _DECIDED.get(name):
        return f"may not be set here; {decided}"
    if name in _IDLE:
        return "has no effect here"
    if name in STOPPING or name in _main_names().values():
        return ""
    close = get_close_matches(name, [*STOPPING, *_main_names()], n=1)
    return f"LightGBM has no such parameter{f'; did you mean {close[0]!r}?' if close else ''}"


@cache
def _main_names() -> dict[str, str]:
    """Return the main name of each name, as this version of LightGBM itself knows them."""
    aliases = lgb.basic._ConfigAliases._get_all_param_aliases()
    return {alias: name for name, others in aliases.items() for alias in others}
