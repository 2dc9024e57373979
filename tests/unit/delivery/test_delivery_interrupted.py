"""A deployment that waits is ended by a signal, wherever that arrives."""

import io
import os
import signal
from collections.abc import Iterator

import pytest

from lightmodel.delivery.smoke_test import Answer, wait_until_ready
from lightmodel.interruption import defer_signals, raise_if_interrupted


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    defer_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Response(io.RawIOBase):
    """One that is closed when nobody holds it any more, and a signal arrives just then."""

    def close(self) -> None:
        if not self.closed:
            os.kill(os.getpid(), signal.SIGTERM)
        super().close()


@pytest.mark.parametrize("status", [0, 503])
def test_a_signal_ends_the_waiting_wherever_it_arrives(status: int) -> None:
    asked = 0

    def ask(path: str, body: bytes | None) -> Answer:
        nonlocal asked
        asked += 1
        assert (path, body) == ("/ready", None)
        Response()
        return Answer(status, "")

    with pytest.raises(KeyboardInterrupt):
        wait_until_ready(ask, 30)
    assert asked == 1
    raise_if_interrupted()  # it was answered, and a rollback may wait in turn
