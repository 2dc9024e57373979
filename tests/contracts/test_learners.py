"""The contract of every learner, run over all of them."""

import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from lightmodel.contract.cells import Codes
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import FittedModel, Learner, TrainingData
from lightmodel.learners.blend import BlendLearner, BlendModel, read_parameters
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMModel
from lightmodel.learners.network import NeuralModel
from lightmodel.learners.neural import NeuralLearner
from lightmodel.learners.sklearn import SklearnLearner, SklearnModel
from lightmodel.search.entries import default_entries

ROWS = 240
FAST = {"num_leaves": 4, "max_rounds": 40, "min_data_in_leaf": 5}


def data_of(kind: TaskKind) -> TrainingData:
    """Return two numbers and a category, with gaps; the target depends on all three."""
    random = np.random.default_rng(0)
    features = np.asfortranarray(random.normal(size=(ROWS, 3)))
    features[:, 2] = random.integers(0, 3, ROWS)
    signal = features[:, 0] + (features[:, 2] == 1) * 2 + features[:, 1] ** 2
    features[::17, 1] = np.nan
    features[::19, 2] = np.nan
    classes = {TaskKind.REGRESSION: 0, TaskKind.BINARY: 2, TaskKind.MULTICLASS: 3}[kind]
    target = signal
    if classes:
        edges = np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1])
        target = np.searchsorted(edges, signal).astype(float)
    return TrainingData(
        features, target, ("a", 'b "quoted" [x]', "c"), (2,), Task(kind, tuple(range(classes)))
    )


def lightgbm() -> Learner:
    return LightGBMLearner(FAST, 0, 2, keep_fold_models=True)


def sklearn(kind: TaskKind) -> Learner:
    path = "sklearn.linear_model.Ridge" if kind is TaskKind.REGRESSION else "sklearn.svm.SVC"
    return SklearnLearner(path, {}, 0, 1)


Make = Callable[[TaskKind], Learner]


def blend(kind: TaskKind) -> Learner:
    return BlendLearner([lightgbm(), sklearn(kind)], [0.75, 0.25])


MAKERS: dict[str, Make] = {
    "lightgbm": lambda _: lightgbm(),
    "sklearn": sklearn,
    "blend": blend,
    "neural": lambda _: NeuralLearner({"epochs": 15, "learning_rate": 0.02}, 0),
}
NAMES = [
    pytest.param(name, marks=pytest.mark.neural if name == "neural" else ()) for name in MAKERS
]


def loaded(learner: Learner, model: FittedModel) -> FittedModel:
    payload = pickle.loads(pickle.dumps(model.payload()))
    return opened(learner.name, payload)


def opened(name: str, payload: dict[str, Any]) -> FittedModel:
    if name == "blend":
        return BlendModel.from_payload(payload, opened)
    if name == "lightgbm":
        return LightGBMModel.from_payload(payload, threads=1)
    if name == "neural":
        return NeuralModel.from_payload(payload)
    return SklearnModel.from_payload(payload)


def halves() -> tuple[Codes, Codes]:
    rows = np.arange(ROWS)
    return rows[rows % 2 == 0], rows[rows % 2 == 1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", list(TaskKind))
class TestLearner:
    def test_a_fold_is_scored_as_its_own_model_scores(self, name: str, kind: TaskKind) -> None:
        learner, data = MAKERS[name](kind), data_of(kind)
        trainer = learner.prepare(data)
        train, held_out = halves()
        fit = trainer.fit_fold(train, held_out)
        again = loaded(learner, trainer.ensemble([fit])).predict(data.features[held_out])
        np.testing.assert_allclose(fit.scores, again, rtol=1e-12)
        assert fit.rounds >= 1

    def test_scores_have_the_shape_of_the_task(self, name: str, kind: TaskKind) -> None:
        learner, data = MAKERS[name](kind), data_of(kind)
        trainer = learner.prepare(data)
        train, held_out = halves()
        folds = [trainer.fit_fold(train, held_out), trainer.fit_fold(held_out, train)]
        scores = trainer.refit(folds).predict(data.features)
        assert scores.shape == ((ROWS, 3) if kind is TaskKind.MULTICLASS else (ROWS,))
        if kind is TaskKind.MULTICLASS:
            np.testing.assert_allclose(scores.sum(axis=1), 1)
        assert np.corrcoef(scores[..., -1] if scores.ndim == 2 else scores, data.target)[0, 1] > 0.4

    def test_the_same_data_give_the_same_payload(self, name: str, kind: TaskKind) -> None:
        payloads = []
        for order in (1, -1):
            learner, data = MAKERS[name](kind), data_of(kind)
            trainer = learner.prepare(data)
            pairs = [halves(), halves()[::-1]][::order]
            fits = [trainer.fit_fold(*pair) for pair in pairs][::order]
            payloads.append(pickle.dumps(trainer.refit(fits).payload()))
        assert payloads[0] == payloads[1]

    def test_importance_names_every_feature(self, name: str, kind: TaskKind) -> None:
        learner, data = MAKERS[name](kind), data_of(kind)
        trainer = learner.prepare(data)
        importance = trainer.ensemble([trainer.fit_fold(*halves())]).importance()
        if learner.name == "lightgbm" or (
            learner.name in {"sklearn", "blend"} and kind is TaskKind.REGRESSION
        ):
            assert [item.feature for item in importance] == list(data.names)
            assert sum(item.gain for item in importance) > 0
        else:
            assert importance == ()  # support vectors and networks report no importance

    def test_parameters_are_plain_values(self, name: str, kind: TaskKind) -> None:
        described = MAKERS[name](kind).prepare(data_of(kind)).describe()
        assert all(
            isinstance(value, str | int | float | bool | None) for value in described.values()
        )


@pytest.mark.parametrize("name", [one for one in NAMES if one.values[0] in {"lightgbm", "neural"}])
def test_a_cancelled_fold_ends_without_a_result(name: str) -> None:
    trainer = MAKERS[name](TaskKind.BINARY).prepare(data_of(TaskKind.BINARY))
    trainer.stop()
    with pytest.raises(CancelledError):
        trainer.fit_fold(*halves())


def test_a_class_that_a_fold_never_saw_has_probability_zero() -> None:
    data = data_of(TaskKind.MULTICLASS)
    rows = np.flatnonzero(data.target != 2)
    learner = SklearnLearner("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5}, 0, 1)
    scores = learner.prepare(data).fit_fold(rows, np.arange(10)).scores
    assert scores.shape == (10, 3)
    assert (scores[:, 2] == 0).all()


def test_the_size_of_the_trees_is_chosen_by_trial() -> None:
    random = np.random.default_rng(0)
    features = np.asfortranarray(random.normal(size=(3_000, 4)))
    single = (features.sum(axis=1) + random.normal(size=3_000) > 0).astype(float)
    joint = (features[:, 0] * features[:, 1] * features[:, 2] > 0).astype(float)
    leaves = []
    for target in (single, joint):
        data = TrainingData(features, target, tuple("abcd"), (), Task(TaskKind.BINARY, (0, 1)))
        trainer = LightGBMLearner({}, 0, 2, keep_fold_models=False).prepare(data)
        leaves.append(trainer.describe()["num_leaves"])
    assert leaves[0] <= 4 < leaves[1]


@pytest.mark.parametrize(
    ("path", "parameters", "complaint"),
    [
        ("sklearn.svm.Nothing", {}, "cannot be imported"),
        ("nowhere.Model", {}, "cannot be imported"),
        ("sklearn.svm.SVC", {"no_such": 1}, "are not valid for"),
        ("pathlib.Path", {}, "is not a scikit-learn estimator"),
    ],
)
def test_an_estimator_that_cannot_be_is_a_config_error(
    path: str, parameters: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        SklearnLearner(path, parameters, 0, 1)


def test_a_regressor_does_not_suit_classes() -> None:
    learner = SklearnLearner("sklearn.linear_model.Ridge", {}, 0, 1)
    with pytest.raises(ConfigError, match="a binary task needs a classifier"):
        learner.prepare(data_of(TaskKind.BINARY))


@pytest.mark.parametrize(
    ("parameters", "mistake"),
    [
        (
            {"num_leavs": 31},
            "num_leavs: LightGBM has no such parameter; did you mean 'num_leaves'?",
        ),
        ({"loss": "huber"}, "loss: may not be set here; set train.objective, or train.task"),
        ({"num_threads": 9}, "num_threads: may not be set here; set train.threads"),
        ({"random_state": 1}, "random_state: may not be set here; set train.seed"),
        ({"n_estimators": 500}, "n_estimators: may not be set here; set max_rounds"),
        ({"early_stopping_rounds": 9}, "early_stopping_rounds: may not be set here; set patience"),
        ({"num_machines": 2}, "num_machines: has no effect here"),
        ({"eta": 0.1, "learning_rate": 0.2}, "learning_rate: learning_rate is set already"),
        ({"qqqq": 1, "app": "x"}, "train.parameters has 2 mistakes"),
    ],
)
def test_a_parameter_that_would_have_no_effect_is_refused(
    parameters: dict[str, object], mistake: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        LightGBMLearner(parameters, 0, 1, keep_fold_models=False)
    assert mistake in caught.value.message


def test_an_alias_is_the_parameter_itself() -> None:
    data = data_of(TaskKind.BINARY)
    for given in ({"eta": 0.2, "max_leaf_nodes": 5}, {"learning_rate": 0.2, "num_leaves": 5}):
        learner = LightGBMLearner({**given, "max_rounds": 10}, 0, 1, keep_fold_models=False)
        described = learner.prepare(data).describe()
        assert (described["learning_rate"], described["num_leaves"]) == (0.2, 5)
        assert not {"eta", "max_leaf_nodes"} & set(described)


def test_a_table_without_noise_needs_few_trees() -> None:
    features = np.asfortranarray(
        np.random.default_rng(0).integers(0, 6, size=(4_000, 4)), dtype=float
    )
    target = ((features[:, 0] > 2) ^ (features[:, 1] > 2)).astype(float)
    data = TrainingData(features, target, ("a", "b", "c", "d"), (), Task(TaskKind.BINARY, (0, 1)))
    trainer = LightGBMLearner({"num_leaves": 4}, 0, 1, keep_fold_models=False).prepare(data)
    rows = np.arange(len(target))
    fit = trainer.fit_fold(rows[rows % 2 == 0], rows[rows % 2 == 1])
    assert fit.curve[-1][0] < 150  # rounds; early stopping alone needs more than 300
    assert np.abs(fit.scores - target[1::2]).mean() < 1 / len(target)


def test_a_parameter_that_lightgbm_refuses_is_a_config_error() -> None:
    learner = LightGBMLearner({"num_leaves": 1}, 0, 1, keep_fold_models=False)
    with pytest.raises(ConfigError, match="LightGBM rejects"):
        learner.prepare(data_of(TaskKind.BINARY))


@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_blend_scores_as_its_members_do_on_average(kind: TaskKind) -> None:
    data, pair = data_of(kind), halves()
    members = [MAKERS[name](kind).prepare(data).fit_fold(*pair) for name in ("lightgbm", "sklearn")]
    blended = blend(kind).prepare(data).fit_fold(*pair)
    expected = 0.75 * members[0].scores + 0.25 * members[1].scores
    np.testing.assert_allclose(blended.scores, expected, rtol=1e-12)


def test_a_cancelled_blend_stops_its_members() -> None:
    endless = LightGBMLearner({"num_leaves": 4, "patience": 10**6}, 0, 1, keep_fold_models=False)
    trainer = BlendLearner([endless, sklearn(TaskKind.BINARY)], [0.5, 0.5]).prepare(
        data_of(TaskKind.BINARY)
    )
    trainer.stop()
    with pytest.raises(CancelledError):
        trainer.fit_fold(*halves())


def test_members_without_weights_count_the_same() -> None:
    members, weights = read_parameters(
        {"members": [{"estimator": "lightgbm"}, {"estimator": "a.B", "parameters": {"c": 1}}]}
    )
    assert members == [("lightgbm", {}), ("a.B", {"c": 1})]
    assert weights == [0.5, 0.5]


TWO = [{"estimator": "lightgbm"}, {"estimator": "a.B"}]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"members": "lightgbm"},
        {"members": TWO[:1]},
        {"members": TWO, "wait": [1, 1]},
        {"members": TWO, "weights": [1]},
        {"members": TWO, "weights": [1, -1]},
        {"members": TWO, "weights": [0, 0]},
        {"members": TWO, "weights": [1, float("nan")]},
        {"members": TWO, "weights": [1, "x"]},
        {"members": ["lightgbm", "a.B"]},
        {"members": [*TWO, {"parameters": {}}]},
        {"members": [*TWO, {"estimator": "a.B", "seed": 1}]},
        {"members": [*TWO, {"estimator": "a.B", "parameters": 3}]},
        {"members": [*TWO, {"estimator": "blend"}]},
    ],
)
def test_a_blend_of_nothing_sensible_is_a_config_error(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="blend"):
        read_parameters(parameters)


@pytest.mark.boosters
@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("name", ["xgboost", "catboost"])
def test_a_booster_of_the_extra_keeps_the_seed_and_the_threads(name: str, kind: TaskKind) -> None:
    entry = next(one for one in default_entries(kind, ROWS) if one.name == name)
    data, payloads = data_of(kind), []
    for _ in range(2):
        learner = SklearnLearner(entry.estimator, entry.parameters, 3, 1)
        trainer = learner.prepare(data)
        fit = trainer.fit_fold(*halves())
        payloads.append(fit.scores)
        parameters = trainer.refit([fit]).payload()["estimators"][0][-1].get_params()
        assert parameters["random_state"] == 3
        assert parameters.get("n_jobs", parameters.get("thread_count")) == 1
    np.testing.assert_array_equal(payloads[0], payloads[1])


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_contender_can_be_fitted_and_is_better_than_chance(kind: TaskKind) -> None:
    data = data_of(kind)
    for entry in default_entries(kind, ROWS):
        if entry.extra or entry.estimator == "lightgbm":
            continue
        trainer = SklearnLearner(entry.estimator, entry.parameters, 0, 1).prepare(data)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # fits do not converge on so few rows
            scores = trainer.fit_fold(*halves()).scores
        last = scores[:, -1] if scores.ndim == 2 else scores
        assert np.corrcoef(last, data.target[halves()[1]])[0, 1] > 0.4, entry.name
