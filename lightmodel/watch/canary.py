"""Decide on a canary: withdraw it, promote it, or wait for more rows."""

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from lightmodel.config import Config
from lightmodel.contract.results import Interval
from lightmodel.contract.task import METRICS
from lightmodel.notify.events import Event, Notify, Promoted, RolledBack
from lightmodel.predictions.factory import open_sink
from lightmodel.store import admin
from lightmodel.store.canary import fails_too_often, served_versions
from lightmodel.store.lock import run_lock
from lightmodel.store.versions import models_of
from lightmodel.watch.quality import LiveQuality, VersionQuality
from lightmodel.watch.verdicts import publish_verdict

logger = logging.getLogger(__name__)

_PATIENCE_S = 10.0  # for a run that holds the store


@dataclass(frozen=True)
class CanaryDecision:
    """What is done with a canary, and why.

    Attributes:
        canary: its version.
        stable: the version that answers the other ids.
        action: "withdraw", "promote" or "wait".
        reason: a sentence without its full stop.
    """

    canary: str
    stable: str
    action: Literal["withdraw", "promote", "wait"]
    reason: str

    def event(self) -> Event | None:
        """Return what receivers are notified of; None while it waits."""
        if self.action == "promote":
            return Promoted(self.canary, self.reason)
        if self.action == "withdraw":
            return RolledBack(self.canary, f"{self.reason}. {self.stable} answers all requests.")
        return None


def settle(config: Config, quality: LiveQuality, notify: Notify) -> CanaryDecision | None:
    """Withdraw or promote the canary if the live quality decides it; return None without a canary.

    Raises:
        LightModelError: see `decide` and `carry_out`.
    """
    decision = decide(config, quality)
    if decision and (event := decision.event()):
        carry_out(config, decision)
        logger.warning("canary %s: %s: %s", decision.canary, decision.action, decision.reason)
        publish_verdict(config, event, notify)
    return decision


def decide(config: Config, quality: LiveQuality) -> CanaryDecision | None:
    """Return what is to be done with the canary by the live quality; None if there is no canary.

    Raises:
        LightModelError: the store or the log cannot be read.
    """
    served = served_versions(models_of(config), config.serve.canary)
    if served.canary is None:
        return None
    canary, stable = served.canary.name, served.stable.name
    known = {version.version: version for version in quality.versions}
    with closing(open_sink(config)) as sink:
        failed = sink.failures(canary)
    rows = known[canary].rows if canary in known else 0
    if fails_too_often(failed, rows + failed):
        reason = f"it could not score {failed:,} of {rows + failed:,} rows"
        return CanaryDecision(canary, stable, "withdraw", reason)
    if behind := _behind(known.get(canary), known.get(stable), config.watch.min_labels):
        return CanaryDecision(canary, stable, "withdraw", behind)
    least = config.serve.canary_rows
    if rows < least:
        reason = f"it has answered {rows:,} rows, and serve.canary_rows is {least:,}"
        return CanaryDecision(canary, stable, "wait", reason)
    reason = f"it has answered {rows:,} rows without falling behind"
    return CanaryDecision(canary, stable, "promote", reason)


def _behind(canary: VersionQuality | None, stable: VersionQuality | None, least: int) -> str:
    """Return how far the canary's labelled rows are surely behind; "" if they are not, or too few."""
    if canary is None or stable is None or canary.metric != stable.metric:
        return ""
    if min(canary.recent_rows, stable.recent_rows) < least:
        return ""
    if canary.recent is None or stable.recent is None:
        return ""
    metric = METRICS[canary.metric]
    best = canary.recent.high if metric.higher_is_better else canary.recent.low
    worst = stable.recent.low if metric.higher_is_better else stable.recent.high
    if not metric.better(worst, best):
        return ""
    return (
        f"its {metric.title} is {_text(canary.recent)} on {canary.recent_rows:,} labelled rows, that of "
        f"{stable.version} {_text(stable.recent)} on {stable.recent_rows:,}"
    )


def _text(value: Interval) -> str:
    return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"


def carry_out(config: Config, decision: CanaryDecision) -> None:
    """Write a decision into the canary's verdict, at once or not at all.

    Raises:
        AlreadyRunning: another run holds the store.
        ArtefactMissing: somebody has withdrawn the canary meanwhile.
        ConfigError, StorageFull: the store cannot be written to.
    """
    models = models_of(config)
    with run_lock(config.store.root, _PATIENCE_S):
        if decision.action == "withdraw":
            admin.rollback(
                models, decision.canary, reason=f"withdrawn as a canary: {decision.reason}"
            )
        elif decision.action == "promote":
            admin.promote_version(models, decision.canary)
