"""The numbers of connections that workers share."""

import os
from pathlib import Path

import pytest

from lightmodel.service.connection_counts import ConnectionCounts, forget


def test_a_worker_sees_the_fewest_connections_of_the_others(tmp_path: Path) -> None:
    one, two, three = (ConnectionCounts(str(tmp_path)) for _ in range(3))
    one.add(5)
    two.add(3)
    three.add(4)
    assert [counts.fewest_of_others() for counts in (one, two, three)] == [3, 4, 3]
    two.add(-3)
    assert one.fewest_of_others() == 0
    assert one.own == 5


@pytest.mark.parametrize(
    ("held", "waiting", "shares"),
    [
        ([0, 0], 1, [1, 1]),  # whoever is first
        ([0, 0], 64, [32, 32]),
        ([4, 0], 3, [0, 3]),
        ([4, 0], 6, [1, 5]),
        ([0, 2, 9], 5, [4, 2, 0]),
        ([1], 7, [7]),
    ],
)
def test_waiting_connections_go_to_the_workers_that_hold_the_fewest(
    tmp_path: Path, held: list[int], waiting: int, shares: list[int]
) -> None:
    workers = [ConnectionCounts(str(tmp_path)) for _ in held]
    for counts, number in zip(workers, held, strict=True):
        counts.add(number)
    assert [counts.fair_share(waiting) for counts in workers] == shares


def test_a_worker_that_stops_accepting_counts_no_more(tmp_path: Path) -> None:
    one, two = (ConnectionCounts(str(tmp_path)) for _ in range(2))
    one.add(2)
    two.leave()
    two.add(1)  # of a connection that waited
    assert one.fewest_of_others() == 2  # its own: there is no other worker


def test_a_dead_workers_place_is_free_again(tmp_path: Path) -> None:
    for _ in range(300):  # more than there are places
        ConnectionCounts(str(tmp_path)).add(1)
        forget(str(tmp_path), os.getpid())
    assert ConnectionCounts(str(tmp_path)).fewest_of_others() == 0


def test_without_a_folder_there_is_no_other_worker() -> None:
    counts = ConnectionCounts("")
    counts.add(7)
    assert counts.fewest_of_others() == 7
