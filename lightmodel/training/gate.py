"""The quality gate: approve or reject a candidate."""

import math
from collections.abc import Sequence

from lightmodel.config import GateSection
from lightmodel.contract.results import Evaluation, FoldReport, Verdict
from lightmodel.contract.task import Metric, Task, TaskKind, gate_metric
from lightmodel.training.leaks import leak_warning

_LOWER_RATE = "lower learning_rate or raise lambda_l2 in train.parameters"


def judge(
    evaluation: Evaluation,
    gate: GateSection,
    folds: Sequence[FoldReport] = (),
    leaks: Sequence[str] = (),
) -> Verdict:
    """Return the verdict on an evaluation, with one sentence per check, failed ones first.

    A candidate passes if it beats the dummy baseline by a significant margin (its whole 95 % interval
    does), reaches `gate.minimum`, and is not worse than the served model by more than
    `gate.max_regression`. One that could not be compared passes only by `gate.allow_uncompared`.
    One with a fold that diverged in training never passes. `leaks`, features that alone decide the
    target, are named, and no reason to reject.
    """
    metric = gate_metric(gate.metric, Task(TaskKind(evaluation.task), loss=evaluation.loss))
    checks = [
        *_converged(folds),
        _beats_dummy(evaluation, metric),
        *_reaches_minimum(evaluation, metric, gate),
        *_matches_served(evaluation, metric, gate),
        *_leaks(leaks),
    ]
    checks.sort(key=lambda check: check[0])
    passed = all(passed for passed, _ in checks)
    value = evaluation.metrics[metric.name].value
    return Verdict(passed, metric.name, value, tuple(reason for _, reason in checks))


def _converged(folds: Sequence[FoldReport]) -> list[tuple[bool, str]]:
    """Return a failed check if the loss of a fold rose in training."""
    diverged = [str(fold.fold) for fold in folds if fold.diverged]
    if not diverged:
        return []
    which = f"fold{'s' if len(diverged) > 1 else ''} {', '.join(diverged)} of {len(folds)}"
    return [
        (False, f"Training diverged in {which}: the loss on the rows fitted rose; {_LOWER_RATE}.")
    ]


def _leaks(names: Sequence[str]) -> list[tuple[bool, str]]:
    if not names:
        return []
    warning = leak_warning(names)
    return [(True, f"The score may be too good, as {warning}.")]


def _beats_dummy(evaluation: Evaluation, metric: Metric) -> tuple[bool, str]:
    result, dummy = evaluation.metrics[metric.name], evaluation.dummy[metric.name]
    if evaluation.constant:
        return False, (
            "The model has learnt nothing: it predicts the same for every test row, so "
            f"{metric.title} {result.value:.4f} says nothing."
        )
    worst = result.low if metric.higher_is_better else result.high
    if metric.better(worst, dummy):
        return True, f"{metric.title} {result.value:.4f} beats the dummy's {dummy:.4f}."
    return False, (
        f"{metric.title} {result.value:.4f} (95 % interval {result.low:.4f} to {result.high:.4f}) does "
        f"not beat the dummy's {dummy:.4f} by a significant margin."
    )


def _reaches_minimum(
    evaluation: Evaluation, metric: Metric, gate: GateSection
) -> list[tuple[bool, str]]:
    if gate.minimum is None:
        return []
    value = evaluation.metrics[metric.name].value
    passed = value == gate.minimum or metric.better(value, gate.minimum)
    verbs = ("is below", "reaches") if metric.higher_is_better else ("is above", "does not exceed")
    return [(passed, f"{metric.title} {value:.4f} {verbs[passed]} gate.minimum {gate.minimum:g}.")]


def _matches_served(
    evaluation: Evaluation, metric: Metric, gate: GateSection
) -> list[tuple[bool, str]]:
    comparison = evaluation.comparison
    if comparison is None:
        return _uncompared(evaluation.uncompared, gate)
    value, served = comparison.candidate[metric.name], comparison.served[metric.name]
    if math.isnan(served):
        why = f"{metric.title} of {comparison.version} is undefined on {comparison.rows:,} rows"
        return _uncompared(why, gate)
    limit = metric.worsened(served, gate.max_regression)
    passed = value == limit or metric.better(value, limit)
    verb = "keeps up with" if passed else "falls behind"
    rows = f"{comparison.rows:,} rows"
    if comparison.rows < comparison.of:
        rows = f"the {comparison.rows:,} rows that satisfy its contract, of {comparison.of:,}"
    reason = (
        f"On {rows} that neither model was trained on, {metric.title} {value:.4f} {verb} "
        f"the served model's {served:.4f} (gate.max_regression {gate.max_regression:g}: the limit is "
        f"{limit:.4f})."
    )
    return [(passed, reason)]


def _uncompared(why: str, gate: GateSection) -> list[tuple[bool, str]]:
    """Return the check of a candidate that was not compared with the served model, if there is one."""
    if not why:
        return []
    if gate.allow_uncompared:
        return [(True, f"Not compared with the served model, by gate.allow_uncompared: {why}.")]
    advice = "to approve it without a comparison, set gate.allow_uncompared = true"
    return [(False, f"Not compared with the served model: {why}; {advice}.")]
