"""Run `retry`: where the gate said no, other parameters are tried, and the best is tested once.

The out-of-fold score alone chooses. A loser is neither refit nor published and never meets a test
row; its score is kept in retries/, so that nothing is tried twice.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from lightmodel.config import TrainSection
from lightmodel.contract.columns import Contract
from lightmodel.pipeline.candidates import (
    ATTEMPTS,
    Attempt,
    Attempts,
    best_attempt,
    deciding_metric,
    record_of,
    shown_out_of_fold,
)
from lightmodel.pipeline.context import (
    Outcome,
    Pins,
    Reuse,
    Workshop,
    find_reusable,
    read_side,
    refusal,
    timed,
)
from lightmodel.pipeline.reuse import model_key
from lightmodel.pipeline.testing import run_testing
from lightmodel.pipeline.train import Tried, recipe_of, train_or_reuse
from lightmodel.store.provenance import commit
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import Version
from lightmodel.tracking.records import RunRecord

logger = logging.getLogger(__name__)


def run_retry(workshop: Workshop, rejected: Outcome) -> Iterator[Outcome]:
    """Try what train.retry allows in the place of a candidate that testing rejected.

    Args:
        workshop: of the run.
        rejected: what testing said.

    Yields:
        What came of each attempt, and then what training and testing of the best one did.

    Raises:
        QualityGateFailed: no attempt is possible or better, or the best one was rejected too.
    """
    candidate = workshop.models.get(rejected.version)
    _refuse_withdrawn(workshop, candidate, rejected)
    split = workshop.splits.get(candidate.manifest.inputs["split"])
    original = _original(workshop, split, rejected)
    attempts = Attempts(workshop, split, original)
    known = attempts.replay()
    if known and not attempts.scored:
        raise refusal(rejected, _why_nothing(workshop.config.train))
    if workshop.dry_run and not known:
        left = workshop.config.train.retry - len(attempts.scored)
        yield Outcome("retry", "would run", f"up to {left} other sets of parameters", "")
        return
    if not known:
        yield from _score(workshop, split, original, attempts)
        _record(workshop, split, original, attempts.scored)
    yield from _take_the_best(workshop, split, original, attempts.scored, rejected)


def _take_the_best(
    workshop: Workshop,
    split: Version,
    original: Version,
    attempts: Sequence[Attempt],
    rejected: Outcome,
) -> Iterator[Outcome]:
    best = best_attempt(original, attempts, deciding_metric(workshop.config, split))
    reuse = _reuse(workshop, best, len(attempts))
    if not workshop.dry_run:
        _forget_folds(attempts, but=None if reuse.version else best)
    if best is None or (reuse.version and reuse.version.name == rejected.version):
        others = f"of the other parameters tried ({len(attempts)})"
        which = f"None {others} is better" if best is None else f"It is the best {others}"
        raise refusal(rejected, f"{which} out of fold.")
    tried = Tried(original.name, record_of(original, attempts))
    yield from _make_and_test(best.workshop, split, reuse, tried)


def _refuse_withdrawn(workshop: Workshop, candidate: Version, rejected: Outcome) -> None:
    verdict = read_verdict(candidate, workshop.signer)
    if verdict and verdict.by == "rollback":
        raise refusal(rejected, "What a rollback withdrew is not tried again.")


def _original(workshop: Workshop, split: Version, rejected: Outcome) -> Version:
    """Give the model of the settings in force: the candidate, or the one in whose place it came."""
    found = find_reusable(workshop.models, model_key(workshop.config, split)).version
    if found is None:
        raise refusal(
            rejected,
            "It was not made by the settings and code in force: `python run.py` does that.",
        )
    return found


def _why_nothing(train: TrainSection) -> str:
    given = f" with {', '.join(sorted(train.parameters))} given" if train.parameters else ""
    return f"Nothing else is known to try for train.estimator = {train.estimator!r}{given}."


def _score(
    workshop: Workshop, split: Version, original: Version, attempts: Attempts
) -> Iterator[Outcome]:
    """Cross-validate what was not scored before, each attempt chosen by those before it."""
    from lightmodel.training.train import cross_validate

    contract = Contract.from_dict(split.manifest.contract or {})
    table = read_side(workshop, split, "train", contract)
    metric = deciding_metric(workshop.config, split)

    def score(attempt: Attempt) -> Outcome:
        did, metrics = "reused", attempt.metrics
        if metrics is None:
            recipe = recipe_of(attempt.workshop, attempt.key)
            did, metrics = "tried", cross_validate(table, contract, recipe).metrics
        attempts.tell(replace(attempt, metrics=metrics))
        ahead = best_attempt(original, attempts.scored, metric) is attempts.scored[-1]
        why = "the best so far out of fold" if ahead else "not better out of fold"
        return Outcome("retry", did, why, "", len(table), shown_out_of_fold(metrics, metric))

    for known in attempts.scored:
        shown = shown_out_of_fold(known.metrics or {}, metric)
        yield Outcome("retry", "reused", "scored before", "", len(table), shown)
    while (attempt := attempts.ask()) is not None:
        words = ", ".join(f"{name}={value}" for name, value in attempt.parameters.items())
        number = len(attempts.scored) + 1
        logger.info("try %d of %d: %s", number, workshop.config.train.retry, words)
        yield timed(partial(score, attempt))


def _record(
    workshop: Workshop, split: Version, original: Version, attempts: Sequence[Attempt]
) -> None:
    with workshop.retries.draft() as draft:
        draft.write(ATTEMPTS, record_of(original, attempts))
        draft.publish(
            inputs={"model": original.name, "split": split.name},
            parameters={"tries": len(attempts)},
            rows=dict(split.manifest.rows),
            fingerprint=original.manifest.fingerprint,
            commit=commit(),
        )
    workshop.record(tuple(_told(original, attempt) for attempt in attempts))


def _told(original: Version, attempt: Attempt) -> RunRecord:
    digits = hashlib.sha256(attempt.key.encode()).hexdigest()[:12]
    now = datetime.now(UTC).isoformat()
    return RunRecord(
        f"{original.name}-attempt-{digits}",
        "attempt",
        now,
        now,
        original.name,
        parameters=attempt.parameters,
        metrics={
            name: value for name, value in (attempt.metrics or {}).items() if value is not None
        },
        tags={"split": str(original.manifest.inputs["split"])},
    )


def _reuse(workshop: Workshop, best: Attempt | None, tries: int) -> Reuse:
    """Find the best attempt's model, where it was made before."""
    why = f"the best of the others tried ({tries})"
    if best is None or workshop.force:
        return Reuse(None, why)
    return Reuse(find_reusable(workshop.models, best.key).version, why)


def _forget_folds(attempts: Sequence[Attempt], but: Attempt | None) -> None:
    for attempt in attempts:
        if attempt is not but:
            attempt.workshop.checkpoints(attempt.key).clear()


def _make_and_test(
    workshop: Workshop, split: Version, reuse: Reuse, tried: Tried
) -> Iterator[Outcome]:
    made = timed(lambda: train_or_reuse(workshop, split, reuse, tried))
    yield made
    tested = timed(lambda: run_testing(workshop, Pins(split.name, made.version)))
    yield tested
    if tested.rejected:
        raise refusal(tested, "It was the best of a retry, out of fold.")
