"""Calls of functions on the workers of a real cluster, and what becomes of them when parts of it die."""

import shutil
import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lightmodel.cluster.client import Cluster, close_clusters, open_cluster
from lightmodel.config import DaskSection
from lightmodel.errors import ConfigError, DataError, NotPossible, SourceUnavailable
from tests.fakes.cluster_tasks import add, die, fail, identity, wait_for
from tests.fakes.dask_cluster import ROOT, START_S, DaskCluster, dask_cluster
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.dask
DEADLINE_S = 6.0


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_clusters()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A cluster that no test harms."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[DaskCluster]:
    """A cluster of the test's own."""
    folder = tmp_path / "dask"
    folder.mkdir()
    with dask_cluster(folder) as started:
        yield started


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[tuple[ThreadPoolExecutor, Path, Path]]:
    """Threads for calls, the file that lets `wait_for` end, and the folder where it says who it is."""
    go, seen = tmp_path / "go", tmp_path / "seen"
    seen.mkdir()
    with ThreadPoolExecutor() as pool:
        yield pool, go, seen
        go.touch()


def started(seen: Path) -> bool:
    return any(seen.iterdir())


def test_a_function_returns_from_a_worker(workers: DaskCluster) -> None:
    cluster = open_cluster(workers.section())
    assert cluster.call(add, 40, 2) == 42
    assert open_cluster(workers.section()) is cluster
    with pytest.raises(DataError, match="no rows") as caught:
        cluster.call(fail, "data")
    assert caught.value.hint == "add some"


def test_a_shared_value_is_one_object_in_each_worker(workers: DaskCluster) -> None:
    cluster = open_cluster(workers.section())
    shared = cluster.share(list(range(10_000)))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: cluster.call(identity, shared=shared), range(12)))
    objects = defaultdict(set)
    for process, value in answers:
        objects[process].add(value)
    assert len(objects) == 2
    assert all(len(values) == 1 for values in objects.values())


def test_a_call_is_given_up_when_it_is_stopped(
    workers: DaskCluster, waiting: tuple[ThreadPoolExecutor, Path, Path]
) -> None:
    pool, go, seen = waiting
    cluster, stop = open_cluster(workers.section()), threading.Event()
    called = pool.submit(cluster.call, wait_for, go, seen, stop=stop)
    wait_until(lambda: started(seen), "the task", seconds=START_S)
    stop.set()
    with pytest.raises(CancelledError):
        called.result(START_S)


def test_a_task_whose_worker_is_killed_runs_again(
    mortal: DaskCluster, waiting: tuple[ThreadPoolExecutor, Path, Path]
) -> None:
    pool, go, seen = waiting
    called = pool.submit(open_cluster(mortal.section()).call, wait_for, go, seen)
    wait_until(lambda: started(seen), "the task", seconds=START_S)
    killed = int(next(seen.iterdir()).name)
    psutil.Process(killed).kill()
    wait_until(lambda: len(list(seen.iterdir())) == 2, "the second attempt", seconds=START_S)
    go.touch()
    assert called.result(START_S) not in {killed, None}


def test_a_shared_value_that_all_workers_lost_is_sent_again(mortal: DaskCluster) -> None:
    cluster = open_cluster(mortal.section())
    shared = cluster.share([1, 2, 3])
    first = cluster.call(identity, shared=shared)[0]
    mortal.kill_workers()
    mortal.add_worker()
    assert cluster.call(identity, shared=shared)[0] != first


def test_a_task_that_kills_each_worker_is_given_up(mortal: DaskCluster) -> None:
    cluster = open_cluster(mortal.section())
    with pytest.raises(
        NotPossible, match="died, one after the other, with the same task"
    ) as caught:
        cluster.call(die)
    assert "memory" in caught.value.hint


@pytest.mark.parametrize("what", ["kill_workers", "kill_scheduler", "freeze_scheduler"])
def test_nobody_waits_for_a_cluster_that_is_gone(
    mortal: DaskCluster, waiting: tuple[ThreadPoolExecutor, Path, Path], what: str
) -> None:
    pool, go, seen = waiting
    cluster = Cluster(mortal.section(DEADLINE_S))
    called = pool.submit(cluster.call, wait_for, go, seen)
    wait_until(lambda: started(seen), "the task", seconds=START_S)
    getattr(mortal, what)()
    said = "has no workers" if what == "kill_workers" else "does not answer"
    with pytest.raises(SourceUnavailable, match=f"{mortal.address} {said}, for ") as caught:
        called.result(START_S)
    assert "finished folds are kept" in caught.value.hint
    cluster.close()


def test_a_scheduler_without_workers_is_an_error(tmp_path: Path) -> None:
    with (
        dask_cluster(tmp_path, workers=0) as empty,
        pytest.raises(SourceUnavailable, match="has no workers, for "),
    ):
        open_cluster(empty.section(DEADLINE_S))


@pytest.mark.parametrize("listens", [False, True])
def test_an_address_where_no_scheduler_answers_is_an_error(*, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        section = DaskSection(
            scheduler=f"tcp://127.0.0.1:{port}", engine="dask", timeout_s=DEADLINE_S
        )
        with pytest.raises(SourceUnavailable, match=f"tcp://127.0.0.1:{port} does not answer"):
            open_cluster(section)


def test_a_worker_of_another_commit_is_refused(mortal: DaskCluster, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(ROOT / "lightmodel", other / "lightmodel")
    with (other / "lightmodel" / "errors.py").open("a", encoding="utf-8") as file:
        file.write("# another commit\n")
    cluster = open_cluster(mortal.section())
    mortal.add_worker(other)
    close_clusters()
    with pytest.raises(ConfigError, match=r"has other versions: light-model .* instead of "):
        open_cluster(mortal.section())
    cluster.close()


def test_a_worker_without_this_project_is_refused(mortal: DaskCluster, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "lightmodel"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text('__version__ = "0"\n', encoding="utf-8")
    mortal.add_worker(broken.parent)
    with pytest.raises(ConfigError, match="cannot import this project"):
        open_cluster(mortal.section())
    assert "lightmodel" in sys.modules
