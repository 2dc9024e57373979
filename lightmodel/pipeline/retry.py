"""Run `retry`: after a rejection by the gate, try other parameters, and test the best set once.

Only out-of-fold scores choose the best. The others are neither refit nor published nor scored on test
rows; their scores are kept in retries/, so that nothing is tried twice.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from lightmodel.pipeline.candidates import (
    ATTEMPTS,
    Candidate,
    CandidateSearch,
    format_parameters,
)
from lightmodel.pipeline.context import (
    Outcome,
    RunContext,
    contract_of,
    format_metric,
    gate_failure,
    read_split,
    timed,
)
from lightmodel.pipeline.reuse import Reuse, find_reusable, model_key
from lightmodel.pipeline.testing import run_testing
from lightmodel.pipeline.train import clear_checkpoints, train_or_reuse, train_spec
from lightmodel.store.provenance import commit
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import Version, retries_of
from lightmodel.tracking.records import RunRecord

logger = logging.getLogger(__name__)


def run_retry(context: RunContext, rejected: Outcome) -> Iterator[Outcome]:
    """Try up to train.retry other sets of parameters after testing rejected a candidate.

    Yields:
        The outcome of each try, and then those of training and testing the best one.

    Raises:
        QualityGateFailed: no try is possible or better, or the best one is rejected too.
    """
    model = context.models.get(rejected.version)
    verdict = read_verdict(model, context.models.signer)
    if verdict and verdict.is_withdrawn:
        raise gate_failure(rejected, "A version that was rolled back is not retried.")
    split = context.splits.get(model.manifest.inputs["split"])
    original = find_reusable(context.models, model_key(context.config, split)).version
    if original is None:
        raise gate_failure(
            rejected,
            "It was not trained with the settings and code in force: run `python run.py` first.",
        )
    search, train = CandidateSearch(context, split, original), context.config.train
    if not (search.next or search.scored):
        fixed = f" with {', '.join(sorted(train.parameters))} fixed" if train.parameters else ""
        why = f"There are no other parameters to try for train.estimator = {train.estimator!r}{fixed}."
        raise gate_failure(rejected, why)
    if search.next and context.dry_run:
        left = train.retry - len(search.scored)
        yield Outcome("retry", "would run", f"up to {left} other sets of parameters", "")
        return
    if search.next:
        yield from _score(search)
        _record(search)
    yield from _train_and_test_best(search, rejected)


def _score(search: CandidateSearch) -> Iterator[Outcome]:
    """Cross-validate the candidates without a score, each chosen by the scores before it."""
    from lightmodel.training.cross_validation import cross_validate

    context, contract = search.context, contract_of(search.split)
    table = read_split(context.splits, search.split, "train", context.config.store.work)

    def outcome(did: str, why: str, one: Candidate) -> Outcome:
        score = f"{format_metric(one.metrics or {}, search.metric)} out of fold"
        return Outcome("retry", did, why, "", len(table), score)

    def score(candidate: Candidate) -> Outcome:
        did = "reused"
        if candidate.metrics is None:
            spec = train_spec(candidate.config, candidate.key, context.progress)
            did, metrics = "tried", cross_validate(table, contract, spec).metrics
            candidate = replace(candidate, metrics=metrics)
        search.add(candidate)
        is_best = search.best() is candidate
        why = "the best so far out of fold" if is_best else "not better out of fold"
        return outcome(did, why, candidate)

    for known in search.scored:
        yield outcome("reused", "scored before", known)
    while search.next:
        number, most = len(search.scored) + 1, context.config.train.retry
        parameters = format_parameters(search.next.parameters)
        logger.info("retry %d of %d: %s", number, most, parameters)
        yield timed("retry", partial(score, search.next))


def _record(search: CandidateSearch) -> None:
    """Store the scored candidates for the next run, and send them to tracking."""
    original = search.original
    with retries_of(search.context.config).draft() as draft:
        draft.write(ATTEMPTS, search.attempts_json())
        draft.publish(
            inputs={"model": original.name, "split": search.split.name},
            parameters={"tries": len(search.scored)},
            rows=dict(search.split.manifest.rows),
            fingerprint=original.manifest.fingerprint,
            commit=commit(),
            reason=search.context.reason,
        )
    search.context.record(tuple(_run_record(original, one) for one in search.scored))


def _train_and_test_best(search: CandidateSearch, rejected: Outcome) -> Iterator[Outcome]:
    context, best, count = search.context, search.best(), len(search.scored)
    version = None
    if best and not context.force:
        version = find_reusable(context.models, best.key).version
    if not context.dry_run:
        for one in search.scored:
            if version or one is not best:
                clear_checkpoints(one.config, one.key)
    others = f"of the other sets of parameters ({count})"
    if best is None:
        raise gate_failure(rejected, f"None {others} is better out of fold.")
    if version and version.name == rejected.version:
        raise gate_failure(rejected, f"It is already the best {others} out of fold.")
    reuse = Reuse(version, f"the best of the other sets of parameters ({count})")
    best_context = replace(context, config=best.config)
    trained = timed("train", lambda: train_or_reuse(best_context, search.split, reuse, search))
    yield trained
    tested = timed("testing", lambda: run_testing(best_context, {"train": trained.version}))
    yield tested
    if tested.rejected:
        raise gate_failure(tested, "It had the best out-of-fold score of the retry.")


def _run_record(original: Version, candidate: Candidate) -> RunRecord:
    digits = hashlib.sha256(candidate.key.encode()).hexdigest()[:12]
    now = datetime.now(UTC).isoformat()
    return RunRecord(
        f"{original.name}-attempt-{digits}",
        "attempt",
        now,
        now,
        original.name,
        parameters=candidate.parameters,
        metrics=candidate.metrics or {},
        tags={"split": str(original.manifest.inputs["split"])},
    )
