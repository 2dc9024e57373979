"""A model of each objective predicts what it says, and is served as it was tested."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest

from tests.fakes.project import Project
from tests.fakes.trained import train

ROWS = 1_200
Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]
TARGETS: dict[str, Draw] = {
    "mae": lambda random, mean: mean + random.standard_t(2, ROWS),
    "huber": lambda random, mean: mean + random.standard_t(2, ROWS),
    "quantile": lambda random, mean: mean + random.exponential(2.0, ROWS),
    "poisson": lambda random, mean: random.poisson(mean),
    "gamma": lambda random, mean: random.gamma(2.0, mean / 2),
    "tweedie": lambda random, mean: random.poisson(mean / 2) * random.gamma(2.0, 1.0, ROWS),
    "cross_entropy": lambda random, mean: random.beta(mean, 4.0),
}


def table(objective: str) -> tuple[pa.Table, np.ndarray]:
    random = np.random.default_rng(3)
    amount, place = random.uniform(0, 10, ROWS), random.choice(["a", "b"], ROWS)
    mean = 0.5 + amount * np.where(place == "a", 0.3, 0.6)
    target = np.round(TARGETS[objective](random, mean), 4)
    if objective == "gamma":
        target = np.maximum(target, 0.01)
    return pa.table({"amount": amount, "place": place, "paid": target}), target


@pytest.mark.parametrize("objective", TARGETS)
def test_a_model_of_each_objective_is_approved_by_its_metric_and_served(
    objective: str, tmp_path: Path
) -> None:
    rows, target = table(objective)
    arrow_csv.write_csv(rows, tmp_path / "paid.csv")
    alpha = {"quantile": 0.9}.get(objective)
    settings = {
        "data.source": tmp_path / "paid.csv",
        "data.target": "paid",
        "train.task": "regression",
        "train.objective": objective,
        "train.parameters": "{num_leaves = 4, max_rounds = 200, learning_rate = 0.1}",
        **({"train.alpha": alpha} if alpha else {}),
    }
    model = train(tmp_path, settings.items())
    assert model.served.contract.task.loss.name == objective
    verdict = json.loads((model.served.folder / "verdict.json").read_bytes())
    expected = {"mae": "mae", "huber": "mae", "quantile": "pinball"}.get(objective, "deviance")
    assert (verdict["passed"], verdict["metric"]) == (True, expected), verdict["reasons"]
    records = rows.drop_columns("paid").to_pylist()
    client = model.client(compiled=False)
    answered = client.post("/predict", json=records)
    assert answered.status_code == 200
    scores = np.array([one["prediction"] for one in answered.get_json()])
    if objective == "quantile":
        assert 0.85 < float((target <= scores).mean()) < 0.95
    elif expected == "deviance":
        assert (scores > 0).all()
        assert scores.mean() == pytest.approx(target.mean(), rel=0.05)
    assert client.post("/predict?explain=2", json=records[:3]).status_code == 200


NUMBER = ("data.target=age", "train.task=regression")


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (("train.objective=poisson",), "is for numbers, but this task has classes"),
        (
            (*NUMBER, "train.objective=mae", "train.estimator=sklearn.linear_model.Ridge"),
            'it is for estimator = "lightgbm"',
        ),
        ((*NUMBER, "train.objective=cross_entropy"), "from 0 to 1, but"),
        ((*NUMBER, "train.objective=tweedie", "train.alpha=3"), "train.alpha = 3 does not suit"),
        ((*NUMBER, "train.objective=mae", "gate.metric=deviance"), "does not suit train.objective"),
        (("train.parameters={objective='poisson'}",), "set train.objective, or train.task"),
        (("train.parameters={alpha=0.3}",), "set train.alpha"),
    ],
)
def test_an_objective_that_does_not_suit_is_a_mistake_of_the_settings(
    project: Project, sets: tuple[str, ...], told: str
) -> None:
    ran = project.run(*(word for one in sets for word in ("--set", one)))
    assert ran.code == 78, ran.err
    assert told in ran.err
