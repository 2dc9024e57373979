"""The service describes itself correctly: its samples can be posted, and its schemas fit the model."""

import csv
import io
import json
import re

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.serve.conftest import Shop
from tests.serve.test_forms import ROWS, records, send


def get(shop: Shop, path: str) -> requests.Response:
    answer = requests.get(f"{shop.address}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def test_posted_sample_rows_get_the_stored_scores(shop: Shop) -> None:
    sample = get(shop, "/sample.csv")
    assert sample.headers["Content-Type"].startswith("text/csv")
    samples = get(shop, "/model").json()["samples"]
    rows = send(shop, sample.content).json()
    for row, stored in zip(rows, samples, strict=True):
        assert row["probability"] == pytest.approx(stored["score"][0], rel=1e-12)
    assert len(list(csv.DictReader(io.StringIO(sample.text)))) == len(samples)


def test_the_schema_names_columns_types_ranges_and_categories(shop: Shop) -> None:
    schema = get(shop, "/schema").json()
    columns = {column["name"]: column for column in schema["columns"]}
    assert set(columns) == {"visit_id", "age", "spent", "where"}
    assert columns["where"]["categories"] == ["phone", "street", "web"]
    assert columns["age"]["allowed"]["minimum"] <= columns["age"]["seen"]["minimum"]
    assert columns["spent"]["may_be_missing"]
    assert not columns["visit_id"]["required"]
    assert schema["answer"]["labels"] == ["no", "yes"]
    assert schema["answer"]["positive"] == "yes"
    assert get(shop, "/model").json()["task"]["positive"] == "yes"
    assert 0 < schema["answer"]["threshold"] < 1


def test_openapis_schemas_accept_real_rows_and_answers(shop: Shop) -> None:
    openapi = get(shop, "/openapi.json").json()
    assert openapi["openapi"].startswith("3.0")
    schemas = openapi["components"]["schemas"]
    row, answer = (Draft202012Validator(schemas[name]) for name in ("Row", "Answer"))
    for record in records(ROWS.slice(0, 20)):
        row.validate({name: value for name, value in record.items() if value is not None})
    for one in send(
        shop, json.dumps(records(ROWS)).encode(), "application/json", explain="2"
    ).json():
        answer.validate(one)
    assert not row.is_valid({"age": "old", "spent": 1.0, "where": "web"})
    assert not row.is_valid({"spent": 1.0, "where": "web"})
    problem = Draft202012Validator(schemas["Problem"])
    problem.validate(send(shop, b"age\n1\n").json())
    posted = openapi["paths"]["/predict"]["post"]
    assert set(posted["requestBody"]["content"]) == {
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "multipart/form-data",
        "application/gzip",
        "application/vnd.apache.parquet",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
    assert {one["name"] for one in posted["parameters"]} == {"threshold", "explain"}


def test_every_path_in_openapi_exists_and_answers_as_described(shop: Shop) -> None:
    paths = get(shop, "/openapi.json").json()["paths"]
    for path, methods in paths.items():
        named = re.sub(r"{\w+}", "unknown", path)
        if "get" in methods:
            code = requests.get(shop.address + named, timeout=60).status_code
            assert str(code) in methods["get"]["responses"]
            assert code == 200 or named != path
        if "post" in methods:  # without a body it is refused, by the route itself
            code = requests.post(shop.address + named, timeout=60).status_code
            assert str(code) in methods["post"]["responses"]
            assert code not in {404, 405, 500}


def test_the_docs_load_only_files_that_exist(shop: Shop) -> None:
    page = get(shop, "/docs")
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"].partition("script-src")[2]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
        assert f"/docs/{name}" in page.text
        assert get(shop, f"/docs/{name}").content
    assert "/static/docs.js" in page.text
    assert requests.get(f"{shop.address}/docs/index.html", timeout=60).status_code == 404


def test_the_postman_collection_has_the_models_sample_rows(shop: Shop) -> None:
    collection = get(shop, "/postman.json").json()
    assert {"key": "baseUrl", "value": shop.address} in collection["variable"]
    requests_made = [item for folder in collection["item"] for item in folder["item"]]
    assert len(requests_made) >= 15
    assert all(item["event"][0]["script"]["exec"] for item in requests_made)


def test_mlflows_probes_answer(shop: Shop) -> None:
    assert get(shop, "/ping").text == "\n"
    assert get(shop, "/version").text.count(".") == 2
