"""The service answers as `mlflow models serve` does for the model that is logged.

MLflow's scoring server is called as its route calls it: bytes and a media type in, an answer out.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow.csv as arrow_csv
import pytest
from flask.testing import FlaskClient

from lightmodel.tracking.model_folder import packed_model
from tests.fakes.project import ROOT
from tests.fakes.tables import shop_table
from tests.fakes.trained import train

pytestmark = [
    pytest.mark.mlflow,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*type hint:UserWarning"),
]
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
ROWS: list[dict[str, Any]] = [
    {"visit_id": "a1", "age": 30, "spent": 3.5, "where": "web"},
    {"visit_id": "a2", "age": 41, "spent": 8.0, "where": "shop"},
]
NAMES = list(ROWS[0])
FRAME = pd.DataFrame(ROWS)
SPLIT = {"columns": NAMES, "data": [list(row.values()) for row in ROWS]}
VALUES = [[row["age"], row["spent"], row["where"]] for row in ROWS]
COLUMNS = {name: [row[name] for row in ROWS] for name in NAMES}


def records(**changes: object) -> list[dict[str, Any]]:
    """Return the rows, the first one changed."""
    return [{**ROWS[0], **changes}, ROWS[1]]


def as_parquet() -> bytes:
    sink = io.BytesIO()
    FRAME.to_parquet(sink)
    return sink.getvalue()


DOCUMENTS: dict[str, object] = {
    "dataframe_split": {"dataframe_split": SPLIT},
    "dataframe_split with an index": {"dataframe_split": {**SPLIT, "index": [5, 6]}},
    "dataframe_split without columns": {"dataframe_split": {"data": SPLIT["data"]}},
    "dataframe_split with a short row": {"dataframe_split": {"columns": NAMES, "data": [["a", 1]]}},
    "dataframe_split with a further key": {"dataframe_split": {**SPLIT, "x": 1}},
    "dataframe_split that is a list": {"dataframe_split": [SPLIT]},
    "dataframe_records": {"dataframe_records": ROWS},
    "dataframe_records that is one object": {"dataframe_records": ROWS[0]},
    "dataframe_records without records": {"dataframe_records": []},
    "instances as records": {"instances": ROWS},
    "instances as rows of values": {"instances": VALUES},
    "instances as columns": {"instances": COLUMNS},
    "instances with too few values": {"instances": [row[:2] for row in VALUES]},
    "inputs as columns": {"inputs": COLUMNS},
    "inputs as one row": {"inputs": ROWS[0]},
    "inputs as records": {"inputs": ROWS},
    "inputs as rows of values": {"inputs": VALUES},
    "inputs with a missing value": {"inputs": [[30, None, "web"]]},
    "inputs as columns with a missing value": {"inputs": {**COLUMNS, "spent": [None, 1.0]}},
    "inputs of uneven columns": {"inputs": {**COLUMNS, "age": [1]}},
    "inputs that are plain numbers": {"inputs": [30, 3.5]},
    "params": {"dataframe_records": ROWS, "params": {"a": 1}},
    "a further key": {"dataframe_records": ROWS, "x": 1},
    "two formats": {"dataframe_split": SPLIT, "inputs": VALUES},
    "an unknown format": {"rows": ROWS},
    "a bare array": ROWS,
    "a bare object": ROWS[0],
    "a number": 1,
    "null": {"dataframe_records": records(spent=None)},
    "a missing category": {"dataframe_records": records(where=None)},
    "a missing category in instances": {"instances": records(where=None)},
    "a missing required number": {"dataframe_records": records(age=None)},
    "a missing id": {"dataframe_records": records(visit_id=None)},
    "an integer id": {"dataframe_records": [{**row, "visit_id": 7} for row in ROWS]},
    "a fraction": {"dataframe_records": records(age=30.7)},
    "a number as text": {"dataframe_records": records(age="30")},
    "a word for a number": {"dataframe_records": records(age="thirty")},
    "true for a number": {"dataframe_records": records(age=True)},
    "integers for numbers": {"dataframe_records": [{**row, "spent": 3} for row in ROWS]},
    "an unseen category": {"dataframe_records": records(where="fax")},
    "a number for a category": {"dataframe_records": records(where=7)},
    "an object for a category": {"dataframe_records": records(where={"a": 1})},
    "out of range": {"dataframe_records": records(age=5000)},
    "an absent column": {"dataframe_records": [{"age": 30, "spent": 1.0}]},
    "an absent id": {"dataframe_records": [{"age": 30, "spent": 1.0, "where": "web"}]},
    "a key in some records": {"dataframe_records": [ROWS[0], {"age": 30, "where": "web"}]},
    "a further column": {"dataframe_records": [{**row, "x": 1} for row in ROWS]},
}
TABLE = FRAME.to_csv(index=False).encode()
HEADER = b"visit_id,age,spent,where\n"
PAYLOADS: dict[str, tuple[str, bytes]] = {
    **{name: (JSON, json.dumps(document).encode()) for name, document in DOCUMENTS.items()},
    "JSON in UTF-8": (f"{JSON}; charset=utf-8", json.dumps({"inputs": COLUMNS}).encode()),
    "a parameter of the media type": (f"{JSON}; format=x", json.dumps({"inputs": ROWS}).encode()),
    "NaN": (JSON, json.dumps({"dataframe_records": records(spent=float("nan"))}).encode()),
    "Infinity": (JSON, json.dumps({"dataframe_records": records(spent=float("inf"))}).encode()),
    "cut JSON": (JSON, b'{"inputs": [['),
    "no JSON": (JSON, b"rubbish"),
    "JSON that is not UTF-8": (JSON, b'{"inputs": "\xff"}'),
    "nothing": (JSON, b""),
    "CSV": (CSV, TABLE),
    "CSV in UTF-8": (f"{CSV}; charset=utf-8", TABLE),
    "CSV in Latin-1": (f"{CSV}; charset=latin-1", TABLE),
    "CSV with an empty cell": (CSV, HEADER + b"a,30,,web\nb,40,1,shop\n"),
    "CSV with an unwanted empty cell": (CSV, HEADER + b"a,,1,web\n"),
    "CSV without rows": (CSV, HEADER),
    "CSV without a column": (CSV, b"age,spent\n1,2\n"),
    "CSV with a further column": (CSV, b"age,spent,where,x\n30,2.5,web,1\n"),
    "CSV with a word for a number": (CSV, b"age,spent,where\n30,much,web\n"),
    "CSV with zeros before an id": (CSV, HEADER + b"007,30,2.5,web\n"),
    "Parquet": (PARQUET, as_parquet()),
    "damaged Parquet": (PARQUET, b"PAR1 and no more"),
    "an unknown media type": ("image/png", b"x"),
}


@dataclass(frozen=True)
class Servers:
    """Both servers, with the same model."""

    ours: FlaskClient
    theirs: Any

    def answer(self, kind: str, body: bytes) -> tuple[int, Any]:
        """Return the status of ours, and its predictions or code."""
        response = self.ours.post("/invocations", data=body, content_type=kind)
        content = response.get_json()
        return response.status_code, content.get("predictions") or content["error_code"]

    def answer_of_mlflow(self, kind: str, body: bytes) -> tuple[int, Any]:
        """Return those of MLflow; its text for an unsupported media type has no code."""
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server

        server: Any = scoring_server  # without types
        schema = self.theirs.metadata.get_input_schema()
        try:
            answer = server.invocations(body, kind, self.theirs, schema)
        except MlflowException as raised:
            error: Any = raised
            return error.get_http_status_code(), json.loads(error.serialize_as_json())["error_code"]
        if answer.status != 200:
            return answer.status, "UNSUPPORTED_MEDIA_TYPE"
        return answer.status, json.loads(answer.response)["predictions"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    import mlflow

    folder = tmp_path_factory.mktemp("parity")
    arrow_csv.write_csv(shop_table(), folder / "shop.csv")
    table = {"data.source": folder / "shop.csv", "data.target": "bought", "data.id": "visit_id"}
    model = train(folder, table.items())
    with packed_model(model.served.folder, "0" * 32) as packed:
        yield Servers(model.client(compiled=False), mlflow.pyfunc.load_model(packed))


def documented() -> dict[str, str]:
    """Return the differences that the documentation names: payload → ours, in words."""
    text = (ROOT / "docs/guide/mlflow-clients.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| [^|]+? \|$", text, re.MULTILINE)[1:])


@pytest.mark.parametrize("name", PAYLOADS)
def test_both_servers_answer_alike_but_for_what_the_documentation_names(
    servers: Servers, name: str
) -> None:
    ours, theirs = (ask(*PAYLOADS[name]) for ask in (servers.answer, servers.answer_of_mlflow))
    print(name, ours, theirs)
    assert (ours != theirs) == (name in documented()), (ours, theirs)


def test_the_documentation_names_only_what_is_tried() -> None:
    assert documented().keys() <= PAYLOADS.keys()
    assert len(documented()) > 3


FRAMES = {
    "as it was": FRAME,
    "no value at all": FRAME.assign(spent=None),
    "without the id": FRAME.drop(columns="visit_id"),
    "with more columns, in another order": FRAME.assign(x=1)[["x", "where", "spent", "age"]],
    "pandas' own types": FRAME.convert_dtypes(),
}
REFUSED = {
    "whole numbers": FRAME.assign(spent=3),
    "integers as floats": FRAME.assign(age=[30.0, 41.0]),
    "a category of integers": FRAME.assign(where=7),
    "ids that are integers": FRAME.assign(visit_id=[1, 2]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_the_logged_model_takes_frames_like_the_training_table(servers: Servers, name: str) -> None:
    answered = servers.theirs.predict(FRAMES[name])
    body = json.dumps({"dataframe_records": json.loads(FRAMES[name].to_json(orient="records"))})
    status, expected = servers.answer(JSON, body.encode())
    assert (status, answered.to_dict("records")) == (200, expected)


@pytest.mark.parametrize("name", REFUSED)
def test_mlflow_refuses_frames_of_other_types_than_the_signature_has(
    servers: Servers, name: str
) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="Incompatible input types for column"):
        servers.theirs.predict(REFUSED[name])


def test_the_signature_has_the_types_that_pandas_reads(servers: Servers) -> None:
    inputs, outputs = (
        [(one.name, one.type.name, one.required) for one in schema.inputs]
        for schema in (
            servers.theirs.metadata.get_input_schema(),
            servers.theirs.metadata.get_output_schema(),
        )
    )
    assert inputs == [
        ("visit_id", "string", False),
        ("age", "long", True),
        ("spent", "double", True),
        ("where", "string", True),
    ]
    assert outputs == [
        ("visit_id", "string", False),
        ("prediction", "string", True),
        ("probability", "double", True),
    ]
