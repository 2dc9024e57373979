"""What a retry tries in the place of parameters that the quality gate rejected."""

import math
from collections.abc import Generator, Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from lightmodel.config import Config
from lightmodel.contract.task import Metric
from lightmodel.search.ranges import declared_ranges, starting_point
from lightmodel.search.storages import silence_optuna
from lightmodel.search.studies import distribution, rounded

# Complete sets for train.parameters; each is sent its value out of fold, NaN where that is undefined.
Proposals = Generator[dict[str, Any], float, None]
_NEIGHBOURHOOD = 4.0  # the factor within which a retry stays around the rejected parameters
_REPEATS = 50


def propose(config: Config, settled: Mapping[str, Any], value: float, metric: Metric) -> Proposals:
    """Yield one set of parameters after the other; none where the estimator has no ranges.

    The same values sent lead to the same sets, so that a search can be repeated from stored values.

    Args:
        config: by which the rejected model was trained.
        settled: all parameters of that model, including those chosen from the table.
        value: its metric out of fold; NaN where that is undefined.
        metric: that decides.
    """
    if config.train.estimator == "neural":
        from lightmodel.learners.neural import larger_networks

        yield from larger_networks(config.train.parameters)
    elif config.train.estimator == "lightgbm":
        yield from _propose_nearby(config, settled, value, metric)


def _propose_nearby(
    config: Config, settled: Mapping[str, Any], value: float, metric: Metric
) -> Proposals:
    """Search by a study in memory, which begins with the rejected parameters; no set comes twice."""
    given = config.train.parameters
    ranges = declared_ranges(config.tune.ranges, given)
    if not ranges:
        return
    first = starting_point(ranges, settled)
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
    while repeats < _REPEATS:
        trial = study.ask(distributions)
        parameters = rounded(trial.params)
        key = tuple(sorted(parameters.items()))
        if key in values:
            repeats += 1
        else:
            repeats = 0
            values[key] = yield {**parameters, **given}
        failed = math.isnan(values[key])
        study.tell(
            trial, None if failed else values[key], state=TrialState.FAIL if failed else None
        )
