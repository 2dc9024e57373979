"""Writing in requests of limited size, and again what was not taken."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lightmodel.streams.base import Message

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


@dataclass(frozen=True)
class Limits:
    """What one request to a service may hold at most."""

    messages: int
    bytes: int
    message_bytes: int


def requests_of(messages: Sequence[Message], limits: Limits) -> Iterator[list[int]]:
    """Yield the places of the messages of each request, in order."""
    places, size = list[int](), 0
    for at, message in enumerate(messages):
        if places and (len(places) == limits.messages or size + message.size > limits.bytes):
            yield places
            places, size = [], 0
        places.append(at)
        size += message.size
    if places:
        yield places


def pause_before(retry: int) -> float:
    """Return the seconds to wait before a try, the first retry being 1: longer each time, by chance."""
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (retry - 1))
    return longest * random.uniform(0.5, 1)  # noqa: S311 — it spreads requests, and guards nothing


def send_with_retries(
    messages: Sequence[Message],
    limits: Limits,
    send: Callable[[Sequence[Message]], Sequence[int]],
    retries: int,
    sleep: Callable[[float], None] = time.sleep,
) -> list[int]:
    """Send messages in requests, one after the other; return the places of those that were never taken.

    After a request of which something was left, no later one is sent: the order is kept.

    Args:
        messages: in their order.
        limits: of one request.
        send: sends one request, and returns the places of those of its messages that were not taken.
        retries: further tries of a request.
        sleep: waits; tests replace it.
    """
    left: list[int] = []
    for places in requests_of(messages, limits):
        waiting = places
        for retry in range(retries + 1):
            if left:
                break
            if retry:
                sleep(pause_before(retry))
            refused = send([messages[at] for at in waiting])
            waiting = [waiting[at] for at in refused]
            if not waiting:
                break
        left += waiting
    return left
