"""The chain: what each stage reads, writes and calls. Start reading here.

Around each pure stage of `lightmodel.training` stands one `run_<stage>`, in the module of the same name:
it resolves the inputs, decides whether an earlier result can be reused, calls the stage, publishes its
result, and returns an outcome. If testing rejects a candidate, `run_retry` may try other parameters.
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
    """One step of the chain; `reads` and `writes` describe it to users."""

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
    """Run stages in order, passing to each the versions that the earlier ones made or reused.

    With `retry`, other parameters are tried if testing rejects the candidate.

    Yields:
        The outcome of each stage; the last one is yielded before QualityGateFailed is raised.

    Raises:
        QualityGateFailed: testing rejects the candidate, and the retry's best one if there is one.
    """
    pins: dict[str, str] = {}
    for stage in stages:
        outcome = timed(stage.name, partial(stage.run, context, pins))
        yield outcome
        pins[outcome.stage] = outcome.version
        if not outcome.rejected:
            continue
        if not retry:
            raise gate_failure(outcome)
        if not context.config.train.retry:
            raise gate_failure(outcome, "No other parameters were tried: train.retry is 0.")
        yield from run_retry(context, outcome)
