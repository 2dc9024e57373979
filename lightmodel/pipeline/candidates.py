"""Candidates that a retry or a study proposes: their scores, and the choice of the best."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lightmodel.config import Config
from lightmodel.contract.task import Metric
from lightmodel.errors import LightModelError
from lightmodel.pipeline.context import RunContext, Scored, deciding_metric, metric_value
from lightmodel.pipeline.reuse import find_reusable, model_key
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version, retries_of

if TYPE_CHECKING:  # Optuna is imported when a study or a retry begins
    from lightmodel.search.studies import Trial

ATTEMPTS = "attempts.json"


@dataclass(frozen=True)
class Candidate:
    """A set of parameters to train with.

    Attributes:
        config: the run's settings, with these train.parameters.
        key: fingerprint of the model that this config would train.
        metrics: out-of-fold metrics; None until they are computed.
        trial: the study's trial that the parameters come from, if any.
        folds: the metrics of each fold, where they are needed.
    """

    config: Config
    key: str
    metrics: Scored | None = None
    trial: "Trial | None" = None
    folds: tuple[Scored, ...] = ()

    @classmethod
    def of(
        cls,
        config: Config,
        split: Version,
        parameters: Mapping[str, Any],
        trial: "Trial | None" = None,
    ) -> "Candidate":
        """Return an unscored candidate with these train.parameters."""
        train = config.train.model_copy(update={"parameters": dict(parameters)})
        config = config.model_copy(update={"train": train})
        return cls(config, model_key(config, split), trial=trial)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All of train.parameters."""
        return self.config.train.parameters

    def value(self, metric: Metric) -> float:
        """Return one of its metrics; NaN if it is undefined or not computed."""
        return metric_value(self.metrics or {}, metric)


class CandidateSearch:
    """A search for a better model after a rejection, of at most train.retry candidates.

    Each proposal depends on the scores before it. A run replays the stored scores of earlier runs, which
    leads to the same proposals, and continues where they ended.

    Attributes:
        context: of the run.
        split: the split that all candidates are trained on.
        original: the model trained with the settings in force.
        metric: the deciding metric.
        scored: the candidates that have scores, those of earlier runs first.
        next: the candidate to score; None if there are no more.
    """

    def __init__(self, context: RunContext, split: Version, original: Version) -> None:
        from lightmodel.search.retry_search import propose

        self.context, self.split, self.original = context, split, original
        self.metric = deciding_metric(context.config, split)
        self.scored: list[Candidate] = []
        self._stored = {} if context.force else _stored_scores(context.config)
        self._baseline = metric_value(original.manifest.metrics, self.metric)
        parameters = original.manifest.parameters["learner"]
        self._proposals = propose(context.config, parameters, self._baseline, self.metric)
        self.next = self._candidate(next(self._proposals, None))
        while self.next and self.next.metrics is not None:
            self.add(self.next)

    def add(self, candidate: Candidate) -> None:
        """Add the candidate that was next, now scored, and choose the following one."""
        self.scored.append(candidate)
        self.next = None
        if len(self.scored) < self.context.config.train.retry:
            with suppress(StopIteration):
                self.next = self._candidate(self._proposals.send(candidate.value(self.metric)))

    def best(self) -> Candidate | None:
        """Return the best scored candidate; None if none is better than the original."""
        better = [
            one for one in self.scored if self.metric.better(one.value(self.metric), self._baseline)
        ]
        return rank(better, self.metric)[0] if better else None

    def attempts_json(self) -> bytes:
        """Return the original and the scored candidates as JSON, for readers and for the next run."""
        attempts = [
            {"fingerprint": one.key, "parameters": one.parameters, "metrics": one.metrics}
            for one in self.scored
        ]
        first = {"version": self.original.name, "metrics": self.original.manifest.metrics}
        return json_bytes({"original": first, "attempts": attempts})

    def _candidate(self, parameters: Mapping[str, Any] | None) -> Candidate | None:
        if parameters is None:
            return None
        candidate = Candidate.of(self.context.config, self.split, parameters)
        return replace(candidate, metrics=self._stored.get(candidate.key))


def _stored_scores(config: Config) -> dict[str, Scored]:
    """Read the out-of-fold metrics of all earlier retries, by the candidates' fingerprints."""
    retries = retries_of(config)
    known: dict[str, Scored] = {}
    for version in retries.newest_first():
        try:
            retries.verify(version)
            attempts = json.loads(version.read(ATTEMPTS))["attempts"]
        except LightModelError as error:
            retries.warn_once(version.name, error)
            continue
        known = {**{one["fingerprint"]: one["metrics"] for one in attempts}, **known}
    return known


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters as "num_leaves=4, max_rounds=10"."""
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def rank(candidates: Sequence[Candidate], metric: Metric) -> tuple[Candidate, ...]:
    """Sort candidates, the best first; among equals the present settings come before a trial."""
    sign = -1 if metric.higher_is_better else 1

    def order(one: Candidate) -> tuple[bool, float, bool]:
        value = one.value(metric)
        return value != value, sign * value, one.trial is not None

    return tuple(sorted(candidates, key=order))


def find_winner(context: RunContext, split: Version, original: Version) -> Version | None:
    """Return the model that an earlier retry chose instead of the original; None if there is none."""
    config = context.config
    if not config.train.retry or context.force or not retries_of(config).names():
        return None
    search = CandidateSearch(context, split, original)
    best = None if search.next else search.best()
    return find_reusable(context.models, best.key).version if best else None
