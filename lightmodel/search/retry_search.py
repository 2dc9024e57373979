"""Propose other parameters after the quality gate rejected a model."""

import math
from collections.abc import Generator, Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from lightmodel.config import Config
from lightmodel.contract.task import Metric
from lightmodel.search.ranges import declared_ranges, starting_point
from lightmodel.search.storages import silence_optuna
from lightmodel.search.studies import distribution, round_parameters

# Yields complete train.parameters, and is sent the out-of-fold value of each; NaN: undefined.
Proposals = Generator[dict[str, Any], float, None]
_NEIGHBOURHOOD = 4.0  # a retry stays within this factor of the rejected parameters
_MAX_REPEATS = 50  # in a row: nothing new is left in the ranges


def propose(config: Config, trained: Mapping[str, Any], value: float, metric: Metric) -> Proposals:
    """Yield sets of parameters one by one; none if the estimator has no ranges.

    The same values sent back lead to the same proposals: a search can be replayed from stored values.

    Args:
        config: settings of the rejected model.
        trained: all parameters of that model, including those derived from the table.
        value: its out-of-fold metric; NaN if that is undefined.
        metric: the deciding metric.
    """
    if config.train.estimator == "neural":
        from lightmodel.learners.neural import larger_networks

        yield from larger_networks(config.train.parameters)
    elif config.train.estimator == "lightgbm":
        yield from _propose_nearby(config, trained, value, metric)


def _propose_nearby(
    config: Config, trained: Mapping[str, Any], value: float, metric: Metric
) -> Proposals:
    """Search near the rejected parameters with a study in memory; no set is proposed twice."""
    fixed = config.train.parameters
    ranges = declared_ranges(config.tune.ranges, fixed)
    if not ranges:
        return
    first = starting_point(ranges, trained)
    near = [one.around(first[one.name], _NEIGHBOURHOOD) for one in ranges]
    distributions = {one.name: distribution(one) for one in near}
    silence_optuna()
    study = optuna.create_study(
        direction="maximize" if metric.higher_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=config.train.seed, n_startup_trials=4),
    )
    if not math.isnan(value):
        study.add_trial(
            optuna.trial.create_trial(params=first, distributions=distributions, value=value)
        )
    values = {tuple(sorted(first.items())): value}
    repeats = 0
    while repeats < _MAX_REPEATS:
        trial = study.ask(distributions)
        parameters = round_parameters(trial.params)
        key = tuple(sorted(parameters.items()))
        if key in values:
            repeats += 1
        else:
            repeats = 0
            values[key] = yield {**parameters, **fixed}
        failed = math.isnan(values[key])
        study.tell(
            trial, None if failed else values[key], state=TrialState.FAIL if failed else None
        )
