"""The chain: what each stage reads, writes and calls. Start reading here.

Around each pure stage of `lightmodel.training` stands one `run_<stage>`, in the module of the same name:
it resolves the inputs, decides whether an earlier result can be used again, calls the stage, publishes
what came out, and returns what it did. Where testing rejects, `run_retry` may try other parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from lightmodel.pipeline.context import Outcome, Pins, RunContext, gate_failure, timed
from lightmodel.pipeline.preprocess import run_preprocess
from lightmodel.pipeline.retry import run_retry
from lightmodel.pipeline.testing import run_testing
from lightmodel.pipeline.train import run_train

__all__ = ["CHAIN", "Outcome", "Pins", "RunContext", "Stage", "run_chain"]


@dataclass(frozen=True)
class Stage:
    """One step of the chain; `reads` and `writes` are for people."""

    name: str
    reads: str
    writes: str
    run: Callable[[RunContext, Pins], Outcome]


CHAIN = (
    Stage(
        "preprocess",
        reads="the table that data.source names",
        writes="preprocessed/<version>/ train.csv, test.csv, contract.json, profile.json",
        run=run_preprocess,
    ),
    Stage(
        "train",
        reads="preprocessed/<version>/ train.csv",
        writes="model/<version>/ model.joblib, metrics.json, cv_results.csv, importance",
        run=run_train,
    ),
    Stage(
        "testing",
        reads="model/<version>/ and the test.csv of its own split",
        writes="model/<version>/ report.html, verdict.json",
        run=run_testing,
    ),
)


def run_chain(
    context: RunContext, stages: Sequence[Stage] = CHAIN, *, retry: bool = True
) -> Iterator[Outcome]:
    """Run stages in order, handing each the versions that the earlier ones made or reused.

    With `retry`, other parameters are tried where testing rejects the candidate.

    Yields:
        What each stage did. The last one is yielded before a failed gate is raised.

    Raises:
        QualityGateFailed: the candidate was rejected, now or earlier, and so was what a retry chose.
    """
    pins: dict[str, str] = {}
    for stage in stages:
        outcome = timed(partial(stage.run, context, pins))
        yield outcome
        pins[outcome.stage] = outcome.version
        if not outcome.rejected:
            continue
        if not retry:
            raise gate_failure(outcome)
        if not context.config.train.retry:
            raise gate_failure(outcome, "Nothing else was tried: train.retry is 0.")
        yield from run_retry(context, outcome)
