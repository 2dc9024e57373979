"""The file that trained a model, posted back in any form, is scored exactly as the training rows were."""

import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from flask.testing import FlaskClient
from mlflow.exceptions import MlflowException
from werkzeug.test import TestResponse

from lightmodel.sources.base import FetchOptions
from lightmodel.sources.factory import fetch_first
from tests.chain.test_examples import students, wine
from tests.fakes.progress import Watching
from tests.fakes.project import ROOT
from tests.fakes.tracing import tracing_paused
from tests.fakes.trained import Trained, is_merged, scores_in, train
from tests.serve.tables import texts
from tests.serve.tables.base import Case, Frame
from tests.serve.tables.models import CASES, Models, case_of

Post = Callable[[FlaskClient, Case], TestResponse]

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


# ---- the forms --------------------------------------------------------------------------------------


def raw(client: FlaskClient, body: bytes, kind: str) -> TestResponse:
    return client.post("/predict", data=body, content_type=kind)


def form(client: FlaskClient, body: bytes, file: str, kind: str | None = None) -> TestResponse:
    about = f'Content-Disposition: form-data; name="file"; filename="{file}"\r\n'
    about += f"Content-Type: {kind}\r\n" if kind else ""
    data = f"--mark\r\n{about}\r\n".encode() + body + b"\r\n--mark--\r\n"
    return raw(client, data, "multipart/form-data; boundary=mark")


def _unpacked(case: Case) -> bytes:
    return case.text.encode(case.encoding)


def _in_members(data: bytes) -> bytes:
    middle = len(data) // 2
    return gzip.compress(data[:middle]) + gzip.compress(data[middle:])


KINDS = {"csv": "text/csv", "jsonl": "application/x-ndjson", "xlsx": EXCEL}


def _kind(case: Case) -> str:
    return KINDS.get(case.file.rpartition(".")[2], "application/octet-stream")


AS_IT_WAS: Mapping[str, Post] = {
    "raw": lambda client, case: raw(client, case.content, _kind(case)),
    "file": lambda client, case: form(client, case.content, case.file),
    "octets": lambda client, case: raw(client, case.content, "application/octet-stream"),
}
AS_TEXT: Mapping[str, Post] = {
    "gzip": lambda client, case: raw(client, gzip.compress(_unpacked(case)), "text/csv"),
    "members": lambda client, case: form(client, _in_members(_unpacked(case)), "rows.csv.gz"),
    "charset": lambda client, case: raw(
        client, _unpacked(case), f"text/csv; charset={case.encoding}"
    ),
    "file with charset": lambda client, case: form(
        client, _unpacked(case), "rows.csv", f"text/csv; charset={case.encoding}"
    ),
    "UTF-8": lambda client, case: raw(client, case.text.encode(), "text/csv"),
    "UTF-8 said": lambda client, case: raw(client, case.text.encode(), "text/csv; charset=utf-8"),
    "UTF-16": lambda client, case: raw(
        client, case.text.removeprefix("\ufeff").encode("utf-16"), "text/csv"
    ),
}


def _plain(frame: Frame) -> list[dict[str, Any]]:
    """Return records of plain values, None where there is none."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return cast("list[dict[str, Any]]", records)


def _dumped(content: object) -> bytes:
    return json.dumps(content, default=str).encode()


def _json(frame: Frame, **options: Any) -> str:
    text: str = frame.to_json(double_precision=15, date_format="iso", **options)
    return text


def _written(write: Callable[..., object], **options: object) -> bytes:
    sink = io.BytesIO()
    write(sink, index=False, **options)
    return sink.getvalue()


def _split(frame: Frame) -> bytes:
    content = json.loads(_json(frame, orient="split"))
    return _dumped({"dataframe_split": {key: content[key] for key in ("columns", "data")}})


BODIES: Mapping[str, tuple[str, Callable[[Frame], bytes]]] = {
    "JSON": ("application/json", lambda frame: _json(frame, orient="records").encode()),
    "JSON of plain values": ("application/json", lambda frame: _dumped(_plain(frame))),
    "JSON Lines": (
        "application/x-ndjson",
        lambda frame: _json(frame, orient="records", lines=True).encode(),
    ),
    "dataframe_split": ("application/json", _split),
    "dataframe_records": (
        "application/json",
        lambda frame: _dumped({"dataframe_records": _plain(frame)}),
    ),
    "inputs": (
        "application/json",
        lambda frame: _dumped(
            {"inputs": pd.DataFrame(_plain(frame), dtype=object).to_dict("list")}
        ),
    ),
    "CSV of pandas": ("text/csv", lambda frame: _written(frame.to_csv)),
    "Parquet": ("application/octet-stream", lambda frame: _written(frame.to_parquet)),
    "Excel": (EXCEL, lambda frame: _written(frame.to_excel)),
}


# ---- what must hold ---------------------------------------------------------------------------------


def fault_of(answer: TestResponse, model: Trained, case: Case) -> str:
    """Return the difference between an answer and the scores of the training rows."""
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.get_json()['detail']}"
    if unseen := answer.headers.get("X-Unseen-Categories"):
        return f"unseen: {unseen}"
    return fault_in(answer.get_json(), model, case)


def fault_in(found: list[dict[str, Any]], model: Trained, case: Case) -> str:
    """Return what is wrong with answered rows: their number, scores, predictions or ids."""
    if len(found) != model.rows:
        return f"{len(found)} rows"
    scores = [scores_in(row) for row in found]
    if not is_merged(scores, model.train_scores, model.test_scores):
        return "other scores"
    if [row["prediction"] for row in found] != [model.decided(one) for one in scores]:
        return "other predictions"
    key = model.served.contract.id
    if case.ids is None or key is None:
        return ""
    ids = [row[key.name] for row in found]
    exact = not any(isinstance(one, float) for one in ids)
    return "" if exact and list(map(str, ids)) == list(case.ids) else "other ids"


def fault_of_mlflow(frame: Frame, model: Trained, case: Case) -> str:
    """Return what is wrong with what MLflow's model answers to a frame."""
    try:
        answered = model.row_model().predict(frame)
    except MlflowException as error:
        return error.message
    return fault_in(cast("list[dict[str, Any]]", answered.to_dict("records")), model, case)


Faults = Iterator[tuple[str, str]]


def faults_of_text(client: FlaskClient, model: Trained, case: Case) -> Faults:
    """Post the file unchanged, and its text in other compressions and encodings; return the faults."""
    ways = {**AS_IT_WAS, **(AS_TEXT if case.encoding else {})}
    for name, post in ways.items():
        yield name, fault_of(post(client, case), model, case)


def faults_of_frames(
    bodies: Iterable[str], client: FlaskClient, model: Trained, case: Case
) -> Faults:
    """Post the table as pandas writes it, also with its values in other types."""
    for variant, frame in {"": case.frame, **case.variants}.items():
        for body in bodies:
            if body not in case.without and _holds(frame, body):
                kind, write = BODIES[body]
                with tracing_paused():  # pandas and openpyxl write it
                    written = write(frame)
                answer = raw(client, written, kind)
                yield f"{body} {variant}".strip(), fault_of(answer, model, case)


def _holds(frame: Frame, body: str) -> bool:
    """Return whether a form can hold a frame: a column of Parquet has one type."""
    columns = [{type(cell) for cell in frame[name] if not pd.isna(cell)} for name in frame.columns]
    return body != "Parquet" or all(len(types) < 2 for types in columns)


def faults_of_mlflow(model: Trained, case: Case) -> Faults:
    """Pass the same frames to MLflow's model."""
    for variant, frame in {"": case.frame, **case.variants}.items():
        yield f"MLflow {variant}".strip(), fault_of_mlflow(frame, model, case)


def wrong(*faults: Faults) -> dict[str, str]:
    """Return the ways that have a fault."""
    return {name: fault for name, fault in chain.from_iterable(faults) if fault}


@pytest.mark.parametrize("name", CASES)
def test_a_table_is_scored_alike_in_every_format(models: Models, name: str) -> None:
    model, case, client = models.model(name), case_of(name), models.client(name, compiled=False)
    assert model.rows == len(case.frame)
    assert len({tuple(one) for one in model.train_scores}) > 3  # or nothing would be shown
    assert not wrong(
        faults_of_text(client, model, case),
        faults_of_frames(BODIES, client, model, case),
        faults_of_mlflow(model, case),
    )


@pytest.mark.parametrize("name", texts.CASES)
def test_texts_are_scored_by_their_words(models: Models, name: str) -> None:
    model = models.model(name)
    (column,) = [one for one in model.served.contract.features if one.name == "c"]
    assert (column.type, column.categories) == ("text", ())
    gains = json.loads((model.served.folder / "feature_importance_gain.json").read_bytes())
    assert sum(gain for name, gain in gains.items() if name.startswith("c (text")) > 0
    assert gains.keys() == {*model.served.predictor.names}


@pytest.mark.parametrize("name", CASES)
def test_the_sample_rows_of_the_service_can_be_posted(models: Models, name: str) -> None:
    client = models.client(name, compiled=False)
    answer = raw(client, client.get("/sample.csv").data, "text/csv")
    assert answer.status_code == 200, answer.text
    assert "X-Unseen-Categories" not in answer.headers


@pytest.mark.compiler
@pytest.mark.parametrize("name", CASES)
def test_the_compiled_reader_scores_a_table_alike(models: Models, name: str) -> None:
    model, case, client = models.model(name), case_of(name), models.client(name, compiled=True)
    assert not wrong(
        faults_of_text(client, model, case),
        faults_of_frames(["CSV of pandas"], client, model, case),
    )


READERS = [False, pytest.param(True, marks=pytest.mark.compiler)]


@pytest.mark.parametrize("compiled", READERS)
@pytest.mark.parametrize("name", ["7, 8, A", "7, 8, A with gaps"])
def test_rows_of_whole_numbers_alone_are_floats_to_pandas(
    models: Models, name: str, *, compiled: bool
) -> None:
    """Without its letters, a column with gaps is one of floats: pandas writes 7.0."""
    case, client = case_of(name), models.client(name, compiled=compiled)
    every = raw(client, case.content, "text/csv").get_json()
    chosen = (case.frame["c"] != "A").to_numpy()
    part = case.frame[chosen].assign(c=pd.to_numeric(case.frame["c"][chosen]).astype(float))
    expected = [row for row, wanted in zip(every, chosen, strict=True) if wanted]
    for kind, make in BODIES.values():
        answer = raw(client, make(part), kind)
        assert answer.get_json() == expected
        assert "X-Unseen-Categories" not in answer.headers


@pytest.mark.compiler
def test_a_compiled_model_scores_its_table_alike(tmp_path: Path) -> None:
    case = case_of("commas")
    (tmp_path / "rows.csv").write_bytes(case.content)
    settings = {"data.source": tmp_path / "rows.csv", "data.target": "y", "train.compile": "auto"}
    model = train(tmp_path, settings.items())
    assert "compiled.json" in model.served.manifest.files
    client = model.client(compiled=False)
    assert not wrong(
        faults_of_text(client, model, case),
        faults_of_frames(BODIES, client, model, case),
        faults_of_mlflow(model, case),
    )


# ---- the examples -----------------------------------------------------------------------------------


def example(name: str, folder: Path) -> tuple[Trained, Case]:
    """Train an example on a small table; the network's is what test_network.py is about."""
    sources: Mapping[str, Callable[[], object]] = {
        "wine": lambda: wine(folder),
        "students": lambda: students(folder),
        "santander": lambda: "sample://santander?rows=900&seed=1",
    }
    settings = {"data.source": sources[name]()} if name in sources else {}
    more = {"santander": {"train.parameters": "{num_leaves = 4, max_rounds = 40}"}}.get(name, {})
    model = train(folder, {**settings, **more}.items(), ROOT / "examples" / f"{name}.toml")
    options = FetchOptions(folder / "work" / "cache", "changed", "", 30, 0, Watching())
    content = fetch_first((model.config.data.source,), options).paths[0].read_bytes()
    mark = ";" if b";" in content.partition(b"\n")[0] else ","
    # openpyxl takes longer for a wide table than all else takes
    without = frozenset({"Excel"} if name in {"digits", "santander"} else ())
    return model, Case(content, pd.read_csv(io.BytesIO(content), sep=mark), without=without)


@pytest.mark.compiler
@pytest.mark.parametrize("name", ["breast-cancer", "digits", "wine", "students", "santander"])
def test_an_example_is_scored_alike_in_every_format(tmp_path: Path, name: str) -> None:
    model, case = example(name, tmp_path)
    plain, compiled = model.client(compiled=False), model.client(compiled=True)
    assert not wrong(
        faults_of_text(plain, model, case),
        faults_of_frames(BODIES, plain, model, case),
        faults_of_mlflow(model, case),
    )
    assert not wrong(faults_of_text(compiled, model, case))
