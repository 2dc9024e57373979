"""Two versions side by side: how their metrics, settings and contracts differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lightmodel.console.formatting import number
from lightmodel.console.versions.api import MetricValue, VersionDetails, VersionSummary
from lightmodel.contract.task import METRICS

Better = Literal["left", "right", ""]
_DASH = "\N{EN DASH}"
_IGNORED = "categories"  # of a column in a contract: their number is compared


@dataclass(frozen=True)
class MetricRow:
    """A metric of two versions; `better` says which one leads, "" if neither does."""

    title: str
    left: str
    right: str
    better: Better
    decides: bool


@dataclass(frozen=True)
class Difference:
    """Something that two versions do not have in common; `left` or `right` may be a dash."""

    name: str
    left: str
    right: str


def title_of(metric: str) -> str:
    """Return a metric's title."""
    return METRICS[metric].title if metric in METRICS else metric


def value_text(value: MetricValue) -> str:
    """Return a metric with its interval, such as "0.8801 (0.8510 to 0.9072)"."""
    if value.value is None:
        return _DASH
    text = _text(value.value)
    if value.low is None or value.high is None or value.low == value.high:
        return text
    return f"{text} ({_text(value.low)} to {_text(value.high)})"


def _text(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else number(value)


def metric_rows(left: VersionSummary, right: VersionSummary) -> Iterator[MetricRow]:
    """Yield each metric that one of them has: first what decides, then in the usual order."""
    decisive = left.metric or right.metric or ""
    names = {*left.metrics, *right.metrics}
    known = [decisive, *METRICS]
    for name in sorted(names, key=lambda one: known.index(one) if one in known else len(known)):
        one, other = (side.metrics.get(name, MetricValue()) for side in (left, right))
        yield MetricRow(
            title_of(name),
            value_text(one),
            value_text(other),
            _better(name, one.value, other.value),
            name == decisive,
        )


def _better(name: str, left: float | None, right: float | None) -> Better:
    if left is None or right is None or left == right or name not in METRICS:
        return ""
    return "left" if METRICS[name].better(left, right) else "right"


def setting_differences(left: VersionDetails, right: VersionDetails) -> list[Difference]:
    """Return the settings, and parameters of the learner, in which two versions differ."""
    return _differences(_flat(left.settings), _flat(right.settings))


def library_differences(left: VersionDetails, right: VersionDetails) -> list[Difference]:
    """Return the libraries whose versions differ."""
    return _differences(left.libraries, right.libraries)


def contract_differences(left: VersionDetails, right: VersionDetails) -> list[Difference]:
    """Return the columns in which two contracts differ, each in words."""
    return _differences(columns_of(left), columns_of(right))


def _differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(name, _shown(left.get(name)), _shown(right.get(name)))
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by their full names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def columns_of(version: VersionDetails) -> dict[str, str]:
    """Return the columns of a version's contract in words, by name."""
    return {
        str(column["name"]): _column_text(column)
        for column in (version.contract or {}).get("columns", ())
    }


def _column_text(column: Mapping[str, Any]) -> str:
    """Return a column in words, such as "feature, number, may be missing, 18 to 79"."""
    parts = [str(column.get("role", "")), str(column.get("type", ""))]
    if column.get("missing"):
        parts.append("may be missing")
    if "minimum" in column or "maximum" in column:
        parts.append(f"{_shown(column.get('minimum'))} to {_shown(column.get('maximum'))}")
    if column.get(_IGNORED):
        count = len(column[_IGNORED]) + int(column.get("categories_withheld", 0))
        parts.append(f"{count} categories")
    return ", ".join(filter(None, parts))


def _shown(value: object) -> str:
    if value is None:
        return _DASH
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    return str(value) or "empty"
