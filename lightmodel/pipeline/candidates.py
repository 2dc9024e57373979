"""The candidates of a retry: which there are, what is known of them, and which is the best."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightmodel.config import Config
from lightmodel.contract.task import Metric
from lightmodel.errors import LightModelError
from lightmodel.pipeline.context import RunContext, Scored, deciding_metric, metric_value
from lightmodel.pipeline.reuse import find_reusable, model_key
from lightmodel.search.base import RejectedBaseline
from lightmodel.search.factory import retry_search
from lightmodel.store.factory import retries_of
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version

ATTEMPTS = "attempts.json"


@dataclass(frozen=True)
class Candidate:
    """A set of parameters to train with.

    Attributes:
        config: as the run's, but for train.parameters.
        key: fingerprint of the model that these would make.
        metrics: out of fold; None while nobody has scored it.
    """

    config: Config
    key: str
    metrics: Scored | None = None

    @classmethod
    def of(cls, config: Config, split: Version, parameters: Mapping[str, Any]) -> "Candidate":
        """Return the candidate that these train.parameters would be; nobody has scored it."""
        train = config.train.model_copy(update={"parameters": dict(parameters)})
        config = config.model_copy(update={"train": train})
        return cls(config, model_key(config, split))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All of train.parameters."""
        return self.config.train.parameters

    def value(self, metric: Metric) -> float:
        """Return one of its metrics; NaN where it is undefined or not scored."""
        return metric_value(self.metrics or {}, metric)


class CandidateSearch:
    """What train.retry allows to try instead of the original, each chosen by the scores before it.

    The search begins anew with every run and is told the scores of earlier runs again: it then asks
    for the same candidates, and goes on where they ended.
    """

    def __init__(self, context: RunContext, split: Version, original: Version) -> None:
        self._config, self._split = context.config, split
        self._metric = deciding_metric(context.config, split)
        self._known = {} if context.force else _known_scores(context.config)
        settled = original.manifest.parameters["learner"]
        value = metric_value(original.manifest.metrics, self._metric)
        baseline = RejectedBaseline(settled, value, self._metric.higher_is_better)
        self._search = retry_search(context.config, baseline)
        self._next: Candidate | None = None
        self.scored: list[Candidate] = []

    def ask(self) -> Candidate | None:
        """Return the next candidate, with its scores where they are known; None: there are no more."""
        full = len(self.scored) >= self._config.train.retry
        if self._next is None and self._search and not full:
            parameters = self._search.ask()
            if parameters is not None:
                candidate = Candidate.of(self._config, self._split, parameters)
                self._next = replace(candidate, metrics=self._known.get(candidate.key))
        return self._next

    def tell(self, candidate: Candidate) -> None:
        """Record the scores of the candidate that was asked for last."""
        if self._search:
            self._search.tell(candidate.value(self._metric))
        self.scored.append(candidate)
        self._next = None

    def replay(self) -> bool:
        """Record what earlier runs scored, and return whether nothing is left to be scored."""
        while (candidate := self.ask()) is not None:
            if candidate.metrics is None:
                return False
            self.tell(candidate)
        return True


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


def attempts_json(original: Version, candidates: Sequence[Candidate]) -> bytes:
    """Return what was tried in place of the original as JSON, for people and for the next run."""
    tried = [
        {"fingerprint": one.key, "parameters": one.parameters, "metrics": one.metrics}
        for one in candidates
    ]
    first = {"version": original.name, "metrics": original.manifest.metrics}
    return json_bytes({"original": first, "attempts": tried})


def best_candidate(
    original: Version, candidates: Sequence[Candidate], metric: Metric
) -> Candidate | None:
    """Return the candidate with the best score out of fold; None: none is better than the original."""
    best, value = None, metric_value(original.manifest.metrics, metric)
    for candidate in candidates:
        if metric.better(candidate.value(metric), value):
            best, value = candidate, candidate.value(metric)
    return best


def find_winner(context: RunContext, split: Version, original: Version) -> Version | None:
    """Return the model that an earlier retry put in the original's place; None: there is none."""
    config = context.config
    if not config.train.retry or context.force or not retries_of(config).names():
        return None
    search = CandidateSearch(context, split, original)
    if not search.replay():
        return None
    best = best_candidate(original, search.scored, deciding_metric(config, split))
    return find_reusable(context.models, best.key).version if best else None
