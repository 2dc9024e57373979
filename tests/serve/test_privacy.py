"""No route shows names, addresses or rare values of the training rows, and what it shows can be posted."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient

from lightmodel.scoring.model_store import open_version
from lightmodel.store import codec
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from tests.fakes.trained import Trained, train

ROWS = 400
PATHS = ("/schema", "/model", "/sample.csv", "/openapi.json", "/postman.json", "/", "/model/report")
NAMES = ("Ada", "Bea", "Cleo", "Dora", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Return customers: names and addresses as features, towns of which some are rare, and phones."""
    random = np.random.default_rng(5)
    towns = np.array(["Ulm"] * 200 + ["Bonn"] * 196 + ["Kleinkleckersdorf"] * 4)
    random.shuffle(towns)
    age = random.integers(18, 80, ROWS)
    return pd.DataFrame(
        {
            "customer_id": [f"cust-{number:05d}@shop.example" for number in range(ROWS)],
            "name": [f"{random.choice(NAMES)} Secret{number:03d}" for number in range(ROWS)],
            "mail": [f"person{number // 8}@mail.example" for number in range(ROWS)],
            "town": towns,
            "hotline": random.choice(["+49 151 2345678", "web", "shop"], ROWS),
            "age": age,
            "y": np.where(age + random.normal(0, 8, ROWS) > 50, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Trained:
    folder = tmp_path_factory.mktemp("customers")
    table.to_csv(folder / "customers.csv", index=False)
    settings = {
        "data.source": folder / "customers.csv",
        "data.target": "y",
        "data.id": "customer_id",
        "train.parameters": "{num_leaves = 4, max_rounds = 8, min_data_per_group = 1, cat_smooth = 1}",
    }
    return train(folder, settings.items())


@pytest.fixture(scope="module")
def client(model: Trained) -> FlaskClient:
    return model.client(compiled=False)


def leaks(text: str) -> list[str]:
    """Return what a text tells of persons or rare rows."""
    secrets = ("Secret", "@mail.example", "@shop.example", "Kleinkleckersdorf", "151 2345678")
    return [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("path", PATHS)
def test_no_route_publishes_persons_or_rare_values(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert not leaks(answer.text)


def test_the_routes_on_versions_show_none(client: FlaskClient) -> None:
    served = client.get("/models").get_json()["served"]
    for path in ("/models", f"/models/{served}", f"/models/{served}/report"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert not leaks(answer.text), path
    town = next(
        one
        for one in client.get(f"/models/{served}").get_json()["contract"]["columns"]
        if one["name"] == "town"
    )
    assert (town["categories"], town["categories_withheld"]) == (["Bonn", "Ulm"], 1)


def test_the_schema_counts_what_it_withholds(client: FlaskClient) -> None:
    columns = {one["name"]: one for one in client.get("/schema").get_json()["columns"]}
    found = {
        name: (one["categories"], one["categories_withheld"])
        for name, one in columns.items()
        if "categories" in one
    }
    assert found["town"] == (["Bonn", "Ulm"], 1)
    assert found["hotline"] == (["shop", "web"], 1)
    assert found["mail"] == ([], 50)
    assert columns["name"]["type"] == "text"
    assert "name" not in found
    row = client.get("/openapi.json").get_json()["components"]["schemas"]["Row"]["properties"]
    assert "Bonn, Ulm and 1 that are not published" in row["town"]["description"]
    assert row["name"]["description"] == "free text"


def test_the_published_sample_rows_get_the_published_scores(client: FlaskClient) -> None:
    samples = client.get("/model").get_json()["samples"]
    body = client.get("/sample.csv").data
    rows = client.post("/predict", data=body, content_type="text/csv").get_json()
    assert [row["probability"] for row in rows] == [one["score"][0] for one in samples]
    assert [row["customer_id"] for row in rows] == [f"sample-{number}" for number in range(1, 6)]
    frame = pd.read_csv(io.BytesIO(body))
    assert set(frame["name"]) == {"withheld"}
    assert set(frame["town"]) <= {"Bonn", "Ulm"}


def test_the_bundle_holds_no_row(model: Trained) -> None:
    version = newest_approved(models_of(model.config))
    samples = [one["values"] for one in version.manifest.samples]
    assert not leaks(json.dumps(samples))
    assert [one["customer_id"] for one in samples] == [f"sample-{number}" for number in range(1, 6)]
    assert {word for one in samples for word in one["name"].split()} <= {*NAMES}
    assert samples == [one["values"] for one in codec.load(version)["samples"]]


def test_the_model_knows_every_category_nevertheless(
    client: FlaskClient, table: pd.DataFrame
) -> None:
    body = table.drop(columns="y").to_csv(index=False).encode()
    answer = client.post("/predict", data=body, content_type="text/csv")
    assert answer.status_code == 200
    assert "X-Unseen-Categories" not in answer.headers


def test_a_model_without_a_profile_publishes_no_category(model: Trained) -> None:
    version = newest_approved(models_of(model.config))
    files = {name: one for name, one in version.manifest.files.items() if name != "profile.json"}
    old = open_version(replace(version, manifest=replace(version.manifest, files=files)))
    assert {old.published.categories(one) for one in old.contract.features} == {()}
    assert not leaks(json.dumps(old.samples))


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")
def test_mlflows_model_shows_none_either(model: Trained) -> None:
    from lightmodel.tracking.model_folder import packed_model

    version = newest_approved(models_of(model.config))
    with packed_model(version.folder, "0" * 32) as folder:
        shown = [path for path in Path(folder).iterdir() if path.is_file()]
        assert {"MLmodel", "input_example.json"} <= {path.name for path in shown}
        assert not [leak for path in shown for leak in leaks(path.read_text(encoding="utf-8"))]
        assert list(Path(folder).rglob("profile.json"))  # what stands for missing values is in it
