"""Run `retry`: where the gate rejects, other parameters are tried, and the best is tested once.

The out-of-fold score alone chooses. A loser is neither refit nor published and never sees a test
row; its score is kept in retries/, so that nothing is tried twice.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from lightmodel.config import TrainSection
from lightmodel.pipeline.candidates import (
    ATTEMPTS,
    Candidate,
    CandidateSearch,
    attempts_json,
    best_candidate,
    format_parameters,
)
from lightmodel.pipeline.context import (
    Outcome,
    RunContext,
    contract_of,
    deciding_metric,
    format_metric,
    gate_failure,
    read_split,
    timed,
)
from lightmodel.pipeline.reuse import Reuse, find_reusable, model_key
from lightmodel.pipeline.testing import run_testing
from lightmodel.pipeline.train import RetryInfo, clear_checkpoints, train_or_reuse, train_spec
from lightmodel.store.factory import retries_of
from lightmodel.store.provenance import commit
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import Version
from lightmodel.tracking.records import RunRecord

logger = logging.getLogger(__name__)


def run_retry(context: RunContext, rejected: Outcome) -> Iterator[Outcome]:
    """Try what train.retry allows in the place of a candidate that testing rejected.

    Yields:
        The outcome of each try, and then those of training and testing the best one.

    Raises:
        QualityGateFailed: no try is possible or better, or the best one was rejected too.
    """
    model = context.models.get(rejected.version)
    verdict = read_verdict(model, context.models.signer)
    if verdict and verdict.by == "rollback":
        raise gate_failure(rejected, "What a rollback withdrew is not tried again.")
    split = context.splits.get(model.manifest.inputs["split"])
    retry = _Retry(context, split, _original(context, split, rejected), rejected)
    yield from retry.run()


def _original(context: RunContext, split: Version, rejected: Outcome) -> Version:
    """Return the model of the settings in force: the candidate, or the one in whose place it came."""
    version = find_reusable(context.models, model_key(context.config, split)).version
    if version is None:
        raise gate_failure(
            rejected,
            "It was not made by the settings and code in force: `python run.py` does that.",
        )
    return version


@dataclass(frozen=True)
class _Retry:
    """One retry: the split, the model of the settings in force, and what testing rejected."""

    context: RunContext
    split: Version
    original: Version
    rejected: Outcome

    def run(self) -> Iterator[Outcome]:
        search = CandidateSearch(self.context, self.split, self.original)
        train = self.context.config.train
        if not (search.next or search.scored):
            raise gate_failure(self.rejected, _why_nothing(train))
        if search.next and self.context.dry_run:
            left = train.retry - len(search.scored)
            yield Outcome("retry", "would run", f"up to {left} other sets of parameters", "")
            return
        if search.next:
            yield from self._score(search)
            self._record(search.scored)
        yield from self._train_and_test_best(search.scored)

    def _score(self, search: CandidateSearch) -> Iterator[Outcome]:
        """Cross-validate what was not scored before, each candidate chosen by those before it."""
        from lightmodel.training.train import cross_validate

        contract = contract_of(self.split)
        table = read_split(self.context.splits, self.split, "train")
        metric = deciding_metric(self.context.config, self.split)

        def outcome(did: str, why: str, one: Candidate) -> Outcome:
            score = f"{format_metric(one.metrics or {}, metric)} out of fold"
            return Outcome("retry", did, why, "", len(table), score)

        def score(candidate: Candidate) -> Outcome:
            did = "reused"
            if candidate.metrics is None:
                spec = train_spec(candidate.config, candidate.key, self.context.progress)
                did, metrics = "tried", cross_validate(table, contract, spec).metrics
                candidate = replace(candidate, metrics=metrics)
            search.add(candidate)
            is_best = best_candidate(self.original, search.scored, metric) is candidate
            why = "the best so far out of fold" if is_best else "not better out of fold"
            return outcome(did, why, candidate)

        for known in search.scored:
            yield outcome("reused", "scored before", known)
        while search.next:
            number, most = len(search.scored) + 1, self.context.config.train.retry
            parameters = format_parameters(search.next.parameters)
            logger.info("try %d of %d: %s", number, most, parameters)
            yield timed(partial(score, search.next))

    def _record(self, scored: list[Candidate]) -> None:
        """Keep what was tried for the next run, and send it to tracking."""
        with retries_of(self.context.config).draft() as draft:
            draft.write(ATTEMPTS, attempts_json(self.original, scored))
            draft.publish(
                inputs={"model": self.original.name, "split": self.split.name},
                parameters={"tries": len(scored)},
                rows=dict(self.split.manifest.rows),
                fingerprint=self.original.manifest.fingerprint,
                commit=commit(),
            )
        self.context.record(tuple(_run_record(self.original, one) for one in scored))

    def _train_and_test_best(self, scored: list[Candidate]) -> Iterator[Outcome]:
        context, rejected, count = self.context, self.rejected, len(scored)
        best = best_candidate(self.original, scored, deciding_metric(context.config, self.split))
        version = None
        if best and not context.force:
            version = find_reusable(context.models, best.key).version
        if not context.dry_run:
            for one in scored:
                if version or one is not best:
                    clear_checkpoints(one.config, one.key)
        others = f"of the other parameters tried ({count})"
        if best is None:
            raise gate_failure(rejected, f"None {others} is better out of fold.")
        if version and version.name == rejected.version:
            raise gate_failure(rejected, f"It is the best {others} out of fold.")
        reuse = Reuse(version, f"the best of the others tried ({count})")
        info = RetryInfo(self.original.name, attempts_json(self.original, scored))
        of_best = replace(context, config=best.config)
        trained = timed(lambda: train_or_reuse(of_best, self.split, reuse, info))
        yield trained
        tested = timed(lambda: run_testing(of_best, {"train": trained.version}))
        yield tested
        if tested.rejected:
            raise gate_failure(tested, "It was the best of a retry, out of fold.")


def _why_nothing(train: TrainSection) -> str:
    given = f" with {', '.join(sorted(train.parameters))} given" if train.parameters else ""
    return f"Nothing else is known to try for train.estimator = {train.estimator!r}{given}."


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
