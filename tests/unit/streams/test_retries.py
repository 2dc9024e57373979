"""Requests keep a service's limits, and only what was refused is sent again."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.streams.base import Message
from lightmodel.streams.retries import Limits, requests_of, send_with_retries

LIMITS = Limits(messages=3, bytes=100, message_bytes=60)


@given(st.lists(st.integers(0, 58), max_size=30))
def test_requests_hold_all_messages_in_order_within_the_limits(sizes: list[int]) -> None:
    messages = [Message(b"x" * size, "k") for size in sizes]
    requests = list(requests_of(messages, LIMITS))
    assert [at for places in requests for at in places] == list(range(len(messages)))
    for places in requests:
        assert 0 < len(places) <= 3
        assert sum(messages[at].size for at in places) <= 100


class Service:
    """Refuses messages as often as it is told."""

    def __init__(self, refusals: dict[bytes, int]) -> None:
        self.refusals = refusals
        self.requests: list[list[bytes]] = []

    def send(self, messages: Sequence[Message]) -> list[int]:
        self.requests.append([one.data for one in messages])
        refused = [at for at, one in enumerate(messages) if self.refusals.get(one.data, 0) > 0]
        for at in refused:
            self.refusals[messages[at].data] -= 1
        return refused


MESSAGES = [Message(name.encode(), "k") for name in "abcdefg"]


def test_only_the_failed_part_is_sent_again() -> None:
    service, pauses = Service({b"b": 1, b"c": 2}), list[float]()
    left = send_with_retries(MESSAGES, LIMITS, service.send, 5, pauses.append)
    assert left == []
    assert service.requests == [
        *([b"a", b"b", b"c"], [b"b", b"c"], [b"c"]),
        *([b"d", b"e", b"f"], [b"g"]),
    ]
    assert [0.05 <= pauses[0] <= 0.1, 0.1 <= pauses[1] <= 0.2] == [True, True]


@pytest.mark.parametrize("retries", [0, 2])
def test_after_a_request_that_failed_no_later_one_is_sent(retries: int) -> None:
    service = Service({b"e": 99})
    left = send_with_retries(MESSAGES, LIMITS, service.send, retries, lambda _: None)
    assert left == [4, 6]
    assert service.requests == [
        *([b"a", b"b", b"c"], [b"d", b"e", b"f"]),
        *[[b"e"]] * retries,
    ]
