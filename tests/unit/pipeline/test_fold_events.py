"""A run logs each fold that has ended, with a curve that is short enough for a line."""

import logging

import numpy as np
import pytest

from lightmodel.contract.results import Curves, Evaluation, FoldFit, Interval, summary
from lightmodel.pipeline.fold_events import log_fold


def test_a_fold_is_an_event_with_its_curve(caplog: pytest.LogCaptureFixture) -> None:
    curve = tuple((float(round_), 1 / round_) for round_ in range(1, 1001))
    with caplog.at_level(logging.INFO):
        log_fold(FoldFit(np.zeros(3), 1000, curve, {}), 1, 5)
    (record,) = caplog.records
    event = vars(record)
    assert (event["event"], event["fold"], event["folds"]) == ("fold ended", 2, 5)
    assert event["rounds"] == 1000
    assert 30 <= len(event["curve"]) <= 42
    assert (event["curve"][0], event["curve"][-1]) == ([1.0, 1.0], [1000.0, 0.001])


def test_what_is_kept_of_a_test_holds_no_value_of_a_row() -> None:
    line = tuple((at / 999, at / 999) for at in range(1000))
    curves = Curves(roc=line, predicted_actual=((1.25, 3.5),), confusion=((5, 1), (2, 7)))
    metrics = {"auc": Interval(0.9, 0.8, 0.95)}
    evaluation = Evaluation(
        "binary", ("no", "yes"), 0.5, 15, metrics, {"auc": 0.5}, (), curves, None, None
    )
    kept = summary(evaluation)
    assert kept["intervals"] == {"auc": [0.8, 0.95]}
    assert kept["curves"].keys() == {"roc", "confusion"}
    assert len(kept["curves"]["roc"]) <= 102
    assert (kept["curves"]["roc"][0], kept["curves"]["roc"][-1]) == ((0.0, 0.0), (1.0, 1.0))
