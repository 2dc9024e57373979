"""The finalists of a study: their choice, their order, the winner, and the tables."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightmodel.config import Config
from lightmodel.contract.task import METRICS
from lightmodel.pipeline.candidates import Candidate, rank
from lightmodel.pipeline.training_results import csv_bytes
from lightmodel.pipeline.tune import TuneResult, finalist_rows
from lightmodel.search.ranges import Space
from lightmodel.search.studies import Trial
from lightmodel.search.study_report import best_trials, trial_rows

AUC, LOSS = METRICS["auc"], METRICS["log_loss"]


def trial(number: int, value: float, leaves: int, state: Any = "complete") -> Trial:
    return Trial(number, state, {"num_leaves": leaves}, value, (value,))


def finalist(
    value: float | None, of_trial: Trial | None = None, shifts: Sequence[float] = (0,) * 10
) -> Candidate:
    """Return a candidate whose folds differ from its value by `shifts`."""
    metrics = {"auc": value, "log_loss": value}
    train = Config().train.model_copy(
        update={"parameters": dict(of_trial.parameters if of_trial else {})}
    )
    folds = [{} if value is None else {"auc": value + shift} for shift in shifts]
    return Candidate(Config(train=train), "", metrics, of_trial, tuple(folds))


def result(*finalists: Candidate, interrupted: bool = False) -> TuneResult:
    ranked = rank(finalists, AUC)
    space = Space((), {})
    return TuneResult("tune-1", Path(), AUC, space, finalists=ranked, interrupted=interrupted)


def test_the_best_come_first_and_each_set_of_parameters_once() -> None:
    trials = [trial(0, 0.7, 4), trial(1, 0.9, 8), trial(2, 0.9, 8), trial(3, 0.8, 16)]
    assert [one.number for one in best_trials(trials, AUC, 5)] == [1, 3, 0]
    assert [one.number for one in best_trials(trials, LOSS, 2)] == [0, 3]


def test_an_unfinished_trial_is_no_finalist() -> None:
    assert best_trials([trial(0, 0.9, 4, "pruned"), trial(1, math.nan, 8, "failed")], AUC, 5) == ()


def test_among_equals_the_present_settings_come_first_and_the_undefined_last() -> None:
    present, equal, undefined = finalist(0.8), finalist(0.8, trial(0, 0.8, 4)), finalist(None)
    assert rank([undefined, equal, present], AUC) == (present, equal, undefined)


def test_only_a_clear_gain_wins() -> None:
    present = finalist(0.8)
    clear, slight = finalist(0.81, trial(0, 0.8, 4)), finalist(0.8001, trial(1, 0.8, 8))
    assert result(present, clear, slight).winner == clear
    assert result(present, slight).winner is None
    assert result(present).winner is None
    assert result(present, clear, interrupted=True).winner is None
    assert result(finalist(None), slight).winner == slight


def test_a_gain_within_the_noise_between_folds_does_not_win() -> None:
    present, shaky = finalist(0.526), finalist(0.577, trial(0, 0.6, 4), (-0.1, 0.1) * 5)
    steady = finalist(0.577, trial(1, 0.6, 8), (-0.01, 0.01) * 5)
    assert result(present, shaky).winner is None
    assert result(present, steady).winner == steady
    of_many = [finalist(0.57, trial(number, 0.5, number)) for number in range(2, 40)]
    shifts = (-0.064, 0.064) * 5
    lucky = finalist(0.6, trial(1, 0.6, 8), shifts)
    assert result(present, lucky).winner == lucky
    assert result(present, lucky, *of_many).winner is None


def test_trials_and_finalists_are_written_as_tables() -> None:
    trials = [trial(0, 0.75, 4), Trial(1, "running", {"max_depth": 3})]
    one, other = trial_rows(trials, AUC)
    assert (one["state"], one["auc"], one["num_leaves"]) == ("complete", 0.75, 4)
    assert (other["state"], other["max_depth"]) == ("running", 3)
    finalists = [finalist(0.8, trials[0]), finalist(None)]
    first, second = csv.DictReader(io.StringIO(csv_bytes(finalist_rows(finalists, AUC)).decode()))
    assert (first["rank"], first["trial"], first["auc_of_trial"]) == ("1", "0", "0.75")
    assert (second["trial"], second["auc"], second["num_leaves"]) == ("present settings", "", "")
