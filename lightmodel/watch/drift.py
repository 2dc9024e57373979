"""Measure the drift of what a model in service is asked and answers from what it saw in training.

Each column gets up to three tests: of its values (Kolmogorov-Smirnov for numbers, Pearson's for
categories), of its share of missing values, and of its share of values that training never saw. A column
has drifted if a test is significant among all of them (Holm) and its effect exceeds `watch.max_drift`.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lightmodel.config import Config, WatchSection
from lightmodel.contract.columns import Contract
from lightmodel.errors import ArtefactMissing
from lightmodel.predictions.factory import open_sink
from lightmodel.store.canary import served_versions
from lightmodel.store.versions import Version, models_of
from lightmodel.training.reference import REFERENCE, Reference
from lightmodel.watch.column_tests import ColumnDrift, column_tests, judged
from lightmodel.watch.times import Time
from lightmodel.watch.window import Window, read_window

Verdict = Literal["stable", "drift", "none"]


@dataclass(frozen=True)
class DriftReport:
    """What a model version was asked and answered lately, against its training.

    Attributes:
        version: of the model.
        created: when it was measured, in ISO format.
        verdict: "drift", "stable", or "none" where there are too few rows.
        reason: the verdict in a sentence.
        rows: number of rows that the version answered in the window.
        compared: number of rows that were compared: all, or one in so many.
        with_features: number of those whose features are logged.
        since: time of the first compared row; "" if there is none.
        until: time of the last one.
        tests: of all columns, those that drifted first, and then by effect; empty without a verdict.
        notes: sentences on what could not be compared.
        alpha: the probability of a false alarm, `watch.alpha`.
        max_drift: the limit of the effect, `watch.max_drift`.
    """

    version: str
    created: Time
    verdict: Verdict
    reason: str
    rows: int
    compared: int
    with_features: int
    since: str
    until: str
    tests: tuple[ColumnDrift, ...]
    notes: tuple[str, ...]
    alpha: float
    max_drift: float

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the columns that drifted, the farthest first, each once."""
        return tuple(dict.fromkeys(test.column for test in self.tests if test.drifted))

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {**asdict(self), "drifted": list(self.drifted)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "DriftReport":
        """Return the report of a dict that `to_dict` made.

        Raises:
            KeyError, TypeError: it is no such dict.
        """
        fields = {name: content[name] for name in cls.__dataclass_fields__}
        fields["tests"] = tuple(ColumnDrift(**test) for test in fields["tests"])
        fields["notes"] = tuple(fields["notes"])
        return cls(**fields)


@dataclass(frozen=True)
class Measured:
    """A report with what it was measured on, for its page."""

    report: DriftReport
    reference: Reference
    window: Window


def measure_drift(config: Config, version: str = "", now: datetime | None = None) -> Measured:
    """Compare the prediction log's recent window with the training of a model version.

    Args:
        config: the settings; `watch` sets window, limits and minimum.
        version: its name or a unique beginning of it; "" for the served one.
        now: the end of the window; None for the current time.

    Raises:
        ArtefactMissing: there is no such model, or it has no training reference.
        ArtefactCorrupt: its training reference is damaged.
        ConfigError: the prediction log is off.
        LightModelError: the log cannot be used (see `Sink`).
    """
    now = now or datetime.now(UTC)
    models = models_of(config)
    share = config.serve.canary
    model = models.get(version) if version else served_versions(models, share).stable
    reference = reference_of(model)
    contract = Contract.from_dict(model.manifest.contract or {})
    section = config.watch
    since = now - timedelta(days=section.window_days)
    with closing(open_sink(config)) as sink:
        window = read_window(sink, model.name, contract, since, section.max_rows)
        others = {name: rows for name, rows in sink.answered().items() if name != model.name}
    report = compare(reference, window, section)
    reason = report.reason
    if not window.rows and others:
        reason += f"; the log holds {sum(others.values()):,} rows of {len(others)} other versions"
    return Measured(
        replace(
            report, version=model.name, reason=reason, created=now.isoformat(timespec="seconds")
        ),
        reference,
        window,
    )


def reference_of(version: Version) -> Reference:
    """Return the training reference of a model version.

    Raises:
        ArtefactMissing: an earlier release trained the model, and stored none.
        ArtefactCorrupt: it is damaged.
    """
    if REFERENCE not in version.manifest.files:
        raise ArtefactMissing(
            f"{version.name} has no training reference ({REFERENCE})",
            hint="train again: `python run.py --force` stores one with the model",
        )
    return Reference.from_bytes(version.read(REFERENCE), f"{version.name}/{REFERENCE}")


def compare(reference: Reference, window: Window, section: WatchSection) -> DriftReport:
    """Compare a window with a reference; the report has no version yet."""
    with_features = next((column.rows for column in window.features.values()), 0)
    report = DriftReport(
        "", "", "none", "", window.rows, window.compared, with_features, window.since, window.until,
        (), (), section.alpha, section.max_drift,
    )  # fmt: skip
    if window.compared < section.min_rows:
        reason = (
            f"no verdict: {window.compared:,} rows in the last {section.window_days:g} days, and "
            f"watch.min_rows is {section.min_rows:,}"
        )
        return replace(report, reason=reason)
    enough = with_features >= section.min_rows
    found = [*column_tests(reference.scores, window.scores, is_score=True)]
    if enough:
        found += column_tests(reference.features, window.features, is_score=False)
    tests = judged(found, section)
    drifted = tuple(dict.fromkeys(test.column for test in tests if test.drifted))
    return replace(
        report,
        verdict="drift" if drifted else "stable",
        reason=_reason(drifted, {(test.is_score, test.column) for test in tests}),
        tests=tests,
        notes=tuple(_notes(reference, with_features, section, enough=enough)),
    )


def _reason(drifted: tuple[str, ...], columns: set[tuple[bool, str]]) -> str:
    if not drifted:
        return f"none of {len(columns)} columns has drifted"
    names = ", ".join(drifted[:5])
    more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
    verb = "has" if len(drifted) == 1 else "have"
    return f"{len(drifted)} of {len(columns)} columns {verb} drifted: {names}{more}"


def _notes(
    reference: Reference, with_features: int, section: WatchSection, *, enough: bool
) -> Iterator[str]:
    """Yield what was not compared, and why."""
    if not with_features:
        yield "only scores are compared: no features are logged (log.features = true logs them)"
        return
    if not enough:
        yield (
            f"only scores are compared: {with_features:,} rows have features, and watch.min_rows is "
            f"{section.min_rows:,}"
        )
        return
    private = [
        name
        for name, column in reference.features.items()
        if column.numbers is None and column.counts is None
    ]
    if private:
        yield (
            f"of {len(private)} columns only the shares of missing and unseen values are compared, "
            f"because their categories are not published: {', '.join(private[:5])}"
            + (", …" if len(private) > 5 else "")
        )
