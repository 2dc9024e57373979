"""Store the last reports beside the prediction log, where the service's /metrics finds it."""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from lightmodel.config import Config
from lightmodel.files import write_atomic
from lightmodel.predictions.factory import log_folder
from lightmodel.store.manifest import json_bytes
from lightmodel.watch.drift import DriftReport
from lightmodel.watch.quality import LiveQuality

DRIFT, QUALITY = "drift.json", "quality.json"


def drift_file(config: Config) -> Path:
    """Return the path of the last drift report."""
    return log_folder(config) / DRIFT


def store_drift(config: Config, report: DriftReport) -> None:
    """Store a drift report in place of the last one.

    Raises:
        StorageFull, ConfigError: the folder of the log cannot be written to.
    """
    write_atomic(drift_file(config), json_bytes(report.to_dict()))


def last_drift(config: Config) -> DriftReport | None:
    """Return the last drift report; None if there is none, or it cannot be read."""
    try:
        report = DriftReport.from_dict(json.loads(drift_file(config).read_bytes()))
        return _drift_reports().validate_python(asdict(report))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def quality_file(config: Config) -> Path:
    """Return the path of the last live quality."""
    return log_folder(config) / QUALITY


def store_quality(config: Config, quality: LiveQuality) -> None:
    """Store a live quality in place of the last one.

    Raises:
        StorageFull, ConfigError: the folder of the log cannot be written to.
    """
    write_atomic(quality_file(config), json_bytes(quality.to_dict()))


def last_quality(config: Config) -> LiveQuality | None:
    """Return the last live quality; None if there is none, or it cannot be read."""
    try:
        quality = LiveQuality.from_dict(json.loads(quality_file(config).read_bytes()))
        return _live_qualities().validate_python(asdict(quality))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


@cache
def _drift_reports() -> TypeAdapter[DriftReport]:
    return TypeAdapter(DriftReport)


@cache
def _live_qualities() -> TypeAdapter[LiveQuality]:
    return TypeAdapter(LiveQuality)
