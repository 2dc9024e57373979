"""A challenger and a canary in a service with two workers."""

import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

import requests

from lightmodel.store.canary import is_canarys
from tests.fakes.copies import copy_model
from tests.fakes.project import Project
from tests.fakes.server import log_of, master_of, post, serving
from tests.fakes.tables import shop_table
from tests.fakes.waiting import wait_until
from tests.serve.test_forms import as_csv

WORKERS = {"LIGHTMODEL__SERVE__WORKERS": "2"}
TABLE = shop_table(rows=80, seed=5).drop_columns(["bought"])
RECORDS: list[dict[str, Any]] = TABLE.to_pylist()


def ask(address: str, record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the version that answered a JSON row, and its answer."""
    answer = requests.post(f"{address}/predict", json=record, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Model-Version"], answer.json()[0]


def rows_in(project: Project, query: str) -> list[tuple[Any, ...]]:
    path = project.folder / "var" / "log" / "predictions.sqlite"
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:  # no table yet
        return []


def results(address: str) -> Counter[str]:
    """Return the rows of the challenger by their result."""
    counts = Counter[str]()
    for line in requests.get(f"{address}/metrics", timeout=60).text.splitlines():
        if line.startswith("lightmodel_shadow_rows_total{"):
            counts[line.partition('result="')[2].partition('"')[0]] += int(float(line.split()[-1]))
    return counts


def test_a_challenger_scores_json_and_csv_and_answers_nothing(approved: Project) -> None:
    served, challenger = approved.models()[0].name, copy_model(approved, passed=False).name
    table = as_csv(TABLE)
    with serving(approved, **WORKERS, LIGHTMODEL__SERVE__SHADOW="challenger") as address:
        sent = 0

        def all_forms_are_scored() -> bool:
            """Ask again, because a busy machine sheds."""
            nonlocal sent
            assert ask(address, RECORDS[sent % len(RECORDS)])[0] == served
            assert post(address, table).headers["X-Model-Version"] == served
            sent += 1
            scored = rows_in(approved, "SELECT request FROM shadow_predictions")
            sizes = Counter(request for (request,) in scored)
            return {1, len(RECORDS)} <= set(sizes.values())

        wait_until(all_forms_are_scored, "scores of a JSON row and of a table", seconds=240)
        assert (
            f'challenger_info{{version="{challenger}"}} 1.0'
            in requests.get(f"{address}/metrics", timeout=60).text
        )
    answered = rows_in(approved, "SELECT version, count(*) FROM predictions GROUP BY version")
    assert answered == [(served, sent * (1 + len(RECORDS)))]
    pairs = rows_in(
        approved,
        "SELECT s.version, p.id = s.id, p.prediction = s.prediction, p.probability = s.probability, "
        "count(*) FROM shadow_predictions s JOIN predictions p USING (request, row) GROUP BY 1, 2, 3, 4",
    )
    ((version, *same, number),) = pairs
    assert (version, same) == (challenger, [1, 1, 1])  # it is a copy of the served model
    assert [(number,)] == rows_in(approved, "SELECT count(*) FROM shadow_predictions")


def test_a_damaged_challenger_costs_a_warning_and_no_answer(approved: Project) -> None:
    served, challenger = approved.models()[0].name, copy_model(approved, passed=False)
    (challenger.folder / "model.joblib").write_bytes(b"?")
    with serving(approved, **WORKERS, LIGHTMODEL__SERVE__SHADOW="challenger") as address:
        log = log_of(approved, address)
        wait_until(lambda: "no challenger: " in log.read_text(), "the warning")
        assert ask(address, RECORDS[0])[0] == served
        assert not results(address)


def test_a_killed_worker_leaves_a_sound_log_and_the_next_one_a_challenger(
    approved: Project,
) -> None:
    copy_model(approved, passed=False)
    settings = {"LIGHTMODEL__SERVE__WORKERS": "1", "LIGHTMODEL__SERVE__SHADOW": "challenger"}
    with serving(approved, **settings) as address:
        for _ in range(2):
            known = len(rows_in(approved, "SELECT 1 FROM shadow_predictions"))

            def more_is_scored(known: int = known) -> bool:
                try:
                    ask(address, RECORDS[0])
                except requests.ConnectionError:
                    return False
                return len(rows_in(approved, "SELECT 1 FROM shadow_predictions")) > known

            wait_until(more_is_scored, "another score of the challenger", seconds=240)
            (worker,) = master_of(address).children()
            worker.kill()
    assert rows_in(approved, "PRAGMA integrity_check") == [("ok",)]
    compared = approved.tool("live", "--shadow", LIGHTMODEL__SERVE__SHADOW="challenger")
    assert (compared.code, "decisions that differ: 0.00%" in compared.out) == (0, True), compared


def test_a_canary_answers_its_ids_in_every_form_and_worker_until_it_is_withdrawn(
    approved: Project,
) -> None:
    stable, canary = approved.models()[0].name, copy_model(approved, passed=True).name
    sides = [canary if is_canarys(row["visit_id"], canary, 0.3) else stable for row in RECORDS]
    assert set(sides) == {stable, canary}
    settings = {**WORKERS, "LIGHTMODEL__SERVE__CANARY": "0.3"}
    with serving(approved, **settings) as address:
        taken = RECORDS[sides.index(canary)]

        def both_workers_answer_by(version: str) -> bool:  # a new connection is either one's
            return all(ask(address, taken)[0] == version for _ in range(16))

        wait_until(lambda: both_workers_answer_by(canary), "the canary")
        asked = [ask(address, record) for record in RECORDS]
        assert [version for version, _ in asked] == sides
        table = post(address, as_csv(TABLE))
        assert table.headers["X-Model-Version"] == f"{stable}, {canary}"
        assert table.json() == [answer for _, answer in asked]
        smoked = approved.tool("smoke", address, LIGHTMODEL__SERVE__CANARY="0.3")
        assert (smoked.code, stable in smoked.out) == (0, True), smoked.err

        def is_logged() -> bool:
            rows = rows_in(approved, f"SELECT 1 FROM predictions WHERE version = '{canary}'")
            return len(rows) >= 2 * sides.count(canary)

        wait_until(is_logged, "the logged rows")
        withdrawn = approved.tool("models", "rollback", LIGHTMODEL__SERVE__CANARY="0.3")
        assert f"withdrawn: {canary}" in withdrawn.out
        wait_until(lambda: both_workers_answer_by(stable), "the stable version")
        assert post(address, as_csv(TABLE)).headers["X-Model-Version"] == stable
