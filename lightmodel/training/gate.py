"""The quality gate: may this candidate be served?"""

from lightmodel.config import GateSection
from lightmodel.contract.results import Evaluation, Verdict
from lightmodel.contract.task import Metric, TaskKind, gate_metric


def judge(evaluation: Evaluation, gate: GateSection) -> Verdict:
    """Return the verdict on an evaluation; every check gives one sentence, failed ones first.

    A candidate passes when it beats the dummy baseline by a significant margin (the near end of its
    interval does), reaches the minimum, and is not worse than the served model by more than
    `gate.max_regression`.
    """
    metric = gate_metric(gate.metric, TaskKind(evaluation.task))
    checks = [
        _beats_dummy(evaluation, metric),
        *_reaches_minimum(evaluation, metric, gate),
        *_keeps_up(evaluation, metric, gate),
    ]
    checks.sort(key=lambda check: check[0])
    passed = all(held for held, _ in checks)
    value = evaluation.metrics[metric.name].value
    return Verdict(passed, metric.name, value, tuple(reason for _, reason in checks))


def _beats_dummy(evaluation: Evaluation, metric: Metric) -> tuple[bool, str]:
    found, dummy = evaluation.metrics[metric.name], evaluation.dummy[metric.name]
    near = found.low if metric.higher_is_better else found.high
    if metric.better(near, dummy):
        return True, f"{metric.title} {found.value:.4f} beats the dummy's {dummy:.4f}."
    return False, (
        f"{metric.title} {found.value:.4f} (95 % interval {found.low:.4f} to {found.high:.4f}) does "
        f"not beat the dummy's {dummy:.4f} by a significant margin."
    )


def _reaches_minimum(
    evaluation: Evaluation, metric: Metric, gate: GateSection
) -> list[tuple[bool, str]]:
    if gate.minimum is None:
        return []
    value = evaluation.metrics[metric.name].value
    held = value == gate.minimum or metric.better(value, gate.minimum)
    side = ("reaches" if held else "is below") if metric.higher_is_better else None
    side = side or ("stays within" if held else "is above")
    return [(held, f"{metric.title} {value:.4f} {side} gate.minimum {gate.minimum:g}.")]


def _keeps_up(evaluation: Evaluation, metric: Metric, gate: GateSection) -> list[tuple[bool, str]]:
    comparison = evaluation.comparison
    if comparison is None:
        return []
    value, served = comparison.candidate[metric.name], comparison.served[metric.name]
    limit = metric.worsened(served, gate.max_regression)
    held = value == limit or metric.better(value, limit)
    verb = "keeps up with" if held else "falls behind"
    reason = (
        f"On {comparison.rows:,} rows that neither model saw, {metric.title} {value:.4f} {verb} "
        f"the served model's {served:.4f} (gate.max_regression {gate.max_regression:g})."
    )
    return [(held, reason)]
