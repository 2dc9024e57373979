"""`GET /openapi.json`: the service in OpenAPI 3.0, which Swagger UI and most generators read."""

from lightmodel import __version__
from lightmodel.contract.task import TaskKind
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.describe.schema import (
    Json,
    answer_schema,
    csv_of,
    object_schema,
    problem_schema,
    row_schema,
    sample_records,
)

_PROBLEMS = {
    400: "the query or the body is invalid",
    401: "an API key is required",
    406: "the answer is not available in that format",
    408: "the body arrived too slowly",
    413: "the body exceeds a limit",
    415: "the Content-Type is not supported",
    422: "the rows break the data contract; `violations` lists columns, rules and row numbers",
    429: "more requests than the rate limit allows",
    503: "there is no model to serve",
}
_READ_ONLY = {
    "/health": ("whether the process is alive", "application/json"),
    "/ready": ("whether an approved, self-tested model is loaded", "application/json"),
    "/ping": ("MLflow's probe: whether a model is loaded", "text/plain"),
    "/version": ("the version of light-model", "text/plain"),
    "/model": ("the manifest of the model", "application/json"),
    "/models": ("every version with its verdict, metrics and data", "application/json"),
    "/schema": ("the columns that a request needs", "application/json"),
    "/sample.csv": ("sample rows that can be posted to /predict", "text/csv"),
    "/metrics": ("metrics for Prometheus", "text/plain"),
}
_BINARY = (  # compressed CSV, Parquet, Excel
    "application/gzip",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
_ROW = {"$ref": "#/components/schemas/Row"}
_TEXT = {"schema": {"type": "string"}}
_NOTE = object_schema({"by": _TEXT["schema"], "why": _TEXT["schema"]})  # who changes it, and why
_JSON: Json = {"application/json": {"schema": {}}}


def openapi_of(model: LoadedModel) -> Json:
    """Return the OpenAPI description of the service for the contract of the served model."""
    bodies = _row_bodies(model)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "light-model",
            "version": __version__,
            "description": f"Predicts `{model.contract.target.name}`; model {model.version}.",
        },
        "paths": {
            "/predict": {"post": _predict(model, bodies)},
            "/invocations": {"post": _invocations(bodies)},
            **{path: {"get": _get(path, *about)} for path, about in _READ_ONLY.items()},
            "/feedback": {"post": _feedback(model)},
            **_versions(),
            **_trainings(),
        },
        "components": {
            "schemas": {
                "Row": row_schema(model),
                "Answer": answer_schema(model.contract),
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


def _versions() -> Json:
    """Return the paths on one model version."""
    name = _parameter("version", "path", _TEXT["schema"], required=True)
    read = {
        "": ("all that is known of a version", "application/json"),
        "/report": ("its report", "text/html"),
    }
    changes = {
        "promote": "Let a canary answer all, or take a rollback back",
        "rollback": "Withdraw a version; the one before it answers",
        "retire": "Remove a version that is not in use",
    }
    paths = {
        f"/models/{{version}}{path}": {
            "get": {**_get(f"version{path}", *about, 404), "parameters": [name]}
        }
        for path, about in read.items()
    }
    for change, summary in changes.items():
        done = _train(summary, change, "200", "the versions in use", 404, 400, 409)
        body = {"required": True, "content": {"application/json": {"schema": _NOTE}}}
        post = {**done, "requestBody": body, "parameters": [name]}
        paths[f"/models/{{version}}/{change}"] = {"post": post}
    return paths


def _trainings() -> Json:
    reason = _parameter("reason", "query", _TEXT["schema"], description="why it is started")
    started = _train("Start a retraining", "train", "202", "started", 409)
    state = _train("The state of a retraining", "watch", "200", "the job", 404)
    name = _parameter("id", "path", _TEXT["schema"], required=True)
    return {
        "/train": {"post": {**started, "parameters": [reason]}},
        "/train/{id}": {"get": {**state, "parameters": [name]}},
    }


def _predict(model: LoadedModel, bodies: Json) -> Json:
    answers = {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}}
    names = (
        *("X-Model-Version", "X-Request-ID"),
        *("X-Ignored-Columns", "X-Unseen-Categories", "X-Missing-Formulas", "X-Blank-Rows"),
        *("X-Missing-Values", "X-Out-Of-Range"),
    )
    answer = {
        "description": "one answer for each row",
        "headers": dict.fromkeys(names, _TEXT),
        "content": {
            "application/json": {"schema": answers},
            "text/csv": _TEXT,
            "application/x-ndjson": _TEXT,
        },
    }
    summary = "Score rows; one answer per row that is not blank, in the same order"
    return {**_post(summary, "predict", bodies, answer), "parameters": _options(model)}


def _options(model: LoadedModel) -> list[Json]:
    options = []
    if model.contract.task.kind is TaskKind.BINARY:
        text = f"the decision threshold, instead of {model.manifest.threshold}"
        share = {"type": "number", "minimum": 0, "maximum": 1}
        options.append(_parameter("threshold", "query", share, description=text))
    if model.predictor.contribute:
        text = "the number of features to name for each row, those with the largest contributions"
        most = {"type": "integer", "minimum": 1, "maximum": len(model.predictor.feature_names)}
        options.append(_parameter("explain", "query", most, description=text))
    return options


def _parameter(name: str, where: str, schema: Json, **more: object) -> Json:
    return {"name": name, "in": where, "schema": schema, **more}


def _row_bodies(model: LoadedModel) -> Json:
    """Return the request bodies of `POST /predict` by media type, with sample rows as examples."""
    records = sample_records(model)
    rows = {"type": "array", "items": _ROW, "minItems": 1}
    columns = {"type": "array", "items": {"type": "string"}}
    data = {"type": "array", "items": {"type": "array", "items": {}}}
    split = object_schema({"columns": columns, "data": data})
    wrapped = [
        object_schema({"dataframe_split": split}),
        object_schema({"dataframe_records": rows}),
    ]
    file = {"type": "string", "format": "binary"}
    return {
        "application/json": {
            "schema": {"anyOf": [_ROW, rows, *wrapped]},
            "examples": {"row": {"value": records[0]}, "rows": {"value": records[:2]}},
        },
        "text/csv": {**_TEXT, "example": csv_of(records[:2], model.contract).decode()},
        "application/x-ndjson": _TEXT,
        "multipart/form-data": {"schema": object_schema({"file": file})},
        **{kind: {"schema": file} for kind in _BINARY},
    }


def _invocations(bodies: Json) -> Json:
    accepted = {kind: bodies[kind] for kind in ("application/json", "text/csv")}
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}}
    answers = {"schema": object_schema({"predictions": rows})}
    answer = {"description": "one answer for each row", "content": {"application/json": answers}}
    post = _post("Score rows as MLflow's scoring server does", "invocations", accepted, answer)
    error = object_schema({"error_code": {"type": "string"}, "message": {"type": "string"}})
    for code, response in post["responses"].items():
        if code != "200":
            response["content"] = {"application/json": {"schema": error}}
    del post["responses"]["422"]  # rows that cannot be scored are 400 there
    return post


def _feedback(model: LoadedModel) -> Json:
    columns = (model.contract.id, model.contract.target)
    record = object_schema({column.name: {} for column in columns if column})
    schema = {"schema": {"type": "array", "items": record}}
    bodies = {"application/json": schema, "text/csv": _TEXT}
    answer = {"description": "the numbers of rows and of matched ids", "content": _JSON}
    return _post("Send labels that arrive later, by id", "feedback", bodies, answer, 500)


def _post(summary: str, name: str, bodies: Json, answer: Json, *more: int) -> Json:
    return {
        "summary": summary,
        "operationId": name,
        "requestBody": {"required": True, "content": bodies},
        "responses": {"200": answer, **_problems(*_PROBLEMS, *more)},
    }


def _get(path: str, about: str, kind: str, *errors: int) -> Json:
    answer = {"description": about, "content": {kind: {"schema": {}}}}
    return {
        "summary": about,
        "operationId": path.strip("/").replace(".", "_").replace("/", "_"),
        "responses": {"200": answer, **_problems(401, *errors, 429, 503)},
    }


def _train(summary: str, name: str, code: str, about: str, *errors: int) -> Json:
    answer = {"description": about, "content": _JSON}
    return {
        "summary": summary,
        "operationId": name,
        "security": [{"train": []}],
        "responses": {code: answer, **_problems(401, 403, *errors, 429, 501, 503)},
    }


def _problems(*codes: int) -> Json:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    content = {"application/problem+json": schema}
    return {
        str(code): {"description": _PROBLEMS.get(code, "see `detail`"), "content": content}
        for code in codes
    }
