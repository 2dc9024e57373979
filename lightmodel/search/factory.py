"""Searches as the configuration names them; Optuna and LightGBM are imported when one begins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightmodel.config import Config
from lightmodel.contract.cells import Codes
from lightmodel.learners.base import TrainingData
from lightmodel.search.base import RejectedBaseline, Search, StudyPlan

if TYPE_CHECKING:
    from lightmodel.learners.lightgbm import LightGBMTrials
    from lightmodel.search.studies import OptunaStudy

_NEIGHBOURHOOD = 4.0  # the factor within which a retry stays around the rejected parameters


def retry_search(config: Config, baseline: RejectedBaseline) -> Search | None:
    """Return a search around a rejected training, or None where the estimator has no ranges."""
    train = config.train
    if train.estimator == "neural":
        from lightmodel.learners.neural import larger
        from lightmodel.search.studies import ListedSearch

        return ListedSearch(larger(train.parameters))
    if train.estimator != "lightgbm":
        return None
    from lightmodel.search.ranges import declared_ranges, starting_point
    from lightmodel.search.studies import OptunaSearch

    ranges = declared_ranges(config.tune.ranges, train.parameters)
    if not ranges:
        return None
    first = starting_point(ranges, baseline.settled)
    near = tuple(one.around(first[one.name], _NEIGHBOURHOOD) for one in ranges)
    return OptunaSearch(near, train.parameters, first, baseline, train.seed)


def prepare_trials(
    config: Config, data: TrainingData, folds: Sequence[tuple[Codes, Codes]], threads: int
) -> "LightGBMTrials":
    """Prepare a table once for all trials of a study.

    Args:
        config: whose `train` and `tune` sections say what is fitted and when it stops.
        data: the training rows.
        folds: row numbers to fit and to hold out, for each fold.
        threads: number of folds that are fitted at once, one thread each.
    """
    from lightmodel.learners.boosting import Stopping
    from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMTrials

    train, tune = config.train, config.tune
    learner = LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=False)
    trainer = learner.prepare(data)
    rounds = min(tune.max_rounds, trainer.stopping.max_rounds)
    stopping = Stopping(rounds, tune.patience, trainer.stopping.evaluate_every)
    return LightGBMTrials.cut(trainer, train.parameters, folds, stopping, threads)


def open_study(config: Config, plan: StudyPlan) -> "OptunaStudy":
    """Open a study, or begin it: in tune.storage if that is set, else in a folder of store.work.

    Raises:
        ConfigError: tune.storage is no address of a PostgreSQL database, or psycopg is missing.
        SourceUnavailable: the database does not answer.
        StorageFull, LightModelError: the folder cannot be written.
    """
    from lightmodel.search.storages import FolderStorage, PostgresStorage
    from lightmodel.search.studies import OptunaStudy

    url = config.tune.storage
    if url:
        return OptunaStudy(plan, PostgresStorage(url.get_secret_value()))
    return OptunaStudy(plan, FolderStorage(config.tune.folder(config.store.work, plan.name)))
