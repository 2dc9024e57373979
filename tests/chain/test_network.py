"""A network goes through the same chain, gate, bundle and server as any other model."""

import json

import numpy as np
import pytest

from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData
from lightmodel.learners.neural import MAX_EPOCHS, MAX_WIDTH, NeuralLearner, larger_networks
from lightmodel.scoring.model_store import open_version
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store
from tests.fakes.project import ROOT, Project


@pytest.mark.neural
def test_a_convolutional_network_reads_the_digits(project: Project) -> None:
    example = (ROOT / "examples" / "digits-network.toml").read_text(encoding="utf-8")
    project.settings(example.replace('"var/digits-network"', '"."'))
    fast = ("--set", "train.folds=2", "--set", "train.retry=0")
    ran = project.run(*fast)
    assert ran.code == 0, ran.err
    version = Store(project.folder / "model", "model", Signer(None)).newest()
    verdict = json.loads((version.folder / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["metrics"]["accuracy"] >= 0.97
    assert (version.manifest.runtime, version.manifest.learner) == ("neural", "neural")
    served = open_version(version)  # the stored scores are reproduced to the twelfth digit
    rows = np.random.default_rng(0).integers(0, 17, (700, 64)).astype(float)
    together = served.predictor.score(rows)
    apart = np.concatenate([served.predictor.score(rows[at : at + 70]) for at in range(0, 700, 70)])
    np.testing.assert_allclose(together, apart, rtol=1e-12)
    assert "reused: nothing changed" in project.run("train", *fast).out


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"widht": 3}, "train.parameters.widht is not valid for a network"),
        ({"width": 0}, "train.parameters.width is not valid"),
        ({"epochs": "long"}, "train.parameters.epochs is not valid"),
        ({"image": [8]}, "train.parameters.image"),
    ],
)
def test_parameters_that_no_network_has_are_wrong_settings(
    parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        NeuralLearner(parameters, 0)


@pytest.mark.parametrize("image", [[8, 8], [1, 6]])
def test_a_table_without_columns_for_the_image_is_refused(image: list[int]) -> None:
    names = tuple("abcdef")
    data = TrainingData(np.zeros((4, 6)), np.zeros(4), names, (), Task(TaskKind.BINARY, (0, 1)))
    with pytest.raises(ConfigError, match=r"train\.parameters\.image"):
        NeuralLearner({"image": image}, 0).prepare(data)


def test_a_retry_makes_a_network_wider_or_trains_it_longer_within_bounds() -> None:
    sizes = [(one["width"], one["epochs"]) for one in larger_networks({"width": 8, "epochs": 10})]
    assert sizes[:2] == [(16, 10), (8, 20)]
    assert len(set(sizes)) == len(sizes) == 14
    assert all(width >= 8 and epochs >= 10 for width, epochs in sizes)
    assert list(larger_networks({"width": MAX_WIDTH, "epochs": MAX_EPOCHS})) == []
    assert max(one["width"] for one in larger_networks({"width": MAX_WIDTH - 1})) == MAX_WIDTH


@pytest.mark.neural
def test_where_the_gate_fails_a_network_grows_and_the_best_out_of_fold_is_kept(
    project: Project,
) -> None:
    words = (
        *("--set", "train.estimator=neural", "--set", "train.retry=2", "--set", "train.folds=2"),
        *("--set", "train.parameters={width = 1, epochs = 1, learning_rate = 0.05}"),
        *("--set", "gate.minimum=0.999"),
    )
    ran = project.run(*words)
    assert ran.code == 10, ran.err
    newest = Store(project.folder / "model", "model", Signer(None)).newest()
    record = json.loads(newest.read("attempts.json"))
    sizes = [
        (one["parameters"]["width"], one["parameters"]["epochs"]) for one in record["attempts"]
    ]
    assert sizes == [(2, 1), (1, 2)]  # wider, then longer
    best = max(record["attempts"], key=lambda one: one["metrics"]["auc"])
    assert best["metrics"]["auc"] > record["original"]["metrics"]["auc"]
    learner = newest.manifest.parameters["learner"]
    assert (learner["width"], learner["epochs"]) == tuple(
        best["parameters"][name] for name in ("width", "epochs")
    )
    assert newest.manifest.metrics == best["metrics"]
