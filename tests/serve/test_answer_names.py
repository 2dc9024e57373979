"""Columns of the table that are named like values of an answer lose nothing, in JSON and in CSV."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from lightmodel.cli import exit_code
from lightmodel.errors import DataError
from tests.fakes.trained import run_chain, settings_for, train


def table_with(folder: Path, *, id_name: str, feature: str, target: str) -> Path:
    """Write a table of 400 rows, and return its path."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(400, 2)).round(3)
    classes = np.where(numbers[:, 0] + random.normal(size=400) > 0, "yes", "no")
    lines = [f"{id_name},{feature},b,{target}"]
    lines += [
        f"u{row},{one},{two},{label}"
        for row, ((one, two), label) in enumerate(zip(numbers.tolist(), classes, strict=True))
    ]
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_target_and_a_feature_may_be_named_like_values_of_the_answer(tmp_path: Path) -> None:
    path = table_with(tmp_path, id_name="row_id", feature="probability", target="prediction")
    model = train(tmp_path, {"data.source": path, "data.target": "prediction"}.items())
    client = model.client(compiled=False)
    content = path.read_bytes()
    answers = client.post("/predict", data=content, content_type="text/csv").get_json()
    assert [list(row) for row in answers[:1]] == [["row_id", "prediction", "probability"]]
    assert [row["row_id"] for row in answers] == [f"u{row}" for row in range(400)]
    as_csv = client.post(
        "/predict", data=content, content_type="text/csv", headers={"Accept": "text/csv"}
    )
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert as_csv.text.splitlines()[0] == "row_id,prediction,probability"
    assert [row["row_id"] for row in rows] == [row["row_id"] for row in answers]
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in answers]


@pytest.mark.parametrize("name", ["prediction", "probability"])
def test_an_id_of_such_a_name_stops_training_before_it_is_lost(tmp_path: Path, name: str) -> None:
    path = table_with(tmp_path, id_name=name, feature="a", target="y")
    settings = {"data.source": path, "data.target": "y", "data.id": name}
    with pytest.raises(DataError, match=f"the id column '{name}'") as caught:
        run_chain(settings_for(tmp_path, settings.items()))
    assert exit_code(caught.value) == 65
    assert "set data.id to another column" in caught.value.hint
