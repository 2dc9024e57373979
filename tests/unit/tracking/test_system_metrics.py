"""The machine's load is sampled during a run, where that is switched on."""

import sys
from itertools import count

import numpy as np
import pytest

from lightmodel.config import TrackingSection
from lightmodel.errors import ConfigError
from lightmodel.tracking.system_metrics import system_metrics
from tests.fakes.waiting import wait_until

ON = TrackingSection(uri="auto", system_metrics=True)


@pytest.mark.parametrize(
    "tracking", [TrackingSection(uri="auto"), TrackingSection(uri="none", system_metrics=True)]
)
def test_nothing_is_sampled_unless_it_is_switched_on_and_tracked(tracking: TrackingSection) -> None:
    with system_metrics(tracking) as curves:
        assert curves() == {}


def test_it_samples_at_once_periodically_and_when_asked() -> None:
    name = "system/disk_usage_percentage"
    asked = count(start=2)
    with system_metrics(ON, interval_s=0.01) as curves:
        assert len(curves()[name]) >= 2
        wait_until(lambda: len(curves()[name]) > next(asked) + 10, "samples that nobody asked for")
        moments = [moment for moment, _ in curves()[name]]
    assert moments == sorted(moments)


def test_how_busy_the_processors_are_is_measured_over_some_time() -> None:
    name = "system/cpu_utilization_percentage"
    with system_metrics(ON, interval_s=0.001) as curves:
        wait_until(lambda: len(curves().get(name, ())) > 2, "samples of the processors")
        moments = [moment for moment, _ in curves()[name]]
    assert min(np.diff(moments)) > 0.05


def test_without_psutil_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ConfigError, match="psutil, which is not installed"):
        system_metrics(ON)
