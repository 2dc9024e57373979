"""`GET /openapi.json`: the service as OpenAPI 3.0, which Swagger UI and most generators read."""

from lightmodel import __version__
from lightmodel.contract.task import TaskKind
from lightmodel.scoring.loaded_model import Served
from lightmodel.service.describe.schema import csv_of, sample_records
from lightmodel.service.describe.shapes import Json, answer_schema, problem_schema, row_schema

_PROBLEMS = {
    400: "the query or the body makes no sense",
    401: "a key is needed",
    406: "the answer cannot be had in that form",
    408: "the body came too slowly",
    413: "the body exceeds a limit",
    415: "the body is of a type that is not read",
    422: "the rows break the contract: columns, rules and row numbers",
    429: "more requests than the rate limit allows",
    503: "there is no model to answer",
}


def openapi_of(served: Served) -> Json:
    """Describe the service for the contract of the model that answers."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "light-model",
            "version": __version__,
            "description": f"Predicts `{served.contract.target.name}`; model {served.version}.",
        },
        "paths": {
            "/predict": {"post": _predict(served)},
            "/invocations": {"post": _invocations(served)},
            **_questions(),
            "/truth": {"post": _truth(served)},
            "/train": {"post": _train()},
            "/train/{id}": {"get": _watch()},
        },
        "components": {
            "schemas": {
                "Row": row_schema(served.contract),
                "Answer": answer_schema(served.contract),
                "Problem": problem_schema(),
            },
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "train": {"type": "apiKey", "in": "header", "name": "X-Train-Token"},
            },
        },
        "security": [{}, {"key": []}, {"bearer": []}],
    }


def _predict(served: Served) -> Json:
    answers = {"type": "array", "items": _ref("Answer")}
    return {
        "summary": "Rows in, one answer a row out, in their order",
        "operationId": "predict",
        "parameters": _parameters(served),
        "requestBody": {"required": True, "content": _bodies(served)},
        "responses": _responses(
            {
                "description": "one answer for each row",
                "headers": {
                    name: {"schema": {"type": "string"}}
                    for name in ("X-Model-Version", "X-Request-ID", "X-Ignored-Columns")
                },
                "content": {
                    "application/json": {"schema": answers},
                    "text/csv": {"schema": {"type": "string"}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            }
        ),
    }


def _parameters(served: Served) -> list[Json]:
    found = []
    if served.contract.task.kind is TaskKind.BINARY:
        found.append(("threshold", {"type": "number", "minimum": 0, "maximum": 1}))
    if served.predictor.contribute:
        most = len(served.contract.features)
        found.append(("explain", {"type": "integer", "minimum": 1, "maximum": most}))
    about = {
        "threshold": f"decide by this instead of {served.manifest.threshold}",
        "explain": "name so many features that moved each row most",
    }
    return [
        {"name": name, "in": "query", "schema": schema, "description": about[name]}
        for name, schema in found
    ]


def _bodies(served: Served) -> Json:
    records = sample_records(served)
    text = csv_of(records[:2]).decode()
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array", "items": {}}},
        },
    }
    rows = {"type": "array", "items": _ref("Row"), "minItems": 1}
    wrapped = [
        {"type": "object", "required": [name], "properties": {name: schema}}
        for name, schema in (("dataframe_split", split), ("dataframe_records", rows))
    ]
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
    return {
        "application/json": {
            "schema": {"anyOf": [_ref("Row"), rows, *wrapped]},
            "examples": {"row": {"value": records[0]}, "rows": {"value": records[:2]}},
        },
        "text/csv": {"schema": {"type": "string"}, "example": text},
        "application/x-ndjson": {"schema": {"type": "string"}},
        "multipart/form-data": {"schema": form},
    }


def _invocations(served: Served) -> Json:
    bodies = _bodies(served)
    scores = {"predictions": {"type": "array", "items": {}}}
    shape = {"type": "object", "required": ["predictions"], "properties": scores}
    return {
        "summary": "As MLflow's scoring server: the scores alone",
        "operationId": "invocations",
        "requestBody": {
            "required": True,
            "content": {kind: bodies[kind] for kind in ("application/json", "text/csv")},
        },
        "responses": _responses(
            {"description": "scores", "content": {"application/json": {"schema": shape}}}
        ),
    }


def _questions() -> Json:
    """Describe what is only read."""
    plain = {
        "/health": ("the process answers", "application/json"),
        "/ready": ("an approved, self-tested model is loaded", "application/json"),
        "/ping": ("as MLflow's: the process answers and has a model", "text/plain"),
        "/version": ("of light-model", "text/plain"),
        "/model": ("the manifest of the model", "application/json"),
        "/schema": ("the columns expected", "application/json"),
        "/sample.csv": ("rows that can be sent to /predict as they are", "text/csv"),
        "/metrics": ("for Prometheus", "text/plain"),
    }
    return {
        path: {
            "get": {
                "summary": about,
                "operationId": path.strip("/").replace(".", "_"),
                "responses": {
                    "200": {"description": about, "content": {kind: {"schema": {}}}},
                    **_problems(401, 429, 503),
                },
            }
        }
        for path, (about, kind) in plain.items()
    }


def _truth(served: Served) -> Json:
    names = [column.name for column in (served.contract.id, served.contract.target) if column]
    record = {"type": "object", "required": names, "properties": {name: {} for name in names}}
    return {
        "summary": "Labels that are known later, by id",
        "operationId": "truth",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"type": "array", "items": record}},
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        "responses": _responses(
            {
                "description": "how many were matched",
                "content": {"application/json": {"schema": {}}},
            },
            500,
        ),
    }


def _train() -> Json:
    return {
        "summary": "Start a retraining",
        "operationId": "train",
        "security": [{"train": []}],
        "responses": {
            "202": {"description": "started", "content": {"application/json": {"schema": {}}}},
            **_problems(401, 403, 409, 429, 501, 503),
        },
    }


def _watch() -> Json:
    about = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "summary": "How a retraining goes",
        "operationId": "watch",
        "security": [{"train": []}],
        "parameters": [about],
        "responses": {
            "200": {"description": "the job", "content": {"application/json": {"schema": {}}}},
            **_problems(401, 403, 404, 429, 501, 503),
        },
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _responses(answer: Json, *more: int) -> Json:
    return {"200": answer, **_problems(*_PROBLEMS, *more)}


def _problems(*codes: int) -> Json:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {
        str(code): {"description": _PROBLEMS.get(code, "see `detail`"), "content": content}
        for code in codes
    }
