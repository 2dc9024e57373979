"""From a configuration to what a search works with; Optuna and LightGBM are imported when it begins."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lightmodel.config import Config
from lightmodel.contract.arrays import Codes
from lightmodel.errors import NotPossible
from lightmodel.learners.base import TrainingData
from lightmodel.pipeline.context import Tuning, Unsatisfying
from lightmodel.search.base import Search, Study, StudyPlan, TrialFitter
from lightmodel.search.space import Range, Space

NEIGHBOURHOOD = 4.0


def alternatives(config: Config, unsatisfying: Unsatisfying) -> Search | None:
    """Begin a search around what a training settled on; None: nothing is known to try."""
    train = config.train
    if train.estimator == "neural":
        from lightmodel.learners.neural import larger
        from lightmodel.search.searches import ListedSearch

        return ListedSearch(larger(train.parameters))
    if train.estimator != "lightgbm":
        return None
    from lightmodel.search.ranges import ranges, starting_point
    from lightmodel.search.searches import OptunaSearch

    declared = ranges(config.tune.ranges, train.parameters)
    if not declared:
        return None
    settled = starting_point(declared, unsatisfying.settled)
    return OptunaSearch(
        tuple(one.around(settled[one.name], NEIGHBOURHOOD) for one in declared),
        train.parameters,
        (settled, unsatisfying.value),
        train.seed,
        higher_is_better=unsatisfying.higher_is_better,
    )


def tuning(threads: int) -> Tuning:
    """Give what a study needs."""
    return Tuning(space, partial(_fitter, threads), _starting_point, _study)


def space(config: Config, released: bool) -> Space:
    """Give what is searched; with `released`, also what train.parameters names.

    Raises:
        NotPossible: the estimator has no declared ranges.
        ConfigError: tune.ranges makes no sense.
    """
    if config.train.estimator != "lightgbm":
        raise NotPossible(
            f"train.estimator = {config.train.estimator!r} has no declared ranges to search",
            hint="`tune` is for lightgbm",
        )
    from lightmodel.learners.parameter_names import main_names
    from lightmodel.search.ranges import ranges

    given = config.train.parameters
    found = ranges(config.tune.ranges, {} if released else given)
    searched = {one.name for one in found}
    kept = {
        name: value for name, value in given.items() if not searched & set(main_names({name: 0}))
    }
    return Space(found, kept)


def _starting_point(ranges: tuple[Range, ...], settled: Mapping[str, Any]) -> dict[str, float]:
    from lightmodel.search.ranges import starting_point

    return starting_point(ranges, settled)


def _fitter(
    threads: int, config: Config, data: TrainingData, folds: Sequence[tuple[Codes, Codes]]
) -> TrialFitter:
    from lightmodel.learners.boosting import Stopping
    from lightmodel.learners.lightgbm import LightGBMLearner
    from lightmodel.learners.lightgbm_trials import LightGBMTrials

    train, tune = config.train, config.tune
    learner = LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=False)
    trainer = learner.prepare(data)
    rounds = min(tune.max_rounds, trainer.stopping.max_rounds)
    stopping = Stopping(rounds, tune.patience, trainer.stopping.evaluate_every)
    return LightGBMTrials.cut(trainer, train.parameters, folds, stopping, threads)


def _study(config: Config, plan: StudyPlan) -> Study:
    from lightmodel.search import storages
    from lightmodel.search.optuna_study import OptunaStudy

    url = config.tune.storage
    if url:
        return OptunaStudy(plan, *storages.in_postgres(url.get_secret_value()))
    folder = config.tune.folder(config.store.work, plan.name)
    return OptunaStudy(plan, *storages.in_folder(folder))
