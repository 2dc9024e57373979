"""Searches for what to try instead, one set after the other: by Optuna, or from a list."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lightmodel.search.space import Range, shortened

REPEATS = 50


class OptunaSearch:
    """A study in memory that begins with the set that was not good enough; a seed decides it all."""

    def __init__(
        self,
        ranges: tuple[Range, ...],
        given: Mapping[str, Any],
        first: tuple[Mapping[str, float], float],
        seed: int,
        *,
        higher_is_better: bool,
    ) -> None:
        """Begin it.

        Args:
            ranges: what is varied.
            given: parameters that every set has besides.
            first: what was tried already, within the ranges, and its value.
            seed: another seed, other sets.
            higher_is_better: of the values.
        """
        import optuna

        from lightmodel.search.optuna_study import distribution, tpe

        optuna.logging.disable_default_handler()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._given = dict(given)
        self._distributions = {one.name: distribution(one) for one in ranges}
        self._study = optuna.create_study(
            direction="maximize" if higher_is_better else "minimize", sampler=tpe(seed, startup=4)
        )
        values, value = first
        self._seen: dict[tuple[tuple[str, Any], ...], float] = {_key(values): value}
        if not math.isnan(value):
            past = optuna.trial.create_trial(
                params=dict(values), distributions=self._distributions, value=value
            )
            self._study.add_trial(past)
        self._last: tuple[Any, ...] | None = None

    def ask(self) -> dict[str, Any] | None:
        """Give a set as none before; None: none was found."""
        for _ in range(REPEATS if self._distributions else 0):
            trial = self._study.ask(self._distributions)
            values = {name: shortened(value) for name, value in trial.params.items()}
            if _key(values) not in self._seen:
                self._last = (trial, values)
                return {**values, **self._given}
            self._answer(trial, self._seen[_key(values)])
        return None

    def tell(self, value: float) -> None:
        """Take the value of the set asked for last."""
        if self._last is None:
            raise RuntimeError("nothing was asked")
        trial, values = self._last
        self._seen[_key(values)] = value
        self._answer(trial, value)

    def _answer(self, trial: Any, value: float) -> None:  # noqa: ANN401 — of Optuna's
        from optuna.trial import TrialState

        if math.isnan(value):
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, value)


def _key(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(values.items()))


class ListedSearch:
    """Sets of parameters that were known from the start, in their order."""

    def __init__(self, sets: Iterable[Mapping[str, Any]]) -> None:
        self._left = iter(tuple(sets))

    def ask(self) -> dict[str, Any] | None:
        """Give the next set; None: it was the last."""
        found = next(self._left, None)
        return None if found is None else dict(found)

    def tell(self, value: float) -> None:
        """Learn nothing from it."""
