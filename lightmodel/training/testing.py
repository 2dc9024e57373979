"""Score a candidate on the test rows of its own split, beside a dummy and the served model."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection
from lightmodel.contract.cells import Mask, Scores, Vector
from lightmodel.contract.columns import Contract
from lightmodel.contract.imputation import impute
from lightmodel.contract.results import (
    CalibrationEffect,
    Comparison,
    Evaluation,
)
from lightmodel.contract.task import Task, TaskKind, label_name
from lightmodel.errors import ContractViolation, LightModelError
from lightmodel.tables.check import valid_rows, validate_table
from lightmodel.tables.encode import feature_matrix, target_vector
from lightmodel.tables.text_columns import TextEncoders
from lightmodel.training.calibration import expected_calibration_error
from lightmodel.training.curves import calibration_points, class_scores, draw_curves
from lightmodel.training.features import Score
from lightmodel.training.metrics import (
    measure,
    measure_with_intervals,
    weighted_auc,
)
from lightmodel.training.split import Method, row_keys, uniform_draws
from lightmodel.training.weights import row_weights

_BLOCK_CELLS = 4_000_000  # 32 MB of float64
MIN_COMPARED_ROWS = 30
MIN_COMPARED_SHARE = 0.1  # of the rows new to the served model: fewer say little about the others


@dataclass(frozen=True)
class ModelUnderTest:
    """A model to be evaluated: how it scores features, and what it was trained with.

    Attributes:
        uncalibrated: `predict` without calibration; None if the model is not calibrated.
        tolerated: the rules that rows may break and still be scored, as by the service.
        imputed: (features,) of the contract: see `imputed_values`; None leaves missing values to the model.
        texts: the models of its text columns.
        others_of: returns what its functions take of a table, besides features.
        weight: the column by which its metrics weigh the rows; "" for none.
    """

    predict: Score
    contract: Contract
    threshold: float | None
    split: SplitSection
    version: str
    uncalibrated: Score | None = None
    tolerated: frozenset[str] = frozenset()
    imputed: Vector | None = None
    texts: TextEncoders = field(default_factory=dict)
    others_of: Callable[[pa.Table], tuple[pa.Table, ...]] = lambda _: ()
    weight: str = ""


@dataclass(frozen=True)
class _Scored:
    """Rows that a model has scored.

    Attributes:
        target: (rows,) as in `TrainingData`.
        scores: (rows,) or (rows, classes).
        uncalibrated: the same without calibration; None if the model is not calibrated.
    """

    target: Vector
    scores: Scores
    uncalibrated: Scores | None


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, and warnings about what could not be compared."""

    evaluation: Evaluation
    warnings: tuple[str, ...]


def evaluate(
    table: pa.Table,
    prior: Vector,
    candidate: ModelUnderTest,
    served: ModelUnderTest | None,
    resamples: int,
    best_scores: Callable[[pa.Table], Scores | None],
) -> EvaluationResult:
    """Evaluate a candidate on test rows; all metrics weigh these as the candidate's training did.

    Args:
        table: the test rows of the candidate's split.
        prior: the best constant answer: share of each class, or the mean, among training rows.
        candidate: the model to evaluate.
        served: the model that is served now, if any.
        resamples: number of bootstrap resamples for the confidence intervals.
        best_scores: returns the best possible scores of rows, or None if they are unknown.

    Raises:
        ContractViolation: the test rows break the candidate's contract.
    """
    compared = _compare(table, candidate, served) if served else None
    evaluation = _evaluate(table, prior, candidate, compared, resamples, best_scores)
    return EvaluationResult(evaluation, _comparison_warnings(compared))


def _evaluate(
    table: pa.Table,
    prior: Vector,
    candidate: ModelUnderTest,
    compared: Comparison | str | None,
    resamples: int,
    best_scores: Callable[[pa.Table], Scores | None],
) -> Evaluation:
    """Evaluate a candidate that was `compared`; see `evaluate`."""
    scored = _score(table, candidate)
    target, scores = scored.target, scored.scores
    task = candidate.contract.task
    constant = np.tile(prior, (len(target), 1)) if len(prior) > 1 else np.full(len(target), prior)
    weights = row_weights(table, candidate.contract, candidate.weight)
    return Evaluation(
        task=str(task.kind),
        loss=task.loss,
        labels=tuple(label_name(label) for label in task.labels),
        threshold=candidate.threshold,
        rows=len(target),
        metrics=measure_with_intervals(
            task, target, scores, candidate.threshold, resamples, weights
        ),
        dummy=measure(task, target, constant, 0.5, weights),
        classes=class_scores(task, target, scores, weights),
        curves=draw_curves(task.kind, target, scores, candidate.threshold, weights),
        comparison=compared if isinstance(compared, Comparison) else None,
        best_reachable=_best_reachable(task.kind, target, best_scores(table), weights),
        calibration=_calibration(candidate, scored, weights),
        uncompared=compared if isinstance(compared, str) else "",
        constant=len(scores) > 1 and not np.ptp(scores, axis=0).any(),
        weight=candidate.weight,
        unweighted={} if weights is None else measure(task, target, scores, candidate.threshold),
    )


def _comparison_warnings(compared: Comparison | str | None) -> tuple[str, ...]:
    """Return warnings about rows that were not compared."""
    if compared is None or isinstance(compared, str):
        return (compared,) if compared else ()
    left_out = compared.of - compared.rows
    if not left_out:
        return ()
    warning = (
        f"{left_out:,} of {compared.of:,} test rows break the contract of {compared.version}: "
        f"it is compared on the other {compared.rows:,}"
    )
    return (warning,)


def _score(table: pa.Table, model: ModelUnderTest, chosen: Mask | None = None) -> _Scored:
    """Score the chosen rows, None for all; a block of rows at a time, for memory's sake.

    Raises:
        ContractViolation: rows break the model's contract.
    """
    step = max(1, _BLOCK_CELLS // max(1, len(model.contract.features)))
    blocks = []
    for start in range(0, max(1, table.num_rows), step):
        block = table.slice(start, step)
        if chosen is not None:
            block = block.filter(pa.array(chosen[start : start + step]))
        if chosen is None or block.num_rows:
            blocks.append(_score_block(block, model, start))
    before = [one.uncalibrated for one in blocks if one.uncalibrated is not None]
    return _Scored(
        np.concatenate([one.target for one in blocks]),
        np.concatenate([one.scores for one in blocks]),
        np.concatenate(before) if before else None,
    )


def _score_block(table: pa.Table, model: ModelUnderTest, start: int) -> _Scored:
    """Score rows after validation against the model's contract; `start` rows precede them."""
    contract = model.contract
    conformed = validate_table(table, contract, with_target=True)
    features = set(contract.feature_names)
    refused = [
        one.shifted(start)
        for one in conformed.violations
        if one.rule not in model.tolerated or one.column not in features
    ]
    if refused:
        raise ContractViolation(refused, what="the test table")
    target = target_vector(conformed.table[contract.target.name], contract.task)
    matrix = feature_matrix(conformed.table, contract, model.texts)
    if conformed.violations and model.imputed is not None:
        matrix = impute(matrix, model.imputed)
    rows = (matrix, *model.others_of(conformed.table))
    before = model.uncalibrated(*rows) if model.uncalibrated else None
    return _Scored(target, model.predict(*rows), before)


def _calibration(
    candidate: ModelUnderTest, scored: _Scored, weights: Vector | None
) -> CalibrationEffect | None:
    """Return the effect of the calibration on the test rows; None without calibration."""
    before, target = scored.uncalibrated, scored.target
    if before is None:
        return None
    task, codes = candidate.contract.task, target.astype(np.int64)

    def calibration_metrics(scores: Scores) -> dict[str, float]:
        metrics = measure(task, target, scores, candidate.threshold, weights)
        kept = {name: value for name, value in metrics.items() if name in {"log_loss", "brier"}}
        return {**kept, "calibration_error": expected_calibration_error(scores, codes, weights)}

    curve = calibration_points(codes, before, weights)[0] if before.ndim == 1 else ()
    return CalibrationEffect(calibration_metrics(before), calibration_metrics(scored.scores), curve)


def _compare(
    table: pa.Table, candidate: ModelUnderTest, served: ModelUnderTest
) -> Comparison | str:
    """Compare on rows that are test rows of both models, or return why that is impossible."""
    names = [model.contract.target.name for model in (served, candidate)]
    if names[0] != names[1]:
        return f"{served.version} predicts {names[0]!r} and not {names[1]!r}, so it is not compared"
    task = candidate.contract.task
    if difference := task.difference(served.contract.task):
        return f"{served.version} predicts {difference}, so it is not compared"
    _, _, column = served.split.method.partition(":")
    if column and column not in table.column_names:
        return f"{served.version} was split by {column!r}, which the table lacks: not compared"
    try:
        unseen = _unseen_by(served, candidate, table)
        chosen = unseen & valid_rows(table, served.contract, served.tolerated)
        rows, of = int(chosen.sum()), int(unseen.sum())
        if reason := _too_few(rows, of, served.version):
            return reason
        weights = _chosen_weights(table, candidate, chosen)
        served_metrics = _metrics(task, table, served, chosen, weights)
    except LightModelError as error:  # such as features() of the served model failing on a row
        return f"{served.version} is not compared: {error.message}"
    metrics = _metrics(task, table, candidate, chosen, weights)
    return Comparison(served.version, rows, of, metrics, served_metrics)


def _metrics(
    task: Task, table: pa.Table, model: ModelUnderTest, chosen: Mask, weights: Vector | None
) -> dict[str, float]:
    """Return the metrics of the chosen rows, which have these weights."""
    scored = _score(table, model, chosen)
    return measure(task, scored.target, scored.scores, model.threshold, weights)


def _chosen_weights(table: pa.Table, candidate: ModelUnderTest, chosen: Mask) -> Vector | None:
    """Return the weights of the chosen rows by the candidate's column."""
    names = {candidate.weight} & {*table.column_names}
    rows = table.select(sorted(names)).filter(pa.array(chosen))
    return row_weights(rows, candidate.contract, candidate.weight)


def _too_few(rows: int, unseen: int, version: str) -> str:
    """Return why models cannot be compared on `rows` of the `unseen` rows; "" if they can."""
    if unseen < MIN_COMPARED_ROWS:
        return f"only {unseen} test rows are new to {version}, too few to compare"
    needed = max(MIN_COMPARED_ROWS, math.ceil(MIN_COMPARED_SHARE * unseen))
    if rows >= needed:
        return ""
    return (
        f"only {rows:,} of the {unseen:,} test rows that are new to {version} satisfy its contract, "
        f"too few to compare ({needed:,} are needed)"
    )


def _unseen_by(served: ModelUnderTest, candidate: ModelUnderTest, table: pa.Table) -> Mask:
    """Return the mask of test rows that the served model's split would assign to testing, too."""
    contract, split = served.contract, served.split
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    if method.kind == "time":  # the candidate's test rows are later ones
        return np.ones(table.num_rows, dtype=np.bool_)
    if contract.equal_rows_apart and contract.id is None and method.kind != "group":
        # Without the training rows, it is not known which of several equal rows the test rows are.
        same = candidate.contract.equal_rows_apart and candidate.split == split
        return np.full(table.num_rows, same)
    draws = uniform_draws(row_keys(table, contract, method), split.seed)
    return draws < split.test_share


def _best_reachable(
    kind: TaskKind, target: Vector, best: Scores | None, weights: Vector | None
) -> float | None:
    if best is None or kind is not TaskKind.BINARY:
        return None
    of_rows = np.ones(len(target)) if weights is None else weights
    return float(weighted_auc(target.astype(np.int64), best, of_rows[None, :])[0])
