"""The prediction log of a server with two workers."""

import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import requests

from tests.fakes.project import Project
from tests.fakes.server import master_of, post, serving
from tests.fakes.waiting import wait_until

REQUESTS = 40


def logged(project: Project) -> list[tuple[str, int, str, float]]:
    path = project.folder / "var" / "log" / "predictions.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT id, row, prediction ->> '$', probability ->> '$' FROM predictions"
        ).fetchall()


def wait_for_rows(project: Project, rows: int) -> None:
    def all_logged() -> bool:
        try:
            return len(logged(project)) == rows
        except sqlite3.OperationalError:  # no table yet
            return False

    wait_until(all_logged, f"{rows} logged rows")


def test_every_answered_row_is_logged_once_even_if_the_server_stops_right_after(
    approved: Project,
) -> None:
    body = (approved.splits()[0] / "test.csv").read_bytes()
    with serving(approved, GUNICORN_CMD_ARGS="--workers=2") as address:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: post(address, body).json(), range(REQUESTS)))
        feedback = requests.post(
            f"{address}/feedback",
            data=(approved.folder / "shop.csv").read_bytes(),
            headers={"Content-Type": "text/csv"},
            timeout=30,
        )
        assert feedback.json()["rows"] == 600
    expected = [
        (row["visit_id"], number, row["prediction"], row["probability"])
        for answer in answers
        for number, row in enumerate(answer, start=1)
    ]
    assert sorted(logged(approved)) == sorted(expected)
    live = approved.tool("live").out.splitlines()
    rows = len(answers[0])
    assert live[1].split()[:3] == [approved.models()[0].name, f"{REQUESTS * rows:,}", str(rows)]


def test_ctrl_c_loses_no_answered_row(approved: Project) -> None:
    row = {"age": 30, "spent": 3.5, "where": "web", "visit_id": "v1"}
    with serving(approved, LIGHTMODEL__SERVE__WORKERS="2") as address:
        master = master_of(address)
        for _ in range(20):
            assert requests.post(f"{address}/predict", json=row, timeout=30).status_code == 200
        for process in (*master.children(), master):  # a terminal sends it to all of them
            process.send_signal(signal.SIGINT)
        master.wait(timeout=30)
    assert len(logged(approved)) == 20


def test_a_killed_worker_loses_no_row_that_was_written(approved: Project) -> None:
    body = (approved.splits()[0] / "test.csv").read_bytes()
    with serving(approved, GUNICORN_CMD_ARGS="--workers=1") as address:
        rows = len(post(address, body).json())
        wait_for_rows(approved, rows)
        (worker,) = master_of(address).children()
        worker.kill()

        def answered() -> bool:
            try:
                return len(post(address, body).json()) == rows
            except requests.ConnectionError:
                return False

        wait_until(answered, "an answer of the next worker")
    assert len(logged(approved)) == 2 * rows
