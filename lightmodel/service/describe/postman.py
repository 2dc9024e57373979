"""`GET /postman.json`: a Postman collection of ready requests with tests of their answers."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.describe.schema import Json, csv_of, sample_records, sample_scores

_SAME = """
const near = (a, b) => Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
const same = (a, b) => typeof b === 'object'
  ? Object.keys(b).every(key => near(a[key], b[key])) : near(a, b);
"""


def postman_of(model: LoadedModel, address: str) -> Json:
    """Return the collection; its variable `baseUrl` is set to `address`."""
    return {
        "info": {
            "name": f"light-model: {model.contract.target.name}",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
            "description": f"Model {model.version}. Set `apiKey` if the service requires an API key.",
        },
        "variable": [{"key": "baseUrl", "value": address}, {"key": "apiKey", "value": ""}],
        "item": [
            {"name": "The service", "item": list(_description_requests(model))},
            {"name": "Predict", "item": list(_predict_requests(model))},
            {"name": "Errors", "item": list(_error_requests(model))},
        ],
    }


def _description_requests(model: LoadedModel) -> Iterable[Json]:
    yield _item("Is the process alive?", "GET", "health", [_status(200)])
    version = f"pm.expect(pm.response.json().version).to.eql({_js(model.version)});"
    yield _item("Is a model loaded?", "GET", "ready", [_status(200), _test("version", version)])
    yield _item("The model's manifest", "GET", "model", [_status(200)])
    names = f"pm.expect(pm.response.json().columns.length).to.be.at.least({len(model.contract.features)});"
    yield _item("The expected columns", "GET", "schema", [_status(200), _test("columns", names)])
    yield _item("Sample rows", "GET", "sample.csv", [_status(200)])
    yield _item("Metrics", "GET", "metrics", [_status(200)])


def _predict_requests(model: LoadedModel) -> Iterable[Json]:
    records, scores = sample_records(model), sample_scores(model)
    reordered = [dict(reversed(record.items())) for record in records]
    tests = [_status(200), _scores(model, scores)]
    first = [_status(200), _scores(model, scores[:1])]
    yield _post("One row as JSON", first, records[0])
    yield _post("Rows as JSON", tests, records)
    yield _post("Rows as CSV", tests, csv_of(records, model.contract))
    yield _post("Columns in another order", tests, csv_of(reordered, model.contract))
    file = _item("A file (choose one; /sample.csv is one)", "POST", "predict", tests)
    part = {"key": "file", "type": "file", "src": "sample.csv"}
    file["request"]["body"] = {"mode": "formdata", "formdata": [part]}
    yield file
    split = {"columns": list(records[0]), "data": [list(record.values()) for record in records]}
    mlflow_tests = [_status(200), _scores(model, scores, "pm.response.json().predictions")]
    yield _post("MLflow's format", mlflow_tests, {"dataframe_split": split}, "invocations")


def _error_requests(model: LoadedModel) -> Iterable[Json]:
    contract, records = model.contract, sample_records(model)
    missing = contract.features[0].name
    without = [{k: v for k, v in record.items() if k != missing} for record in records]
    yield _post("A column is missing", _problem(422, missing), csv_of(without, contract))
    number = next((column.name for column in contract.features if column.type.is_numeric), None)
    if number is not None:
        invalid = [records[0], {**records[-1], number: "abc"}]
        tests = [*_problem(422, number), _test("row", _violation("rows[0]", 2))]
        yield _post("Text in a numeric column", tests, csv_of(invalid, contract))
    yield _post("An empty body", _problem(422), b"")
    yield _item("An unknown address", "GET", "nowhere", _problem(404))


def _item(name: str, method: str, path: str, tests: Sequence[str]) -> Json:
    headers = [{"key": "X-API-Key", "value": "{{apiKey}}"}]
    request = {"method": method, "header": headers, "url": f"{{{{baseUrl}}}}/{path}"}
    script = {"type": "text/javascript", "exec": "\n".join(tests).splitlines()}
    return {"name": name, "request": request, "event": [{"listen": "test", "script": script}]}


def _post(name: str, tests: Sequence[str], body: object, path: str = "predict") -> Json:
    """Return a request with a body: bytes are CSV, any other value becomes JSON."""
    if isinstance(body, bytes):
        text, language, kind = body.decode(), "text", "text/csv"
    else:
        text, language, kind = _js(body), "json", "application/json"
    item = _item(name, "POST", path, tests)
    item["request"]["header"].append({"key": "Content-Type", "value": kind})
    options = {"raw": {"language": language}}
    item["request"]["body"] = {"mode": "raw", "raw": text, "options": options}
    return item


def _test(name: str, code: str) -> str:
    return f"pm.test({_js(name)}, () => {{ {code} }});"


def _status(code: int) -> str:
    return _test(f"status {code}", f"pm.response.to.have.status({code});")


def _problem(code: int, column: str | None = None) -> list[str]:
    kind = "pm.expect(pm.response.headers.get('Content-Type')).to.eql('application/problem+json');"
    tests = [_status(code), _test("a problem", kind)]
    return tests if column is None else [*tests, _test("column", _violation("column", column))]


def _violation(field: str, value: object) -> str:
    return f"pm.expect(pm.response.json().violations[0].{field}).to.eql({_js(value)});"


def _scores(model: LoadedModel, scores: Sequence[Any], rows: str = "pm.response.json()") -> str:
    key = "probability" if model.contract.task.kind.has_classes else "prediction"
    code = (
        f"{_SAME}const want = {_js(scores)}; const rows = {rows};"
        "pm.expect(rows.length).to.eql(want.length);"
        f"rows.forEach((row, at) => pm.expect(same(row.{key}, want[at])).to.be.true);"
    )
    return _test("the stored scores", code)


def _js(value: object) -> str:
    return json.dumps(value)
