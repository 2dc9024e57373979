"""The chain: what each stage reads, writes and calls. Start reading here.

Around each pure stage of `lightmodel.stages` stands one `run_<stage>`, in the module of the same name:
it resolves the inputs, decides whether an earlier result can be used again, calls the stage, publishes
what came out, and says what it did.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lightmodel.chain.preprocess import run_preprocess
from lightmodel.chain.testing import run_testing
from lightmodel.chain.train import run_train
from lightmodel.chain.workshop import Outcome, Pins, Workshop
from lightmodel.errors import QualityGateFailed

__all__ = ["CHAIN", "Outcome", "Pins", "Stage", "Workshop", "run_chain"]


@dataclass(frozen=True)
class Stage:
    """One step of the chain; `reads` and `writes` are for people."""

    name: str
    reads: str
    writes: str
    run: Callable[[Workshop, Pins], Outcome]


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


def run_chain(workshop: Workshop, stages: Sequence[Stage] = CHAIN) -> Iterator[Outcome]:
    """Run stages in order, handing each the versions that the earlier ones made or found.

    Yields:
        What each stage did. The last one is yielded before a failed gate is raised.

    Raises:
        QualityGateFailed: the candidate was rejected, now or earlier.
    """
    pins = Pins()
    for stage in stages:
        started = time.perf_counter()
        outcome = stage.run(workshop, pins)
        yield replace(outcome, seconds=time.perf_counter() - started)
        pins = pins.with_outcome(outcome)
        if outcome.rejected:
            raise QualityGateFailed(
                f"{outcome.version} is not approved: {outcome.rejected}",
                hint=f"the model that is served stays; look at {outcome.report}",
            )
