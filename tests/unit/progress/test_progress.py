"""Progress is shown, and showing it never disturbs the work."""

import contextlib
import io
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from lightmodel.progress import (
    LogProgress,
    Progress,
    SilentProgress,
    format_progress,
    format_seconds,
)
from lightmodel.progress.terminal import TerminalProgress
from tests.fakes.waiting import wait_until


class Screen(io.StringIO):
    """A terminal that keeps the text written to it."""

    def isatty(self) -> bool:
        return True


class ClosedWindow(Screen):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        del text
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def closed_screen() -> Screen:
    screen = Screen()
    screen.close()
    return screen


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def ticking(step: float) -> Callable[[], float]:
    times = iter(range(1_000_000))
    return lambda: next(times) * step


KINDS: dict[str, Callable[[], Progress]] = {
    "silent": SilentProgress,
    "log": LogProgress,
    "terminal": lambda: TerminalProgress(Screen()),
    "closed window": lambda: TerminalProgress(ClosedWindow()),
    "closed stream": lambda: TerminalProgress(closed_screen()),
    "not a terminal": lambda: TerminalProgress(io.StringIO()),
}


def run_nested_tasks(progress: Progress) -> None:
    """Run a task that advances beyond its total, one without a total, and one with nothing to do."""
    with (
        progress.task("Fetching [red]x[/red]", 10, "bytes") as outer,
        progress.task("Folds") as inner,
    ):
        outer(5)
        outer(50)
        inner(1)
    with progress.task("", 0, "bytes"), progress.task("again", 3, "folds"):
        pass


@pytest.fixture(params=KINDS)
def progress(request: pytest.FixtureRequest) -> Progress:
    return KINDS[request.param]()


@pytest.mark.parametrize("stream", [Screen, io.StringIO])
def test_nested_tasks_and_wrong_totals_are_drawn(stream: type[io.StringIO]) -> None:
    with stream() as screen:
        run_nested_tasks(TerminalProgress(screen))
        text = screen.getvalue()
    last = [
        text.rindex(part) for part in ("Fetching [red]x[/red]", "Folds", "0 bytes of 0", "again")
    ]
    assert last == sorted(last)
    assert "55 bytes of 10 bytes" in text
    assert "(550 %)" in text
    assert "0 of 3 folds (0 %)" in text


def test_nested_tasks_and_wrong_totals_are_logged(log: pytest.LogCaptureFixture) -> None:
    run_nested_tasks(LogProgress(clock=ticking(5)))
    assert log.messages == [
        "Fetching [red]x[/red]: started, 0 bytes of 10 bytes (0 %)",
        "Folds: started",
        "Folds: done, 1 after 5.0 s",
        "Fetching [red]x[/red]: done, 55 bytes of 10 bytes (550 %) after 15.0 s",
        ": started",
        "again: started, 0 of 3 folds (0 %)",
        "again: done, 0 of 3 folds (0 %) after 5.0 s",
        ": done, 0 bytes of 0 bytes after 15.0 s",
    ]


@pytest.mark.parametrize("kind", ["silent", "closed window", "closed stream"])
def test_nested_tasks_that_cannot_be_shown_print_nothing(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run_nested_tasks(KINDS[kind]())
    assert capfd.readouterr() == ("", "")


def test_every_kind_lets_an_error_propagate(progress: Progress) -> None:
    with pytest.raises(ZeroDivisionError), progress.task("Dividing", 2):
        raise ZeroDivisionError


def test_every_kind_is_thread_safe(progress: Progress) -> None:
    finished: list[int] = []

    def work() -> None:
        for number in range(5):
            with progress.task("part", 5) as part:
                part(1)
            whole(1)
            finished.append(number)

    with progress.task("whole", 80) as whole:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(finished) == 20


def test_the_start_and_the_end_are_logged(log: pytest.LogCaptureFixture) -> None:
    with LogProgress(clock=ticking(100)).task("Fetching t.csv", 2_500_000, "bytes") as steps:
        steps(2_500_000)
    assert log.messages == [
        "Fetching t.csv: started, 0 bytes of 2.5 MB (0 %)",
        "Fetching t.csv: done, 2.5 MB of 2.5 MB (100 %) after 1 min 40 s",
    ]


def test_the_amount_done_when_work_stops_is_logged(log: pytest.LogCaptureFixture) -> None:
    with (
        contextlib.suppress(KeyboardInterrupt),
        LogProgress(clock=ticking(5)).task("Fitting", 10, "folds") as steps,
    ):
        steps(3)
        raise KeyboardInterrupt
    assert log.messages[-1] == "Fitting: stopped at 3 of 10 folds (30 %) after 5.0 s"


def test_work_that_hangs_is_logged(log: pytest.LogCaptureFixture) -> None:
    with LogProgress(interval_s=0.01).task("Fitting", 10, "folds") as steps:
        steps(1)
        line = "1 of 10 folds (10 %)"
        wait_until(lambda: sum(line in message for message in log.messages) >= 2, "two lines")
    assert any("done" in line for line in log.messages)


def test_nothing_is_logged_after_the_end(log: pytest.LogCaptureFixture) -> None:
    with LogProgress(interval_s=0.001).task("Fitting"):
        pass
    assert log.messages[-1].startswith("Fitting: done")
    assert not [thread for thread in threading.enumerate() if "Fitting" in thread.name]


@pytest.fixture
def screen() -> Iterator[Screen]:
    with Screen() as screen:
        yield screen


def test_the_terminal_shows_a_bar_with_amounts(screen: Screen) -> None:
    with TerminalProgress(screen).task("Fetching t.csv", 2_500_000, "bytes") as steps:
        steps(1_000_000)
    assert "Fetching t.csv" in screen.getvalue()
    assert "1.0 MB of 2.5 MB (40 %)" in screen.getvalue()


def test_the_title_beside_the_bar_is_not_read_as_markup(screen: Screen) -> None:
    with TerminalProgress(screen).task("Fetching [bold]odd[/bold].csv"):
        pass
    assert "[bold]odd[/bold].csv" in screen.getvalue()


@pytest.mark.parametrize(
    ("done", "total", "unit", "shown"),
    [
        (12_300_000, 308_600_000, "bytes", "12.3 MB of 308.6 MB (4 %)"),
        (999, None, "bytes", "999 bytes"),
        (1000, None, "bytes", "1.0 kB"),
        (5 * 10**15, None, "bytes", "5000.0 TB"),
        (7, 10, "folds", "7 of 10 folds (70 %)"),
        (1234, None, "rows", "1,234 rows"),
        (0, 0, "", "0 of 0"),
    ],
)
def test_amounts_are_formatted(done: int, total: int | None, unit: str, shown: str) -> None:
    assert format_progress(done, total, unit) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(4.21, "4.2 s"), (200.0, "3 min 20 s")])
def test_seconds_are_formatted(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown
