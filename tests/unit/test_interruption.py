"""Ctrl-C and SIGTERM: neither is lost, whatever Python does when they arrive."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightmodel.interruption import defer_signals, keep_interrupts, raise_if_interrupted
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Forgotten:
    """Something that nobody holds any more, and Ctrl-C is pressed just then."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_is_not_waited_for(number: signal.Signals) -> None:
    defer_signals()
    os.kill(os.getpid(), number)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    with pytest.raises(KeyboardInterrupt):
        raise_if_interrupted()
    raise_if_interrupted()  # it was answered


def test_ctrl_c_interrupts_as_ever() -> None:
    keep_interrupts()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        raise_if_interrupted()


def test_what_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_interrupts()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.raise_signal(signal.SIGINT)
    raise_if_interrupted()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_is_published_after_a_ctrl_c_that_python_dropped(tmp_path: Path) -> None:
    keep_interrupts()
    models = Store(tmp_path / "model", "model", Signer(None))

    def publish() -> None:
        with models.draft() as draft:
            draft.write("model.joblib", b"payload")
            Forgotten()
            draft.publish(inputs={}, parameters={}, rows={}, fingerprint="inputs=1")

    with pytest.raises(KeyboardInterrupt):
        publish()
    assert list((tmp_path / "model").iterdir()) == []
