"""`make bench-tune`: our tuning against the loop that people write, Optuna over `lgb.cv`.

Both search the same ranges on the same rows and folds, with the same rounds at most, the same patience and
the same number of trials, by Optuna's default sampler, in turns. What each found best is then scored by the
same `lgb.cv` on ten other folds, which neither has seen. Written to benchmarks/results/tune.json.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
from sklearn.model_selection import StratifiedKFold

from lightmodel.config import Config
from lightmodel.config.threads import threads_of
from lightmodel.contract.cells import Codes
from lightmodel.contract.task import METRICS
from lightmodel.learners.base import Folds, TrainingData
from lightmodel.notebooks import Project
from lightmodel.progress import SilentProgress
from lightmodel.search.ranges import Range, search_space, starting_point
from lightmodel.search.storages import FolderStorage
from lightmodel.search.studies import OptunaStudy, StudyPlan, distribution
from lightmodel.search.trials import TrialContext, prepare_trials, run_trials

RESULTS = Path("benchmarks/results/tune.json")
FINAL_FOLDS = 10


@dataclass(frozen=True)
class Table:
    """Training rows, and the folds that both sides use."""

    name: str
    data: TrainingData
    folds: Sequence[tuple[Codes, Codes]]
    numbers: Codes
    config: Config


@dataclass(frozen=True)
class SearchResult:
    """One search: seconds, the best parameters, and their AUC on folds that it had not seen."""

    seconds: float
    parameters: Mapping[str, Any]
    auc: float


def table_of(name: str, source: str, folder: Path) -> Table:
    """Make the training rows of a source, and cut them into tune.folds."""
    sets = (f"data.source={source}", f"store.root={folder / name}", "tracking.uri=none")
    project = Project((*sets, f"store.work={folder / 'work'}"))
    project.run("preprocess")
    data = training_data_of(project)
    cut = StratifiedKFold(project.config.tune.folds, shuffle=True, random_state=0)
    folds = list(cut.split(data.features, data.target))
    numbers = np.full(len(data.target), -1)
    for at, (_, held_out) in enumerate(folds):
        numbers[held_out] = at
    return Table(name, data, folds, numbers, project.config)


def training_data_of(project: Project) -> TrainingData:
    """Return the training rows as learners take them."""
    from lightmodel.training.cross_validation import training_data

    return training_data(project.training_table, project.contract)


def ours(table: Table, trials: int, seed: int, journal: Path) -> tuple[float, Mapping[str, Any]]:
    """Search as `python -m lightmodel tune` does, its preparation included."""
    started = time.perf_counter()
    config = table.config
    ranges = search_space(config, include_fixed=False).ranges
    fitter = prepare_trials(config, table.data, Folds(table.numbers), threads_of(config))
    first = starting_point(ranges, fitter.trainer.parameters)
    tune = config.tune
    plan = StudyPlan(
        "ours",
        ranges,
        METRICS["auc"],
        seed,
        trials,
        tune.n_startup_trials,
        tune.pruner_percentile,
        first,
    )
    study = OptunaStudy(plan, FolderStorage(journal))
    try:
        run_trials(
            TrialContext(table.data, table.numbers, config.train, fitter, study, SilentProgress()),
            lambda: False,
        )
        done = [trial for trial in study.trials() if trial.state == "complete"]
    finally:
        study.close()
    best = max(done, key=lambda trial: trial.value)
    return time.perf_counter() - started, best.parameters


def plain(table: Table, trials: int, seed: int) -> tuple[float, Mapping[str, Any]]:
    """Search as tutorials do: a study over lgb.cv with early stopping, on all threads."""
    started = time.perf_counter()
    config = table.config
    ranges = search_space(config, include_fixed=False).ranges
    distributions = {one.name: distribution(one) for one in ranges}
    dataset = dataset_of(table.data)

    def objective(trial: optuna.Trial) -> float:
        drawn = {
            name: suggested(trial, one) for name, one in zip(distributions, ranges, strict=True)
        }
        return cross_validated(dataset, drawn, table.folds, config)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    return time.perf_counter() - started, study.best_params


def suggested(trial: optuna.Trial, one: Range) -> float:
    """Ask for a value of a range."""
    if one.is_int:
        return trial.suggest_int(one.name, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(one.name, one.low, one.high, log=one.log)


def dataset_of(data: TrainingData) -> lgb.Dataset:
    """Return the rows as LightGBM's tutorials do."""
    return lgb.Dataset(
        data.features,
        label=data.target,
        params={"feature_pre_filter": False, "verbosity": -1},
        free_raw_data=False,
    )


def cross_validated(
    dataset: lgb.Dataset,
    parameters: Mapping[str, Any],
    folds: Sequence[tuple[Codes, Codes]],
    config: Config,
) -> float:
    """Return the best mean AUC of lgb.cv."""
    fixed = {"objective": "binary", "metric": "auc", "verbosity": -1, "seed": 0}
    history = lgb.cv(
        {**fixed, "feature_pre_filter": False, **parameters},
        dataset,
        num_boost_round=config.tune.max_rounds,
        folds=folds,
        callbacks=[lgb.early_stopping(config.tune.patience, verbose=False)],
    )
    means: Any = history["valid auc-mean"]
    return float(means[-1])


def final_auc(table: Table, parameters: Mapping[str, Any]) -> float:
    """Score parameters on folds that no search has seen."""
    cut = StratifiedKFold(FINAL_FOLDS, shuffle=True, random_state=1)
    folds = list(cut.split(table.data.features, table.data.target))
    return cross_validated(dataset_of(table.data), parameters, folds, table.config)


def turns(table: Table, trials: int, seeds: int, folder: Path) -> dict[str, Any]:
    """Run both in turns, once for each seed."""
    results: dict[str, list[SearchResult]] = {"ours": [], "plain": []}
    for seed in range(seeds):
        searches = {
            "ours": lambda at=seed: ours(table, trials, at, folder / f"{table.name}-{at}"),
            "plain": lambda at=seed: plain(table, trials, at),
        }
        for name in searches if seed % 2 else reversed(searches):
            seconds, parameters = searches[name]()
            results[name].append(SearchResult(seconds, parameters, final_auc(table, parameters)))
            print(f"{table.name}, seed {seed}, {name}: {seconds:.1f} s", flush=True)
    return summary(table, trials, results)


def summary(
    table: Table, trials: int, searches: Mapping[str, Sequence[SearchResult]]
) -> dict[str, Any]:
    """Return the median trials per hour and scores of both searches."""
    an_hour = {
        name: 3600 * trials / statistics.median(one.seconds for one in runs)
        for name, runs in searches.items()
    }
    auc = {name: statistics.median(one.auc for one in runs) for name, runs in searches.items()}
    print(
        f"{table.name}: {an_hour['ours']:,.0f} trials an hour against {an_hour['plain']:,.0f} "
        f"({an_hour['ours'] / an_hour['plain']:.1f} times), AUC {auc['ours']:.4f} against "
        f"{auc['plain']:.4f}"
    )
    return {
        "rows": len(table.data.target),
        "columns": len(table.data.names),
        "trials": trials,
        "trials_an_hour": an_hour,
        "times_as_many": an_hour["ours"] / an_hour["plain"],
        "auc_on_other_folds": auc,
        "runs": {name: [asdict(one) for one in runs] for name, runs in searches.items()},
    }


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=30)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--rows", type=int, default=4_000, help="of the generated sample")
    given = arguments.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [
            table_of("breast_cancer", "sklearn://breast_cancer", folder),
            table_of("santander", f"sample://santander?rows={given.rows}", folder),
        ]
        results = {one.name: turns(one, given.trials, given.seeds, folder) for one in tables}
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    results = {"machine": machine, **results}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
