"""Faults under steady load: no answer is wrong, and no request fails needlessly."""

import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from lightmodel.config import ServeSection
from tests.fakes.postgres import postgres
from tests.fakes.project import Project
from tests.fakes.publishing import published_again
from tests.fakes.server import log_of, master_of, serving_untraced
from tests.fakes.tracing import tracing_paused
from tests.fakes.waiting import wait_until
from tests.serve.test_forms import ROWS, as_csv
from tests.serve.test_hostile_bodies import RUBBISH
from tests.serve.test_operations import counted

BODY = as_csv(ROWS)
CLIENTS = 4
TWO_WORKERS = {"LIGHTMODEL__SERVE__WORKERS": "2"}
MEMORY_FACTOR = 4  # of serve.max_buffered_mb, for the requests of a worker


@dataclass
class Load:
    """Clients that send requests without a pause, and the answers that they got.

    Attributes:
        answers: version → the number of times that it gave each answer.
        statuses: the number of answers by HTTP status.
        broken: the number of requests without an answer.
    """

    address: str
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_requests(self) -> None:
        with tracing_paused():
            self._send_requests()

    def _send_requests(self) -> None:
        session = requests.Session()
        while not self._stopped.is_set():
            try:
                answer = session.post(
                    f"{self.address}/predict",
                    data=BODY,
                    headers={"Content-Type": "text/csv"},
                    timeout=30,
                )
            except requests.RequestException:
                with self._lock:
                    self.broken += 1
                session = requests.Session()
                time.sleep(0.02)
                continue
            with self._lock:
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    version = answer.headers["X-Model-Version"]
                    self.answers.setdefault(version, Counter())[answer.text] += 1

    def wait_for_answers(self, number: int) -> None:
        """Return after so many more answers, or once the clients are stopped."""
        before = self.statuses.total()
        wait_until(
            lambda: self._stopped.is_set() or self.statuses.total() >= before + number,
            f"{number} more answers",
        )

    def stop(self) -> None:
        self._stopped.set()


@contextmanager
def load_on(address: str) -> Iterator[Load]:
    load = Load(address)
    clients = [threading.Thread(target=load.send_requests, daemon=True) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        load.wait_for_answers(10 * CLIENTS)
        yield load
        load.wait_for_answers(10 * CLIENTS)
    finally:
        load.stop()
        for client in clients:
            client.join(timeout=60)
    print(f"{dict(load.statuses)}, {load.broken} broken, {len(load.answers)} versions")


@dataclass(frozen=True)
class TwoModels:
    """A folder with two models that answer differently."""

    project: Project
    names: tuple[str, str]

    def assert_correct(self, load: Load, sources: dict[str, str]) -> None:
        """Assert that all answers of the versions published from one model are equal, bit for bit."""
        by_source: dict[str, set[str]] = {}
        for version, texts in load.answers.items():
            by_source.setdefault(sources[version], set()).update(texts)
        assert all(len(texts) == 1 for texts in by_source.values()), "an answer is mixed or wrong"
        every = [text for texts in by_source.values() for text in texts]
        assert len(set(every)) == len(every)


@pytest.fixture(scope="module")
def project_of_two(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with two approved models; not to be changed."""
    project = Project(tmp_path_factory.mktemp("two") / "shop")
    shutil.copytree(trained_shop.folder, project.folder)
    assert project.run("--set", "train.seed=5", "--set", "train.final=ensemble").code == 0
    return project


@pytest.fixture
def two_models(project_of_two: Project, tmp_path: Path) -> TwoModels:
    shutil.copytree(project_of_two.folder, tmp_path, dirs_exist_ok=True)
    first, second = project_of_two.models()
    return TwoModels(Project(tmp_path), (first.name, second.name))


def test_models_are_swapped_without_a_failed_or_mixed_answer(two_models: TwoModels) -> None:
    made_of = {name: name for name in two_models.names}
    settings = {**TWO_WORKERS, "LIGHTMODEL__SERVE__RELOAD_INTERVAL_S": "0.5"}
    with serving_untraced(two_models.project, **settings) as address, load_on(address) as load:
        for number in range(10):
            source = two_models.names[number % 2]
            version = published_again(two_models.project.folder, source)
            made_of[version] = source
            wait_until(partial(load.answers.__contains__, version), "an answer of the new model")
    assert set(load.statuses) == {200}
    assert load.broken == 0
    assert len(load.answers) >= 10
    two_models.assert_correct(load, made_of)


def test_a_damaged_version_is_refused_once_and_the_old_one_is_still_served(
    two_models: TwoModels,
) -> None:
    folder = two_models.project.folder
    before = two_models.names[1]
    with (
        serving_untraced(two_models.project, **TWO_WORKERS) as address,
        load_on(address) as load,
    ):
        unapproved = published_again(folder, two_models.names[0], approved=False)
        damaged = published_again(folder, two_models.names[0], approved=False)
        model = folder / "model" / damaged / "model.joblib"
        model.write_bytes(model.read_bytes()[:-1] + b"?")
        verdict = folder / "model" / two_models.names[0] / "verdict.json"
        (folder / "model" / damaged / "verdict.json").write_bytes(verdict.read_bytes())
        log = log_of(two_models.project, address)
        wait_until(lambda: damaged in log.read_text(), "the refusal of the damaged version")
        time.sleep(3)  # the store is read several times more, and nothing must be logged again
    assert set(load.statuses) == {200}
    assert set(load.answers) == {before}
    assert unapproved not in load.answers
    warnings = [
        line for line in log.read_text().splitlines() if damaged in line and "access" not in line
    ]
    assert 1 <= len(warnings) <= 2, warnings  # once by each worker


def kill_a_worker(master: psutil.Process) -> None:
    """Kill one of two workers, and return once another one replaces it."""
    worker = master.children()[0]
    worker.kill()
    wait_until(
        lambda: worker not in master.children() and len(master.children()) == 2,
        "the killed worker's replacement",
    )


def test_a_killed_worker_loses_only_the_requests_that_it_was_answering(
    two_models: TwoModels,
) -> None:
    with (
        serving_untraced(two_models.project, **TWO_WORKERS) as address,
        load_on(address) as load,
    ):
        for _ in range(3):
            kill_a_worker(master_of(address))
            load.wait_for_answers(25 * CLIENTS)
    assert set(load.statuses) == {200}
    assert load.broken <= 3 * CLIENTS
    assert load.statuses[200] > 50
    two_models.assert_correct(load, {name: name for name in two_models.names})


def test_a_killed_workers_model_is_not_shown_as_served(two_models: TwoModels) -> None:
    old = two_models.names[1]
    is_shown = ("lightmodel_model_info", f"version={old}")
    limits = {"LIGHTMODEL__SERVE__WORKERS": "1", "LIGHTMODEL__SERVE__RELOAD_INTERVAL_S": "3600"}
    with serving_untraced(two_models.project, **limits) as address:
        wait_until(lambda: counted(address).get(is_shown) == 1, "the first model")
        new = published_again(two_models.project.folder, old)
        master_of(address).children()[0].kill()
        shown = ("lightmodel_model_info", f"version={new}")
        wait_until(lambda: _metrics(address).get(shown) == 1, "the new worker's model")
        assert is_shown not in counted(address)


def _metrics(address: str) -> dict[tuple[str, str], float]:
    try:
        return counted(address)
    except requests.RequestException:  # no worker is there yet
        return {}


def resident_mb(address: str) -> float:
    """Return the resident memory of a server's workers in megabytes."""
    return sum(worker.memory_info().rss for worker in master_of(address).children()) / 1e6


def test_two_hundred_hostile_bodies_affect_no_other_request(two_models: TwoModels) -> None:
    hostile = random.Random(0).choices(sorted(RUBBISH), k=200)
    with serving_untraced(two_models.project, **TWO_WORKERS) as address, load_on(address) as load:
        statuses: Counter[int] = Counter()
        idle = peak = resident_mb(address)
        for name in hostile:
            answer = requests.post(
                f"{address}/predict", data=RUBBISH[name], headers={"Content-Type": ""}, timeout=30
            )
            statuses[answer.status_code] += 1
            peak = max(peak, resident_mb(address))
    answered = sum(load.statuses.values())
    print(
        f"{sum(statuses.values())} hostile bodies {dict(statuses)}, peak {peak:.0f} MB, idle {idle:.0f};"
    )
    print(f"{answered} answers beside them {dict(load.statuses)}, {load.broken} broken")
    assert all(400 <= status < 500 for status in statuses), statuses
    assert peak < idle + MEMORY_FACTOR * ServeSection().max_buffered_mb
    assert sum(statuses.values()) == 200
    assert set(load.statuses) == {200}
    assert load.broken == 0
    two_models.assert_correct(load, {name: name for name in two_models.names})


def test_every_answer_while_stopping_under_load_is_correct(two_models: TwoModels) -> None:
    with (
        serving_untraced(two_models.project, **TWO_WORKERS) as address,
        load_on(address) as load,
    ):
        master = master_of(address)
        master.send_signal(signal.SIGTERM)
        master.wait(timeout=60)
        load.stop()
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 10
    two_models.assert_correct(load, {name: name for name in two_models.names})


@pytest.mark.postgres
def test_every_row_is_logged_though_the_database_restarts(two_models: TwoModels) -> None:
    import psycopg

    with postgres() as cluster:
        settings = {"LIGHTMODEL__LOG__SINK": "postgres", "LIGHTMODEL__LOG__URL": cluster.url}
        with serving_untraced(two_models.project, **settings) as address:
            with load_on(address) as load:
                cluster.stop()
                load.wait_for_answers(75 * CLIENTS)
                cluster.start()
            expected = load.statuses[200] * len(ROWS)
            wait_until(lambda: rows_in(psycopg, cluster.url) == expected, "the last logged row")
    assert set(load.statuses) == {200}
    assert load.broken == 0


def rows_in(psycopg: Any, url: str) -> int:
    with psycopg.connect(url) as connection:
        try:
            row = connection.execute("SELECT count(*) FROM predictions").fetchone()
        except psycopg.errors.UndefinedTable:  # stopped before the first row
            return 0
    return int(row[0])
