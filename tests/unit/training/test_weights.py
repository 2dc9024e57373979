"""Weights of rows and of classes: what is read, what they do to metrics, and what models they make."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from sklearn.utils.class_weight import compute_sample_weight

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.loss_values import best_constant
from lightmodel.contract.losses import Loss, LossName
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError, ContractViolation, DataError
from lightmodel.learners.lightgbm import LightGBMLearner
from lightmodel.progress import SilentProgress
from lightmodel.training.calibration import (
    cross_fit_calibration,
    expected_calibration_error,
    fit_calibration,
)
from lightmodel.training.cross_validation import TrainSpec
from lightmodel.training.curves import class_scores, draw_curves
from lightmodel.training.metrics import choose_threshold, measure, measure_with_intervals
from lightmodel.training.preprocess import PreprocessingResult, PreprocessOptions, preprocess
from lightmodel.training.train import TrainingResult, train
from lightmodel.training.weights import fitting_weights, row_weights

ROWS = 300
RANDOM = np.random.default_rng(0)
TARGET = RANDOM.integers(0, 2, ROWS)
SCORES = np.clip(RANDOM.normal(0.3 + 0.3 * TARGET, 0.2), 0.01, 0.99).round(2)  # with ties
TIMES = RANDOM.integers(1, 5, ROWS)
WEIGHTS = TIMES.astype(np.float64)
REPEATED = np.repeat(np.arange(ROWS), TIMES)
BINARY = Task(TaskKind.BINARY, ("no", "yes"))


def test_weighted_metrics_of_two_classes_are_scikit_learns() -> None:
    decided, weights = SCORES >= 0.5, {"sample_weight": WEIGHTS}
    assert measure(BINARY, TARGET.astype(float), SCORES, 0.5, WEIGHTS) == pytest.approx(
        {
            "auc": sk.roc_auc_score(TARGET, SCORES, **weights),
            "log_loss": sk.log_loss(TARGET, SCORES, **weights),
            "accuracy": sk.accuracy_score(TARGET, decided, **weights),
            "precision": sk.precision_score(TARGET, decided, **weights),
            "recall": sk.recall_score(TARGET, decided, **weights),
            "f1": sk.f1_score(TARGET, decided, **weights),
            "brier": sk.brier_score_loss(TARGET, SCORES, **weights),
        }
    )


def test_weighted_metrics_of_several_classes_are_scikit_learns() -> None:
    target, scores = RANDOM.integers(0, 3, ROWS), RANDOM.dirichlet([1, 1, 1], ROWS)
    decided, weights = scores.argmax(axis=1), {"sample_weight": WEIGHTS}
    macro = {"average": "macro", **weights}
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"))
    assert measure(task, target.astype(float), scores, None, WEIGHTS) == pytest.approx(
        {
            "macro_f1": sk.f1_score(target, decided, **macro),
            "accuracy": sk.accuracy_score(target, decided, **weights),
            "log_loss": sk.log_loss(target, scores, **weights),
            "macro_precision": sk.precision_score(target, decided, **macro),
            "macro_recall": sk.recall_score(target, decided, **macro),
        }
    )
    by_class = class_scores(task, target.astype(float), scores, WEIGHTS)
    theirs = sk.recall_score(target, decided, average=None, **weights)
    assert [one.recall for one in by_class] == pytest.approx(theirs)
    assert [one.rows for one in by_class] == np.bincount(target).tolist()


def test_weighted_metrics_of_numbers_are_scikit_learns() -> None:
    target = RANDOM.normal(size=ROWS)
    scores, weights = target + RANDOM.normal(size=ROWS), {"sample_weight": WEIGHTS}
    assert measure(Task(TaskKind.REGRESSION), target, scores, None, WEIGHTS) == pytest.approx(
        {
            "rmse": sk.root_mean_squared_error(target, scores, **weights),
            "mae": sk.mean_absolute_error(target, scores, **weights),
            "r2": sk.r2_score(target, scores, **weights),
        }
    )


def test_intervals_lie_around_the_weighted_metric() -> None:
    weights = np.where((SCORES >= 0.5) == TARGET, 9.0, 1.0)  # so that most weight is on hits
    found = measure_with_intervals(BINARY, TARGET.astype(float), SCORES, 0.5, 100, weights)
    plain = measure_with_intervals(BINARY, TARGET.astype(float), SCORES, 0.5, 100)
    assert plain["accuracy"].high < found["accuracy"].low < found["accuracy"].value
    assert found["accuracy"].value < found["accuracy"].high


@pytest.mark.parametrize(("threshold", "cut"), [("f1", 0.4), ("youden", 0.5), ("cost", 0.5)])
def test_the_threshold_is_that_of_repeated_rows(threshold: str, cut: float) -> None:
    section = TrainSection.model_validate({"threshold": threshold, "cost_false_negative": 3})
    weighted = choose_threshold(TARGET, SCORES, section, WEIGHTS)
    assert weighted == choose_threshold(TARGET[REPEATED], SCORES[REPEATED], section)
    on_high = np.where((cut < SCORES) & (TARGET == 0), 20.0, 1.0)
    assert weighted != choose_threshold(TARGET, SCORES, section, on_high)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_the_calibration_is_that_of_repeated_rows(method: str) -> None:
    grid = np.linspace(0.2, 0.8, 7)
    weighted = fit_calibration(method, SCORES, TARGET, WEIGHTS).apply(grid)
    repeated = fit_calibration(method, SCORES[REPEATED], TARGET[REPEATED]).apply(grid)
    assert weighted == pytest.approx(repeated, abs=1e-3)
    folds = np.arange(ROWS) % 3
    crossed = cross_fit_calibration(method, SCORES, TARGET, folds, WEIGHTS)
    theirs = cross_fit_calibration(method, SCORES[REPEATED], TARGET[REPEATED], folds[REPEATED])
    assert crossed[REPEATED] == pytest.approx(theirs, abs=4e-3)


def test_the_calibration_error_and_its_curve_are_those_of_repeated_rows() -> None:
    target, scores = TARGET[REPEATED], SCORES[REPEATED]
    found = expected_calibration_error(SCORES, TARGET, WEIGHTS)
    assert found == pytest.approx(expected_calibration_error(scores, target))
    ours = draw_curves(TaskKind.BINARY, TARGET.astype(float), SCORES, 0.5, WEIGHTS)
    theirs = draw_curves(TaskKind.BINARY, target.astype(float), scores, 0.5, None)
    assert np.array(ours.calibration) == pytest.approx(np.array(theirs.calibration))
    assert np.array(ours.roc) == pytest.approx(np.array(theirs.roc))
    assert np.array(ours.precision_recall) == pytest.approx(np.array(theirs.precision_recall))
    assert np.sum(ours.confusion) == ROWS  # which counts rows


@pytest.mark.parametrize(
    "loss", [Loss(), Loss(LossName.MAE), Loss(LossName.QUANTILE, 0.9), Loss(LossName.POISSON)]
)
def test_no_constant_has_a_lower_weighted_loss_than_the_best(loss: Loss) -> None:
    target = RANDOM.gamma(2.0, 1.0, ROWS)
    task = Task(TaskKind.REGRESSION, loss=loss)

    def lost(constant: float) -> float:
        metrics = measure(task, target, np.full(ROWS, constant), None, WEIGHTS)
        return metrics[loss.metric]

    best = best_constant(loss, target, WEIGHTS)
    assert lost(best) <= min(lost(best * factor) for factor in (0.9, 0.97, 1.03, 1.1))


def weight_table(weights: Any, rows: int = ROWS) -> pa.Table:
    """Return a table in which a number and a text say something about the target."""
    random = np.random.default_rng(1)
    amount, place = random.normal(size=rows), random.choice(["a", "b"], rows)
    bought = amount + (place == "b") + random.normal(size=rows) > 1
    return pa.table(
        {
            "amount": amount,
            "place": place,
            "w": weights,
            "bought": np.where(bought, "yes", "no"),
        }
    )


def options(**train: object) -> PreprocessOptions:
    section = TrainSection.model_validate({"folds": 3, **train})
    return PreprocessOptions(DataSection(target="bought"), SplitSection(), section)


def split_of(weights: Any, **train: object) -> PreprocessingResult:
    return preprocess(weight_table(weights), options(**train), None)


def trained(split: PreprocessingResult, **train_settings: object) -> TrainingResult:
    section = TrainSection.model_validate({"folds": 3, **train_settings})
    parameters = {"num_leaves": 4, "max_rounds": 20}
    learner = LightGBMLearner(parameters, 0, 1, keep_fold_models=False)
    spec = TrainSpec(section, SplitSection(), learner, None, SilentProgress())
    return train(split.train, split.contract, spec)


def cells_with(value: object) -> list[object]:
    return ["1.5", "2", value, value, *["1"] * (ROWS - 4)]


@pytest.mark.parametrize(
    ("weights", "detail"),
    [
        (cells_with("-1"), "is negative (rows 3, 4; 2 in all)"),
        (cells_with(None), "has no value (rows 3, 4; 2 in all)"),
        (cells_with("heavy"), "is not a number (rows 3, 4; 2 in all)"),
        (cells_with("inf"), "is infinite (rows 3, 4; 2 in all)"),
        ([0.0] * ROWS, "is 0 in all"),
        ([True] * ROWS, f"is not a number (rows 1, 2, 3, 4, 5, …; {ROWS} in all)"),
    ],
)
def test_cells_that_are_no_weights_are_named(weights: list[object], detail: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        split_of(weights, weight="w")
    assert f"column 'w': holds the weights of the rows, and {detail}" in caught.value.message


def test_a_misspelt_column_is_named_with_the_one_that_may_be_meant() -> None:
    with pytest.raises(DataError) as caught:
        preprocess(
            weight_table(WEIGHTS).rename_columns(["amount", "place", "weight", "bought"]),
            options(weight="wieght"),
            None,
        )
    assert "which train.weight names" in caught.value.message
    assert "is it 'weight'?" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "split", "named"),
    [
        ({"target": "w"}, {}, "data.target"),
        ({"id": "w"}, {}, "data.id"),
        ({"keep": ["w"]}, {}, "data.keep"),
        ({}, {"method": "group:w"}, "split.method"),
    ],
)
def test_a_column_with_another_use_holds_no_weights(
    data: dict[str, object], split: dict[str, object], named: str
) -> None:
    sections = (DataSection.model_validate(data), SplitSection.model_validate(split))
    with pytest.raises(ConfigError, match=named):
        preprocess(
            weight_table(WEIGHTS), PreprocessOptions(*sections, TrainSection(weight="w")), None
        )


def test_the_weights_are_kept_in_the_split_and_are_no_feature() -> None:
    split = split_of(WEIGHTS, weight="w")
    assert split.contract.feature_names == ("amount", "place")
    assert "w" not in [column.name for column in split.contract.expected(with_target=True)]
    found = row_weights(split.train, split.contract, "w")
    assert found is not None
    assert found.mean() == pytest.approx(1)
    assert found / found[0] == pytest.approx(
        split.train["w"].to_numpy() / split.train["w"][0].as_py()
    )


def test_weights_with_a_decimal_comma_are_numbers() -> None:
    from lightmodel.contract.columns import Dialect

    table = weight_table([f"{weight:g},5" for weight in WEIGHTS])
    split = preprocess(table, options(weight="w"), None, Dialect(delimiter=";", decimal=","))
    assert min(split.train["w"].to_pylist()) == 1.5


def test_a_split_that_was_made_without_the_weights_is_refused() -> None:
    split = split_of(WEIGHTS)
    for name in ("w", "place", "bought", "other"):
        with pytest.raises(ConfigError, match=r"this split was made without train\.weight"):
            trained(split, weight=name)


def test_a_column_of_weights_may_be_new_to_the_approved_model() -> None:
    from lightmodel.training.drift import AcceptedTable

    before = preprocess(weight_table(WEIGHTS).drop_columns("w"), options(), None)
    accepted = AcceptedTable(before.contract, before.profile)
    split = preprocess(weight_table(WEIGHTS), options(weight="w"), accepted)
    assert (
        trained(split, weight="w").metrics
        == trained(split_of(WEIGHTS, weight="w"), weight="w").metrics
    )


def test_rows_of_weight_0_are_left_out_and_change_no_model() -> None:
    table = weight_table(np.where(np.arange(ROWS) % 10, WEIGHTS, 0.0))
    kept = table.filter(pa.array(np.arange(ROWS) % 10 != 0))
    split = preprocess(table, options(weight="w"), None)
    assert any("30 rows have the weight 0 in 'w', left out: 1, 11" in one for one in split.warnings)
    without = preprocess(kept, options(weight="w"), None)
    assert trained(split, weight="w").payload == trained(without, weight="w").payload


def test_equal_weights_make_the_model_of_none() -> None:
    split = split_of(np.full(ROWS, 0.7), weight="w")
    assert trained(split, weight="w").payload == trained(split).payload


def test_only_the_ratios_of_weights_count() -> None:
    one, other = (
        trained(split_of(weights, weight="w"), weight="w") for weights in (WEIGHTS, 4096 * WEIGHTS)
    )
    assert one.payload == other.payload
    assert one.metrics == other.metrics
    assert one.payload != trained(split_of(WEIGHTS, weight="w")).payload


def test_out_of_fold_metrics_threshold_and_prior_are_weighted() -> None:
    split = split_of(WEIGHTS, weight="w")
    result = trained(split, weight="w")
    target = (split.train["bought"].to_numpy() == "yes").astype(float)
    weights = split.train["w"].to_numpy()
    chosen = choose_threshold(target.astype(np.int64), result.out_of_fold, TrainSection(), weights)
    assert result.threshold == pytest.approx(chosen)
    expected = measure(BINARY, target, result.out_of_fold, chosen, weights)
    assert result.metrics == pytest.approx(expected)
    assert result.prior == pytest.approx((np.average(target, weights=weights),))


def test_balanced_classes_are_scikit_learns() -> None:
    codes, section = (SCORES > 0.7).astype(float), TrainSection(class_weight="balanced")
    assert fitting_weights(None, codes, BINARY, section) == pytest.approx(
        compute_sample_weight("balanced", codes)
    )
    both = fitting_weights(WEIGHTS, codes, BINARY, section)
    assert both is not None
    assert both[codes == 0].sum() == pytest.approx(both[codes == 1].sum())


def test_balanced_classes_make_the_model_of_the_same_weights_by_name() -> None:
    split = split_of(WEIGHTS)
    shares = split.train["bought"].value_counts().to_pylist()
    given = {one["values"]: 1 / one["counts"] for one in shares}
    balanced = trained(split, class_weight="balanced")
    by_name = trained(split, class_weight=given)
    assert balanced.metrics == pytest.approx(by_name.metrics)
    assert balanced.out_of_fold == pytest.approx(by_name.out_of_fold, abs=1e-6)
    plain = trained(split)
    assert balanced.out_of_fold.mean() > plain.out_of_fold.mean() + 0.1
    assert balanced.prior == plain.prior  # the metrics' own


@pytest.mark.parametrize(
    ("kind", "labels", "given", "told"),
    [
        (TaskKind.REGRESSION, (), "balanced", "this task predicts a number"),
        (
            TaskKind.BINARY,
            ("no", "yes"),
            {"yess": 2},
            "there is no class 'yess'; did you mean 'yes'",
        ),
        (TaskKind.BINARY, (0, 1), {"2": 2}, "there is no class '2'"),
    ],
)
def test_weights_of_classes_that_do_not_exist_are_refused(
    kind: TaskKind, labels: tuple[str, ...], given: object, told: str
) -> None:
    section = TrainSection.model_validate({"class_weight": given})
    with pytest.raises(ConfigError, match=told):
        fitting_weights(None, TARGET.astype(float), Task(kind, labels), section)


def test_calibration_mends_the_probabilities_of_weighted_classes() -> None:
    split = split_of(WEIGHTS)
    heavy = {"class_weight": {"yes": 20}}
    share = np.mean(np.array(split.train["bought"].to_pylist()) == "yes")
    assert trained(split, **heavy).out_of_fold.mean() > share + 0.2
    calibrated = trained(split, **heavy, calibration="sigmoid")
    assert calibrated.out_of_fold.mean() == pytest.approx(share, abs=0.03)
