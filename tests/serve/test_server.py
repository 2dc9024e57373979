"""The real server: gunicorn, a model, and HTTP."""

import json

import pyarrow.csv as arrow_csv
import pytest
import requests

from tests.fakes.project import Project
from tests.fakes.server import post, serving
from tests.serve.conftest import Shop


def test_the_test_table_can_be_posted_with_its_columns_in_any_order(
    approved: Project,
) -> None:
    path = approved.splits()[0] / "test.csv"
    table = arrow_csv.read_csv(path)
    with serving(approved) as address:
        answer = post(address, path.read_bytes())
        assert answer.status_code == 200
        assert answer.headers["X-Model-Version"] == approved.models()[0].name
        rows = answer.json()
        assert [row["visit_id"] for row in rows] == table["visit_id"].to_pylist()
        assert {row["prediction"] for row in rows} == {"yes", "no"}
        assert all(0 <= row["probability"] <= 1 for row in rows)

        turned = approved.folder / "turned.csv"
        arrow_csv.write_csv(table.select(table.column_names[::-1]), turned)
        assert post(address, turned.read_bytes()).json() == rows

        manifest = json.loads((approved.models()[0] / "manifest.json").read_bytes())
        for sample in manifest["samples"]:
            text = "\n".join(
                ",".join("" if value is None else str(value) for value in line)
                for line in (sample["values"].keys(), sample["values"].values())
            )
            (row,) = post(address, text.encode()).json()
            assert row["probability"] == pytest.approx(sample["score"][0], rel=1e-12)
        assert requests.get(f"{address}/ready", timeout=60).json()["status"] == "ready"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"visit_id,age,spent,where\n", "no rows"),
        (b"age,spent\n30,5\n", "where"),
        (b"age,spent,where\nold,5,web\n", "is not a number"),
        (b"age,spent,where\n5000,5,web\n", "is outside"),
        (b"age,spent,where\n,5,web\n", "has no value"),
        (b"age,spent,where,age\n30,5,web,30\n", "age"),
        (b"\x00\xff\xfe" * 50, ""),
    ],
)
def test_a_bad_table_is_a_problem_with_a_reason(shop: Shop, content: bytes, reason: str) -> None:
    answer = post(shop.address, content)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert reason in problem["detail"]
    assert "Traceback" not in answer.text
    assert "/tmp" not in answer.text


def test_a_wrong_field_name_and_a_wrong_address_are_problems(shop: Shop) -> None:
    wrong = requests.post(f"{shop.address}/predict", files={"data": b"x"}, timeout=60)
    assert (wrong.status_code, wrong.json()["status"]) == (422, 422)
    assert requests.get(f"{shop.address}/nowhere", timeout=60).status_code == 404
    assert requests.get(f"{shop.address}/predict", timeout=60).status_code == 405


def test_without_a_model_the_server_starts_and_says_so(project: Project) -> None:
    with serving(project) as address:
        ready = requests.get(f"{address}/ready", timeout=60)
        assert ready.status_code == 503
        assert "there is no approved model" in ready.json()["detail"]
        assert post(address, b"a\n1\n").status_code == 503
