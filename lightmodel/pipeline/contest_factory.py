"""From a configuration to a comparison: who takes part, and in which processes."""

from collections.abc import Iterator, Sequence
from functools import partial

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.errors import ConfigError
from lightmodel.pipeline import factory as training
from lightmodel.pipeline.compare import Contest
from lightmodel.pipeline.entries import enter
from lightmodel.progress.silent import SilentProgress
from lightmodel.search.contenders import contenders, is_installed
from lightmodel.search.entries import Contender, Ended
from lightmodel.search.parallel import Failure, Lanes, side_by_side
from lightmodel.store.factory import threads_of
from lightmodel.store.versions import Version


def contest(
    config: Config, split: Version, only: Sequence[str], limit_s: float, *, ensemble: bool
) -> Contest:
    """Choose who takes part in a comparison on a split.

    Args:
        config: as for the chain.
        split: to train on.
        only: names of contenders; all that suit where there are none.
        limit_s: seconds for each.
        ensemble: blend the best as well.

    Raises:
        ConfigError: there is no contender of that name for this task.
    """
    kind = Contract.from_dict(split.manifest.contract or {}).task.kind
    rows = split.manifest.rows["train"]
    every = contenders(kind, rows)
    known = [one.name for one in every]
    if unknown := [name for name in only if name not in known]:
        raise ConfigError(
            f"no contender of a {kind} task is called {', '.join(unknown)}",
            hint=f"known are {', '.join(sorted(known))}",
        )
    chosen = [one for one in every if not only or one.name in only]
    absent = [
        Ended(one, why=why)
        for one in chosen
        if (why := _why_absent(one, rows, named=one.name in only))
    ]
    out = {one.contender.name for one in absent}
    taking_part = tuple(one for one in chosen if one.name not in out)
    return Contest(taking_part, tuple(absent), partial(_race, config, limit_s), ensemble)


def _why_absent(contender: Contender, rows: int, *, named: bool) -> str:
    if not is_installed(contender):
        return f"not installed: pip install -r requirements/{contender.extra}.txt"
    if contender.most_rows and rows > contender.most_rows and not named:
        return (
            f"left out: slow above {contender.most_rows:,} training rows, and here are {rows:,}; "
            f"--only {contender.name} tries it"
        )
    return ""


def _race(
    config: Config, limit_s: float, split: str, taking_part: Sequence[Contender]
) -> Iterator[Ended]:
    """Train contenders side by side, each on a thread of its own where there are enough of them."""
    threads = threads_of(config)
    count = min(threads, len(taking_part))
    lanes = Lanes(count, threads // count, limit_s)
    train = config.train.model_copy(update={"threads": lanes.threads})
    work = partial(_enter, config.model_copy(update={"train": train}), split)
    for contender, answer in side_by_side(work, taking_part, lanes):
        if isinstance(answer, Failure):
            yield Ended(contender, why=answer.why)
        else:
            yield Ended(contender, version=answer)


def _enter(config: Config, split: str, contender: Contender) -> str:
    """Train one contender, in a process of its own."""
    return enter(training.workshop(config, SilentProgress()), split, contender)
