"""Training on a split and evaluation of the model, without a path or a clock."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ArtefactCorrupt, ConfigError, ContractViolation
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMModel
from lightmodel.progress import SilentProgress
from lightmodel.scoring.predictor import Predictor, check_samples
from lightmodel.store.codec import FoldCheckpoints
from lightmodel.tables.blocks import Block
from lightmodel.tables.encode import json_rows
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_rules import RowRules
from lightmodel.training.cross_validation import TrainSpec
from lightmodel.training.preprocess import PreprocessingResult, PreprocessOptions, preprocess
from lightmodel.training.testing import EvaluationResult, ModelUnderTest, evaluate
from lightmodel.training.train import TrainingResult, train
from tests.fakes.tables import shop_table

FAST = {"num_leaves": 4, "max_rounds": 40}
SECTION = TrainSection(folds=4)
REAL = TrainSection(folds=4, sample_rows="real")
SPLIT = SplitSection()


def split_of(
    table: pa.Table, target: str = "bought", split: SplitSection = SPLIT
) -> PreprocessingResult:
    return preprocess(table, PreprocessOptions(DataSection(target=target), split, SECTION), None)


def trained_on(
    split: PreprocessingResult,
    settings: SplitSection = SPLIT,
    checkpoints: FoldCheckpoints | None = None,
) -> TrainingResult:
    learner = LightGBMLearner(FAST, 0, 2, keep_fold_models=False)
    spec = TrainSpec(SECTION, settings, learner, checkpoints, SilentProgress())
    return train(split.train, split.contract, spec)


def candidate(
    split: PreprocessingResult, trained: TrainingResult, version: str = "new"
) -> ModelUnderTest:
    model = LightGBMModel.from_payload(trained.payload, threads=1)
    return ModelUnderTest(model.predict, split.contract, trained.threshold, SPLIT, version)


def evaluated(
    split: PreprocessingResult, one: ModelUnderTest, served: ModelUnderTest | None = None
) -> EvaluationResult:
    return evaluate(split.test, np.array([0.5]), one, served, 20, lambda _: None)


@pytest.fixture(scope="module")
def split() -> PreprocessingResult:
    return split_of(shop_table())


@pytest.fixture(scope="module")
def trained(split: PreprocessingResult) -> TrainingResult:
    return trained_on(split)


def test_every_training_row_is_scored_by_a_fold_that_never_saw_it(trained: TrainingResult) -> None:
    assert sum(fold.rows for fold in trained.folds) == 415
    assert [fold.fold for fold in trained.folds] == [1, 2, 3, 4]
    assert 0.7 < trained.metrics["auc"] < 1
    assert trained.threshold is not None
    assert {item.feature for item in trained.importance} == {"age", "spent", "where"}


def test_a_table_too_small_to_split_is_said_to_be_so(trained: TrainingResult) -> None:
    learner = LightGBMLearner({}, 0, 1, keep_fold_models=False)
    spec = TrainSpec(SECTION, SPLIT, learner, None, SilentProgress())
    few = split_of(shop_table(40))
    (warning,) = train(few.train, few.contract, spec).warnings
    assert "in each fold the model predicts the same for every row" in warning
    assert "rows are too few to split" in warning
    assert "set train.parameters = {min_data_in_leaf = 2}" in warning
    assert trained.warnings == ()
    assert not trained.constant


def test_a_model_that_no_feature_helps_is_said_to_be_constant() -> None:
    useless = shop_table(200).set_column(
        4, "bought", pa.array([["no", "yes"][row % 2] for row in range(200)])
    )
    split = split_of(useless.select(["visit_id", "where", "bought"]))
    learner = LightGBMLearner(
        {"num_leaves": 2, "min_gain_to_split": 1e6}, 0, 1, keep_fold_models=False
    )
    found = train(
        split.train, split.contract, TrainSpec(SECTION, SPLIT, learner, None, SilentProgress())
    )
    assert found.constant
    assert "no feature helps to predict the target" in found.warnings[0]
    assert evaluated(split, candidate(split, found)).evaluation.constant


def test_finished_folds_are_not_fitted_again(
    split: PreprocessingResult, trained: TrainingResult, tmp_path: Path
) -> None:
    checkpoints = FoldCheckpoints(tmp_path)
    assert trained_on(split, checkpoints=checkpoints) == trained
    first, *_ = files = sorted(tmp_path.iterdir())
    written = [path.stat().st_mtime_ns for path in files]
    files[2].unlink()
    assert trained_on(split, checkpoints=checkpoints) == trained
    assert first.stat().st_mtime_ns == written[0]
    assert files[2].stat().st_mtime_ns > written[2]


def test_a_split_by_time_never_trains_on_later_rows() -> None:
    table = shop_table().append_column("day", pa.array(range(600)))
    settings = SplitSection(method="time:day")
    found = trained_on(split_of(table, split=settings), settings)
    assert len(found.folds) == 4
    assert sum(fold.rows for fold in found.folds) < 420  # the first block is never held out


def test_an_evaluation_holds_metrics_dummy_and_curves(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    found = evaluated(split, candidate(split, trained)).evaluation
    assert found.rows == split.test.num_rows
    assert found.metrics["auc"].low <= found.metrics["auc"].value <= found.metrics["auc"].high
    assert found.dummy["auc"] == 0.5
    assert [found.curves.roc[0], found.curves.roc[-1]] == [(0, 0), (1, 1)]
    assert sum(map(sum, found.curves.confusion)) == found.rows
    assert sum(found.curves.calibration_rows) == found.rows
    assert found.best_reachable is None


def test_served_and_candidate_are_compared_on_rows_that_neither_saw(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    one = candidate(split, trained)
    comparison = evaluated(split, one, candidate(split, trained, "old")).evaluation.comparison
    assert comparison is not None
    assert (comparison.version, comparison.rows) == ("old", split.test.num_rows)
    assert comparison.candidate == comparison.served

    elsewhere = SplitSection(seed=7)
    served = ModelUnderTest(one.predict, one.contract, one.threshold, elsewhere, "old")
    fewer = evaluated(split, one, served).evaluation.comparison
    assert fewer is not None
    assert 0.15 < fewer.rows / split.test.num_rows < 0.45  # three in ten of its test rows


def passengers(rows: int = 600) -> pa.Table:
    """Return cases that share the values of two features; classes differ in how often they survive."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 3, rows)
    survived = random.random(rows) < np.array([0.7, 0.5, 0.2])[codes]
    child = random.random(rows) < 0.3
    names = pa.array(["1st", "2nd", "3rd"]).take(pa.array(codes))
    return pa.table({"class": names, "child": child, "target": survived})


def test_folds_and_comparison_of_cases_that_share_their_features() -> None:
    cases = split_of(passengers(), "target")
    assert cases.contract.equal_rows_apart
    found = trained_on(cases)
    assert found.metrics["auc"] > 0.65
    assert max(fold.rows for fold in found.folds) < 1.2 * min(fold.rows for fold in found.folds)
    one, served = candidate(cases, found), candidate(cases, found, "old")
    comparison = evaluated(cases, one, served).evaluation.comparison
    assert comparison is not None
    assert comparison.rows == cases.test.num_rows
    elsewhere = replace(served, split=SplitSection(seed=7))
    uncompared = evaluated(cases, one, elsewhere).evaluation.uncompared
    assert "only 0 test rows are new to old" in uncompared


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (SplitSection(method="group:who"), "which the table lacks"),
        (SplitSection(test_share=0.01), "are new to old, too few to compare"),
    ],
)
def test_a_model_that_cannot_be_compared_is_a_warning(
    split: PreprocessingResult,
    trained: TrainingResult,
    change: SplitSection,
    warning: str,
) -> None:
    one = candidate(split, trained)
    served = ModelUnderTest(one.predict, one.contract, one.threshold, change, "old")
    found = evaluated(split, one, served)
    assert found.evaluation.comparison is None
    assert warning in found.warnings[0]
    assert found.evaluation.uncompared == found.warnings[0]


def missing_ages(split: PreprocessingResult, count: int) -> PreprocessingResult:
    """Return the split without the ages of the first test rows, which its new contract allows."""
    absent = np.arange(split.test.num_rows) < count
    ages = pa.array(split.test["age"].to_numpy(), mask=absent)
    test = split.test.set_column(split.test.column_names.index("age"), "age", ages)
    columns = tuple(
        replace(column, missing=column.missing or column.name == "age")
        for column in split.contract.columns
    )
    return replace(split, test=test, contract=replace(split.contract, columns=columns))


def test_rows_that_break_the_served_contract_are_left_out_of_the_comparison(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    gaps = missing_ages(split, 40)
    found = evaluated(gaps, candidate(gaps, trained), candidate(split, trained, "old"))
    comparison, rows = found.evaluation.comparison, split.test.num_rows
    assert comparison is not None
    assert (comparison.rows, comparison.of) == (rows - 40, rows)
    assert found.warnings == (
        f"40 of {rows} test rows break the contract of old: it is compared on the other {rows - 40}",
    )


def test_rows_that_the_service_would_score_are_compared(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    gaps = missing_ages(split, 40)
    served, seen = candidate(split, trained, "old"), []

    def predict(features: Matrix) -> Scores:
        seen.append(features)
        return served.predict(features)

    age = split.contract.feature_names.index("age")
    imputed = np.full(len(split.contract.features), np.nan)
    imputed[age] = 33.0
    lenient = replace(
        served, predict=predict, tolerated=frozenset({"missing", "range"}), imputed=imputed
    )
    found = evaluated(gaps, candidate(gaps, trained), lenient)
    comparison, rows = found.evaluation.comparison, split.test.num_rows
    assert comparison is not None
    assert (comparison.rows, comparison.of, found.warnings) == (rows, rows, ())
    assert (seen[-1][:40, age] == 33.0).all()
    assert not np.isnan(seen[-1][:, age]).any()


def test_too_few_rows_that_satisfy_the_served_contract_are_not_compared(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    gaps = missing_ages(split, split.test.num_rows - 29)
    found = evaluated(gaps, candidate(gaps, trained), candidate(split, trained, "old"))
    assert found.evaluation.comparison is None
    assert "only 29 of the " in found.evaluation.uncompared


def test_a_model_of_another_target_is_not_compared(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    names = ["paid" if name == "bought" else name for name in split.test.column_names]
    other = split_of(shop_table().rename_columns(names), target="paid")
    served = ModelUnderTest(lambda features: features[:, 0], other.contract, 0.5, SPLIT, "old")
    found = evaluated(split, candidate(split, trained), served)
    assert "predicts 'paid' and not 'bought'" in found.evaluation.uncompared


def test_a_model_of_other_classes_is_not_compared(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    other = replace(split.contract, task=Task(TaskKind.BINARY, ("no", "perhaps")))
    served = ModelUnderTest(lambda features: features[:, 0], other, None, SPLIT, "old")
    assert "other classes" in evaluated(split, candidate(split, trained), served).warnings[0]


def test_classes_and_numbers_are_evaluated_as_well() -> None:
    for target, metric in (("where", "macro_f1"), ("age", "rmse")):
        split = split_of(shop_table(), target=target)
        found = trained_on(split)
        one = candidate(split, found)
        answer = evaluate(
            split.test, np.array(found.prior), one, None, 0, lambda _: None
        ).evaluation
        assert metric in answer.metrics
        assert bool(answer.classes) == (target == "where")
        assert bool(answer.curves.predicted_actual) == (target == "age")


def predictor(split: PreprocessingResult, trained: TrainingResult, by: float = 0.0) -> Predictor:
    model = LightGBMModel.from_payload(trained.payload, threads=1)

    def score(features: Matrix) -> Scores:
        return model.predict(features) + by

    return Predictor("v", split.contract, trained.threshold, score)


def block_of(split: PreprocessingResult, records: list[dict[str, Any]]) -> Block:
    return JsonBlocks(RowRules(split.contract), frozenset()).block(records)


def test_answers_come_in_order_with_the_id_as_it_came(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    records = split.test.select(["where", "visit_id", "spent", "age"]).to_pylist()
    answers = predictor(split, trained).answer(block_of(split, records))
    assert answers.ids == split.test["visit_id"].to_pylist()
    assert len(answers.predictions) == len(answers.scores) == split.test.num_rows
    with pytest.raises(ContractViolation, match="the request"):
        predictor(split, trained).answer(block_of(split, [{**records[0], "age": "old"}]))


def test_sample_rows_are_made_up_unless_the_table_s_own_are_asked_for(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    first = json_rows(split.train.slice(0, 5))
    learner = LightGBMLearner(FAST, 0, 2, keep_fold_models=False)
    spec = TrainSpec(REAL, SPLIT, learner, None, SilentProgress())
    kept = train(split.train, split.contract, spec).samples
    assert [one.values for one in kept] == [
        {name: row[name] for name in kept[0].values} for row in first
    ]
    ids = [one.values["visit_id"] for one in trained.samples]
    assert ids == [f"sample-{number}" for number in range(1, 6)]


def test_a_function_that_fails_for_made_up_rows_is_told_from_one_that_fails_for_the_table(
    split: PreprocessingResult,
) -> None:
    known = {*split.train["visit_id"].to_pylist()}

    def features(table: pa.Table) -> dict[str, Any]:
        if not {*table["visit_id"].to_pylist()} <= known:
            raise ValueError("not one of mine")
        return {"more": table["age"].to_numpy()}

    learner = LightGBMLearner(FAST, 0, 2, keep_fold_models=False)
    spec = TrainSpec(SECTION, SPLIT, learner, None, SilentProgress(), features)
    with pytest.raises(ConfigError, match="for the sample rows") as raised:
        train(split.train, split.contract, spec)
    assert "train.sample_rows" in raised.value.hint
    assert train(split.train, split.contract, replace(spec, section=REAL)).samples


def test_a_model_that_scores_its_samples_differently_is_rejected(
    split: PreprocessingResult, trained: TrainingResult
) -> None:
    block = block_of(split, [sample.values for sample in trained.samples])
    scores = [sample.score for sample in trained.samples]
    check_samples(predictor(split, trained), block, scores)
    with pytest.raises(ArtefactCorrupt, match="get other scores than stored"):
        check_samples(predictor(split, trained, by=1e-9), block, scores)
