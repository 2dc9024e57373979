"""A model whose training rows had weights is tested by them, and served without."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from sklearn import metrics as sk

from lightmodel.pipeline.context import read_split
from lightmodel.store.versions import splits_of
from tests.fakes.project import Project
from tests.fakes.tables import shop_table
from tests.fakes.trained import Trained, train


def weighted_table(rows: int = 600) -> pa.Table:
    weights = np.random.default_rng(5).gamma(1.0, 2.0, rows).round(2)
    return shop_table(rows).append_column("share", pa.array(weights))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("weighted")
    arrow_csv.write_csv(weighted_table(), folder / "shop.csv")
    settings = {
        "data.source": folder / "shop.csv",
        "data.target": "bought",
        "train.weight": "share",
        "train.class_weight": "{yes = 2.0}",
    }
    return train(folder, settings.items())


def test_it_answers_alike_with_a_weight_and_without(model: Trained) -> None:
    client = model.client(compiled=False)
    rows = shop_table().slice(0, 5).to_pylist()
    answers = [
        client.post("/predict", json=[{**row, **more} for row in rows])
        for more in ({}, {"share": 3.0}, {"share": None}, {"share": "heavy"})
    ]
    assert [one.status_code for one in answers] == [200] * 4
    assert all(one.get_json() == answers[0].get_json() for one in answers)


def test_its_column_of_weights_is_no_published_feature(model: Trained) -> None:
    client = model.client(compiled=False)
    assert model.served.contract.feature_names == ("age", "spent", "where")
    for page in ("/schema", "/openapi.json"):
        answered = client.get(page)
        assert answered.status_code == 200
        assert "share" not in json.dumps(answered.get_json())


def test_its_test_metrics_are_weighted_and_the_pages_say_so(model: Trained) -> None:
    splits = splits_of(model.config)
    rows = read_split(splits, splits.get(model.served.manifest.inputs["split"]), "test")
    truth = rows["bought"].to_numpy(zero_copy_only=False) == "yes"
    scores = np.array(model.test_scores).ravel()
    verdict = json.loads((model.served.folder / "verdict.json").read_bytes())
    weights = rows["share"].to_numpy()
    auc = sk.roc_auc_score(truth, scores, sample_weight=weights)
    assert verdict["value"] == pytest.approx(auc)
    plain = sk.roc_auc_score(truth, scores)
    assert abs(auc - plain) > 1e-4
    assert verdict["evaluation"]["unweighted"]["auc"] == pytest.approx(plain)
    report = (model.served.folder / "report.html").read_text(encoding="utf-8")
    assert "<code>share</code>: all metrics weigh each row by this column" in report
    assert "<code>yes 2</code>, in fitting only" in report
    card = model.client(compiled=False).get("/").get_data(as_text=True)
    assert "Metrics weighted by" in card
    assert "Class weights" in card


@pytest.mark.parametrize(
    ("sets", "code", "told"),
    [
        (("train.weight=spnt",), 65, "is it 'spent'?"),
        (("train.weight=spent",), 65, "holds the weights of the rows, and has no value (row"),
        (("train.weight=bought",), 78, "the same column is named by data.target"),
        (("train.weight=age", "data.feedback=true"), 78, "data.feedback cannot be used with"),
        (("train.class_weight={maybe=2}",), 78, "there is no class 'maybe'"),
        (("train.class_weight=even",), 78, "input should be 'none' or 'balanced'"),
        (("train.class_weight={yes=-2}",), 78, "the weight of a class must be a number above 0"),
        (
            ("train.parameters={unbalance=true}", "train.class_weight=balanced"),
            78,
            "train.parameters weigh the classes, too: unbalance",
        ),
        (("train.parameters={weight_column=3}",), 78, "set train.weight"),
    ],
)
def test_what_cannot_be_weighed_is_said_with_the_code_of_its_kind(
    project: Project, sets: tuple[str, ...], code: int, told: str
) -> None:
    ran = project.run(*(word for one in sets for word in ("--set", one)))
    assert ran.code == code, ran.err
    assert told in ran.err
