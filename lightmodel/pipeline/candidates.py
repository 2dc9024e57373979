"""Candidates, which a retry or a study proposes: what is known of them, and which is the best."""

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
        config: as the run's, but for train.parameters.
        key: fingerprint of the model that these would make.
        metrics: out of fold; None while nobody has scored it.
        trial: of a study, that the parameters come from.
    """

    config: Config
    key: str
    metrics: Scored | None = None
    trial: "Trial | None" = None

    @classmethod
    def of(
        cls,
        config: Config,
        split: Version,
        parameters: Mapping[str, Any],
        trial: "Trial | None" = None,
    ) -> "Candidate":
        """Return the candidate that these train.parameters would be; nobody has scored it."""
        train = config.train.model_copy(update={"parameters": dict(parameters)})
        config = config.model_copy(update={"train": train})
        return cls(config, model_key(config, split), trial=trial)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All of train.parameters."""
        return self.config.train.parameters

    def value(self, metric: Metric) -> float:
        """Return one of its metrics; NaN where it is undefined or not scored."""
        return metric_value(self.metrics or {}, metric)


class CandidateSearch:
    """What train.retry allows to try instead of a model, each chosen by the scores before it.

    The search begins anew with every run and is told the scores of earlier runs again: it then asks
    for the same candidates, and goes on where they ended.

    Attributes:
        context: of the run.
        split: that all are trained on.
        original: the model of the settings in force.
        metric: that decides.
        scored: the candidates that have scores, those of earlier runs first.
        next: the candidate to score, with its scores where they are known; None: there are no more.
    """

    def __init__(self, context: RunContext, split: Version, original: Version) -> None:
        from lightmodel.search.retry_search import propose

        self.context, self.split, self.original = context, split, original
        self.metric = deciding_metric(context.config, split)
        self.scored: list[Candidate] = []
        self._known = {} if context.force else _known_scores(context.config)
        self._value = metric_value(original.manifest.metrics, self.metric)
        settled = original.manifest.parameters["learner"]
        self._proposals = propose(context.config, settled, self._value, self.metric)
        self.next = self._candidate(next(self._proposals, None))
        while self.next and self.next.metrics is not None:
            self.add(self.next)

    def add(self, candidate: Candidate) -> None:
        """Record the scores of the candidate that was next."""
        self.scored.append(candidate)
        self.next = None
        if len(self.scored) < self.context.config.train.retry:
            with suppress(StopIteration):
                self.next = self._candidate(self._proposals.send(candidate.value(self.metric)))

    def best(self) -> Candidate | None:
        """Return the best of those scored; None: none is better than the original."""
        better = [
            one for one in self.scored if self.metric.better(one.value(self.metric), self._value)
        ]
        return rank(better, self.metric)[0] if better else None

    def attempts_json(self) -> bytes:
        """Return what was tried in place of the original, for people and for the next run."""
        tried = [
            {"fingerprint": one.key, "parameters": one.parameters, "metrics": one.metrics}
            for one in self.scored
        ]
        first = {"version": self.original.name, "metrics": self.original.manifest.metrics}
        return json_bytes({"original": first, "attempts": tried})

    def _candidate(self, parameters: Mapping[str, Any] | None) -> Candidate | None:
        if parameters is None:
            return None
        candidate = Candidate.of(self.context.config, self.split, parameters)
        return replace(candidate, metrics=self._known.get(candidate.key))


def _known_scores(config: Config) -> dict[str, Scored]:
    """Read the out-of-fold metrics of all earlier retries, by the candidates' fingerprints."""
    retries = retries_of(config)
    known: dict[str, Scored] = {}
    for version in retries.newest_first():
        try:
            retries.verify(version)
            tried = json.loads(version.read(ATTEMPTS))["attempts"]
        except LightModelError as error:
            retries.warn_once(version.name, error)
            continue
        known = {**{one["fingerprint"]: one["metrics"] for one in tried}, **known}
    return known


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters as "num_leaves=4, max_rounds=10"."""
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def rank(candidates: Sequence[Candidate], metric: Metric) -> tuple[Candidate, ...]:
    """Return candidates, the best first; among equals, the present settings come before a study's."""
    sign = -1 if metric.higher_is_better else 1

    def place(one: Candidate) -> tuple[bool, float, bool]:
        value = one.value(metric)
        return value != value, sign * value, one.trial is not None

    return tuple(sorted(candidates, key=place))


def find_winner(context: RunContext, split: Version, original: Version) -> Version | None:
    """Return the model that an earlier retry put in the original's place; None: there is none."""
    config = context.config
    if not config.train.retry or context.force or not retries_of(config).names():
        return None
    search = CandidateSearch(context, split, original)
    best = None if search.next else search.best()
    return find_reusable(context.models, best.key).version if best else None
