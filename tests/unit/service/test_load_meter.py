"""The load of a process: what it uses of its cores, and for which it has to wait."""

import time
from pathlib import Path

import pytest

from lightmodel.service import load_meter
from lightmodel.service.load_meter import LoadMeter


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return the clocks, which the test sets."""
    clocks = {"time": 100.0, "cpu": 5.0}
    monkeypatch.setattr(time, "monotonic", lambda: clocks["time"])
    monkeypatch.setattr(time, "process_time", lambda: clocks["cpu"])
    return clocks


def scheduled(path: Path, run_s: float, waited_s: float) -> None:
    path.write_text(f"{int(run_s * 1e9)} {int(waited_s * 1e9)} 17\n", encoding="ascii")


def test_it_is_what_is_used_or_waited_for(
    now: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "schedstat"
    monkeypatch.setattr(load_meter, "_SCHEDULED", file)
    meter = LoadMeter(2.0)
    scheduled(file, 1.0, 0.5)
    meter.start()
    now["time"] += 10.0
    now["cpu"] += 8.0
    assert meter.load() == pytest.approx(0.4)
    scheduled(file, 3.0, 4.5)
    assert meter.load() == pytest.approx(0.6)


@pytest.mark.parametrize("content", [None, "", "a b c"])
def test_without_the_kernels_counts_it_is_the_cpu_time(
    now: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "schedstat"
    if content is not None:
        file.write_text(content, encoding="ascii")
    monkeypatch.setattr(load_meter, "_SCHEDULED", file)
    meter = LoadMeter(1.0)
    meter.start()
    now["time"] += 4.0
    now["cpu"] += 3.0
    assert meter.load() == pytest.approx(0.75)


def test_the_kernels_counts_grow_while_a_process_computes() -> None:
    meter = LoadMeter(1.0)
    meter.start()
    sum(range(300_000))
    assert meter.load() > 0
