"""Rows that training would not have accepted: scored with a warning, or refused, by two settings."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import lightmodel.service
from lightmodel.config import Config
from lightmodel.scoring.model_store import open_version
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from lightmodel.tracking.pyfunc import RowModel, _load_pyfunc
from tests.fakes.trained import Trained, train

MISSING, BEYOND = "X-Missing-Values", "X-Out-Of-Range"
ROWS = 300


def table() -> pd.DataFrame:
    """Return tickets: in no column but `note` is a value missing."""
    random = np.random.default_rng(3)
    fare, year = random.gamma(3.0, 30.0, ROWS).round(1) + 50, random.integers(2001, 2013, ROWS)
    return pd.DataFrame(
        {
            "fare": fare,
            "year": year,
            "member": random.random(ROWS) < 0.3,
            "port": random.choice(["Cork", "Dover"], ROWS),
            "note": np.where(random.random(ROWS) < 0.2, np.nan, random.random(ROWS).round(2)),
            "y": fare / 10 + (year - 2006) + random.normal(0, 0.2, ROWS),
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("tickets")
    table().to_csv(folder / "tickets.csv", index=False)
    return train(folder, {"data.source": folder / "tickets.csv", "data.target": "y"}.items())


def client_of(model: Trained, **serve: str) -> FlaskClient:
    config = model.config.model_copy(update={"serve": model.config.serve.model_copy(update=serve)})
    return lightmodel.service.create_app(config).test_client()


@pytest.fixture(scope="module")
def client(model: Trained) -> FlaskClient:
    opened = client_of(model)
    assert opened.get("/ready").status_code == 200  # the event loop answers when a model is loaded
    return opened


def json_of(frame: pd.DataFrame) -> bytes:
    return frame.to_json(orient="records").encode()


def parquet_of(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False)
    return sink.getvalue()


def excel_of(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_excel(sink, index=False)
    return sink.getvalue()


FORMS: dict[str, tuple[str, Callable[[pd.DataFrame], bytes]]] = {
    "CSV": ("text/csv", lambda frame: frame.to_csv(index=False).encode()),
    "JSON": ("application/json", json_of),
    "JSON Lines": (
        "application/x-ndjson",
        lambda frame: frame.to_json(orient="records", lines=True).encode(),
    ),
    "Parquet": ("application/vnd.apache.parquet", parquet_of),
    "Excel": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        excel_of,
    ),
}


def odd_rows() -> pd.DataFrame:
    """Return rows of which some lack a value, or are far beyond what training saw."""
    frame = table().drop(columns="y").head(6).astype({"member": object})
    frame.loc[[0, 3], "fare"] = np.nan
    frame.loc[1, "member"] = None
    frame.loc[2, "port"] = None
    frame.loc[4, "year"] = 2100
    return frame


def median_rows() -> pd.DataFrame:
    """Return the same rows with what stands for the missing values."""
    frame, whole = odd_rows(), table()
    frame["fare"] = frame["fare"].fillna(np.sort(whole["fare"])[ROWS // 2 - 1])
    frame.loc[1, "member"] = False
    frame.loc[2, "port"] = "never seen"
    return frame


def ask(
    client: FlaskClient, form: str, frame: pd.DataFrame, route: str = "/predict"
) -> TestResponse:
    kind, body = FORMS[form]
    return client.post(route, data=body(frame), content_type=kind)


def predictions(answer: TestResponse) -> list[float]:
    return [row["prediction"] for row in answer.get_json()]


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_lack_values_are_scored_and_counted_in_every_form(
    client: FlaskClient, form: str
) -> None:
    answer = ask(client, form, odd_rows())
    assert answer.status_code == 200, answer.text
    assert answer.headers[MISSING] == "fare=2, member=1, port=1"
    assert answer.headers[BEYOND] == "year=1"
    filled = ask(client, form, median_rows())
    assert MISSING not in filled.headers
    assert predictions(answer) == predictions(filled)


def test_the_median_stands_for_a_missing_number_and_not_zero(client: FlaskClient) -> None:
    row = {"fare": 140.0, "year": None, "member": False, "port": "Cork", "note": None}
    years = [client.post("/predict", json={**row, "year": year}) for year in (None, 2001, 2006)]
    lacking, first, middle = (answer.get_json()[0]["prediction"] for answer in years)
    assert abs(lacking - middle) < abs(lacking - first)
    assert BEYOND not in years[0].headers


@pytest.mark.parametrize("form", FORMS)
def test_the_settings_refuse_such_rows_and_the_error_names_them(model: Trained, form: str) -> None:
    strict = client_of(model, on_missing="refuse", on_out_of_range="refuse")
    answer = ask(strict, form, odd_rows())
    assert answer.status_code == 422
    found = {(one["column"], one["rule"]): one["rows"] for one in answer.get_json()["violations"]}
    assert found == {
        ("fare", "missing"): [1, 4],
        ("member", "missing"): [2],
        ("port", "missing"): [3],
        ("year", "range"): [5],
    }
    assert 'serve.on_missing = "warn"' in answer.get_json()["hint"]
    assert 'serve.on_out_of_range = "warn"' in answer.get_json()["hint"]


@pytest.mark.parametrize("form", FORMS)
def test_each_setting_is_about_its_own_rule(model: Trained, form: str) -> None:
    answer = ask(client_of(model, on_missing="refuse"), form, odd_rows())
    assert {one["rule"] for one in answer.get_json()["violations"]} == {"missing"}
    rows = odd_rows().iloc[[4]]
    assert ask(client_of(model, on_missing="refuse"), form, rows).headers[BEYOND] == "year=1"


@pytest.mark.parametrize(
    ("change", "rule"), [({"fare": "dear"}, "type"), ({"fare": "inf"}, "infinite")]
)
@pytest.mark.parametrize("form", ["CSV", "JSON", "JSON Lines"])
def test_a_cell_that_is_no_number_is_refused_whatever_the_settings(
    client: FlaskClient, form: str, change: dict[str, str], rule: str
) -> None:
    frame = odd_rows().astype({"fare": object}).assign(**change)
    answer = ask(client, form, frame)
    assert answer.status_code == 422
    assert {(one["column"], one["rule"]) for one in answer.get_json()["violations"]} == {
        ("fare", rule)
    }


def test_an_absent_column_is_refused_whatever_the_settings(client: FlaskClient) -> None:
    answer = ask(client, "CSV", odd_rows().drop(columns="fare"))
    assert answer.status_code == 422
    assert answer.get_json()["violations"][0]["rule"] == "absent"


def test_a_column_without_any_value_is_scored(client: FlaskClient) -> None:
    for form in FORMS:
        answer = ask(client, form, odd_rows().assign(fare=None, port=None))
        assert answer.status_code == 200, answer.text
        assert answer.headers[MISSING] == "fare=6, member=1, port=6"


def test_warnings_of_all_blocks_are_added_up_however_the_rows_arrive(client: FlaskClient) -> None:
    rows = pd.concat([odd_rows()] * 5_000)
    for form in ("CSV", "JSON Lines"):
        answer = ask(client, form, rows)
        assert answer.headers[MISSING] == "fare=10000, member=5000, port=5000"
        assert answer.headers[BEYOND] == "year=5000"


def test_the_event_loop_answers_such_rows_itself(client: FlaskClient) -> None:
    small = client.application.extensions["json_requests"]
    body = json_of(odd_rows())
    scope = {"method": "POST", "path": "/predict", "client": ("1.2.3.4", 1)}
    answer = small.answer(scope, {}, body)
    assert answer is not None
    assert dict(answer.headers)[MISSING.lower().encode()] == b"fare=2, member=1, port=1"
    assert json.loads(answer.body) == client.post("/predict", json=json.loads(body)).get_json()


def test_mlflows_route_and_its_model_score_alike(
    client: FlaskClient, model: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post(
        "/invocations", json={"dataframe_records": json.loads(json_of(odd_rows()))}
    )
    assert answer.headers[MISSING] == "fare=2, member=1, port=1"
    own = model.row_model().predict(odd_rows())
    assert own["prediction"].tolist() == [
        row["prediction"] for row in answer.get_json()["predictions"]
    ]
    assert "column 'year': 1 rows have a number far outside the range of training" in caplog.text


def test_mlflows_model_takes_the_settings_from_the_environment_and_from_no_file(
    model: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.toml").write_text("[of another program]\n", encoding="utf-8")
    folder = str(model.served.folder)
    assert _load_pyfunc(folder).served.rules.tolerated == {"missing", "range"}
    monkeypatch.setenv("LIGHTMODEL__SERVE__ON_MISSING", "refuse")
    assert _load_pyfunc(folder).served.rules.tolerated == {"range"}


def test_contributions_are_those_of_the_values_that_stand_in(client: FlaskClient) -> None:
    kind, body = FORMS["JSON"]
    rows = client.post("/predict?explain=5", data=body(odd_rows()), content_type=kind).get_json()
    for row in rows:
        total = row["base_value"] + sum(part["value"] for part in row["contributions"])
        assert total == pytest.approx(row["prediction"])


def test_a_header_is_one_short_line_of_ascii_whatever_the_names(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    names = ["a=1, b", "größe", "x" * 500, *(f"plain {number}" for number in range(30))]
    frame = pd.DataFrame({name: random.normal(size=ROWS) for name in (*names, "present")})
    frame.assign(y=frame["a=1, b"] * 3).to_csv(tmp_path / "odd.csv", index=False)
    settings = {"data.source": tmp_path / "odd.csv", "data.target": "y"}
    own = train(tmp_path, settings.items()).client(compiled=False)
    header = ask(own, "JSON", frame.head(1).assign(**dict.fromkeys(names[:-1]))).headers[MISSING]
    assert header.startswith(r"a\x3d1\x2c b=1, gr\xf6\xdfe=1, plain 0=1")
    assert header.endswith(", and 12 more")
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2_000


def test_metrics_count_cells_by_column(model: Trained) -> None:
    own = client_of(model)
    ask(own, "JSON", odd_rows())
    text = own.get("/metrics").text
    assert 'lightmodel_missing_values_total{column="fare"} 2.0' in text
    assert 'lightmodel_out_of_range_total{column="year"} 1.0' in text


def test_the_schema_and_openapi_tell_what_happens(client: FlaskClient, model: Trained) -> None:
    strict = client_of(model, on_missing="refuse", on_out_of_range="refuse")
    for one, choice in ((client, "warn"), (strict, "refuse")):
        schema = one.get("/schema").get_json()
        assert (schema["on_missing"], schema["on_out_of_range"]) == (choice, choice)
        described = one.get("/openapi.json").get_json()
        fare = described["components"]["schemas"]["Row"]["properties"]["fare"]
        assert fare["nullable"] is (choice == "warn")
        assert ("maximum" in fare) is (choice == "refuse")
        headers = described["paths"]["/predict"]["post"]["responses"]["200"]["headers"]
        assert {MISSING, BEYOND} <= headers.keys()


MODULE = """
import numpy as np
def features(columns):
    assert not np.isnan(columns["fare"]).any(), "it had a value in each training row"
    return {"cheap": columns["fare"] < 100}
"""
MEMBERS = """{members = [
    {estimator = "lightgbm", parameters = {max_rounds = 5}},
    {estimator = "sklearn.linear_model.Ridge"},
]}"""
LEARNERS: dict[str, dict[str, str]] = {
    "a linear model": {
        "train.estimator": "sklearn.linear_model.LinearRegression",
        "train.parameters": "{}",
    },
    "nearest neighbours": {
        "train.estimator": "sklearn.neighbors.KNeighborsRegressor",
        "train.parameters": "{}",
    },
    "a blend": {"train.estimator": "blend", "train.parameters": MEMBERS},
    "counts and features()": {"train.features": '["frequency"]', "train.module": "own.py"},
    "compiled trees": {"train.compile": "auto"},
    "a network": {
        "train.estimator": "neural",
        "train.parameters": "{width = 8, epochs = 30}",
    },
}


@pytest.mark.parametrize(
    "learner",
    [
        *(name for name in LEARNERS if name != "a network"),
        pytest.param("a network", marks=pytest.mark.neural),
    ],
)
def test_every_learner_scores_a_missing_value_as_the_median(tmp_path: Path, learner: str) -> None:
    table().to_csv(tmp_path / "tickets.csv", index=False)
    (tmp_path / "own.py").write_text(MODULE, encoding="utf-8")
    settings = {
        "data.source": tmp_path / "tickets.csv",
        "data.target": "y",
        **LEARNERS[learner],
    }
    trained = train(tmp_path, settings.items())
    own = trained.client(compiled=False)
    answer = ask(own, "JSON", odd_rows())
    assert answer.status_code == 200, answer.text
    assert predictions(answer) == predictions(ask(own, "JSON", median_rows()))
    assert np.isfinite(predictions(answer)).all()


def test_a_model_without_a_profile_takes_the_middle_of_the_range(model: Trained) -> None:
    version = newest_approved(models_of(model.config))
    files = {name: one for name, one in version.manifest.files.items() if name != "profile.json"}
    old = replace(version, manifest=replace(version.manifest, files=files))
    served = open_version(old, Config())
    low, high = table()["year"].min(), table()["year"].max()
    rows = odd_rows().head(1).assign(fare=100.0)
    (lacking,) = RowModel(served).predict(rows.assign(year=np.nan))["prediction"]
    (middle,) = RowModel(served).predict(rows.assign(year=(low + high) / 2))["prediction"]
    assert lacking == middle
