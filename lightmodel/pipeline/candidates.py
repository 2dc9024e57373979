"""The attempts of a retry: which there are, what is known of them, and which is the best."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.contract.metrics import Metric, gate_metric
from lightmodel.errors import LightModelError
from lightmodel.pipeline.context import Unsatisfying, Workshop, find_reusable, shown_number
from lightmodel.pipeline.reuse import model_key
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Store, Version

ATTEMPTS = "attempts.json"

logger = logging.getLogger(__name__)

Scored = Mapping[str, float | None]


@dataclass(frozen=True)
class Attempt:
    """One other set of parameters.

    Attributes:
        workshop: as the run's, but for train.parameters.
        key: fingerprint of the model that these would make.
        metrics: out of fold; None while nobody has scored it.
    """

    workshop: Workshop
    key: str
    metrics: Scored | None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All of train.parameters."""
        return self.workshop.config.train.parameters


def attempt_with(workshop: Workshop, split: Version, parameters: Mapping[str, Any]) -> Attempt:
    """Give the attempt that these train.parameters would be; nobody has scored it."""
    train = workshop.config.train.model_copy(update={"parameters": dict(parameters)})
    config = workshop.config.model_copy(update={"train": train})
    return Attempt(replace(workshop, config=config), model_key(config, split), None)


class Attempts:
    """What train.retry allows to try instead of the original, each chosen by what came of those before.

    The search is begun anew by every run, and what is known from earlier ones is told to it again: it
    asks for the same, and goes on where they ended.
    """

    def __init__(self, workshop: Workshop, split: Version, original: Version) -> None:
        self._workshop, self._split = workshop, split
        self._metric = deciding_metric(workshop.config, split)
        self._known = {} if workshop.force else _known_scores(workshop.retries)
        metrics = original.manifest.metrics
        settled = original.manifest.parameters["learner"]
        self._search = workshop.alternatives(
            workshop.config,
            Unsatisfying(settled, value_of(metrics, self._metric), self._metric.higher_is_better),
        )
        self.scored: list[Attempt] = []
        self._next: Attempt | None = None

    def ask(self) -> Attempt | None:
        """Give the next attempt, with its score where it is known; None: there are no more."""
        full = len(self.scored) >= self._workshop.config.train.retry
        if self._next is None and self._search and not full:
            parameters = self._search.ask()
            if parameters is not None:
                found = attempt_with(self._workshop, self._split, parameters)
                self._next = replace(found, metrics=self._known.get(found.key))
        return self._next

    def tell(self, attempt: Attempt) -> None:
        """Take the attempt that was asked for, scored."""
        if self._search:
            self._search.tell(value_of(attempt.metrics or {}, self._metric))
        self.scored.append(attempt)
        self._next = None

    def replay(self) -> bool:
        """Take what is known already, as far as that goes; True: nothing is left to be scored."""
        while (attempt := self.ask()) is not None:
            if attempt.metrics is None:
                return False
            self.tell(attempt)
        return True


def _known_scores(retries: Store) -> dict[str, Scored]:
    """Collect the out-of-fold scores of all earlier retries by the attempts' fingerprints."""
    known: dict[str, Scored] = {}
    for version in retries.newest_first():
        try:
            retries.verify(version)
            tried = json.loads(version.read(ATTEMPTS))["attempts"]
        except LightModelError as error:
            retries.tell_once(version.name, error)
            continue
        known = {**{one["fingerprint"]: one["metrics"] for one in tried}, **known}
    return known


def record_of(original: Version, attempts: Sequence[Attempt]) -> bytes:
    """Write down what was tried, for people and for the next run."""
    tried = [
        {"fingerprint": one.key, "parameters": one.parameters, "metrics": one.metrics}
        for one in attempts
    ]
    first = {"version": original.name, "metrics": original.manifest.metrics}
    return json_bytes({"original": first, "attempts": tried})


def best_attempt(original: Version, attempts: Sequence[Attempt], metric: Metric) -> Attempt | None:
    """Give the attempt with the best out-of-fold score; None: none is better than the original."""
    best, value = None, value_of(original.manifest.metrics, metric)
    for attempt in attempts:
        found = value_of(attempt.metrics or {}, metric)
        if metric.better(found, value):
            best, value = attempt, found
    return best


def value_of(metrics: Scored, metric: Metric) -> float:
    """Give one metric; NaN where it is undefined."""
    value = metrics.get(metric.name)
    return math.nan if value is None else value


def shown_out_of_fold(metrics: Scored, metric: Metric) -> str:
    """Write an out-of-fold score for people."""
    return f"{metric.title} {shown_number(metrics.get(metric.name))} out of fold"


def deciding_metric(config: Config, split: Version) -> Metric:
    """Give the metric of the gate, by which retries and studies choose as well."""
    contract = Contract.from_dict(split.manifest.contract or {})
    return gate_metric(config.gate.metric, contract.task.kind)


def find_winner(workshop: Workshop, split: Version, original: Version) -> Version | None:
    """Give the model that an earlier retry put in the original's place; None: there is none."""
    if not workshop.config.train.retry or workshop.force or not workshop.retries.names():
        return None
    attempts = Attempts(workshop, split, original)
    if not attempts.replay():
        return None
    best = best_attempt(original, attempts.scored, deciding_metric(workshop.config, split))
    return find_reusable(workshop.models, best.key).version if best else None
