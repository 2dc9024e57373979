"""Compiled SHAP values equal LightGBM's, for models and rows of every kind."""

import re
import threading

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.cells import Matrix
from lightmodel.learners.compiled import (
    pack_tables,
    unpack_tables,
)
from lightmodel.learners.compiled.trees import CompiledTrees
from tests.fakes.boosters import HOLES, RECIPES, TABLE, model
from tests.fakes.compiled import library

pytestmark = pytest.mark.compiler
LIMITS = [0.0, -0.0, 1e-36, 1e-34, np.inf, -np.inf, np.nan, 1e300, -1.0, 5e9]
ODD = np.array([np.roll(LIMITS, shift)[:6] for shift in range(len(LIMITS))])


def explainer(*texts: str) -> CompiledTrees:
    return CompiledTrees(library(), unpack_tables(pack_tables(texts)))


def by_lightgbm(text: str, rows: Matrix) -> Matrix:
    booster = lgb.Booster(model_str=text)
    values: Matrix = np.asarray(booster.predict(rows, num_threads=1, pred_contrib=True))
    return values


@pytest.mark.parametrize("name", RECIPES)
def test_contributions_are_lightgbms(name: str) -> None:
    trees = explainer(model(name))
    assert trees.has_contributions
    rows = np.concatenate([ODD, HOLES[:20], TABLE[:20]])
    expected = by_lightgbm(model(name), rows)
    for count in (1, 7, 31, 32, 33, 43, len(rows)):
        for laid in (np.ascontiguousarray(rows[:count]), np.asfortranarray(rows[:count])):
            found = trees.contributions(laid)
            assert np.allclose(found, expected[:count], rtol=0, atol=1e-9)


@st.composite
def boosters(draw: st.DrawFn) -> tuple[str, Matrix]:
    """Return a small model of few distinct values, whose paths meet a feature often, and rows for it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    table = random.integers(-3, 9, (draw(st.integers(40, 200)), draw(st.integers(1, 4)))) / 2
    table[random.random(table.shape) < draw(st.sampled_from([0, 0.3]))] = np.nan
    categories = draw(st.sampled_from([[], [0]]))
    table[:, categories] = random.integers(0, 6, (len(table), len(categories)))
    parameters = {
        "objective": "regression",
        "num_leaves": draw(st.integers(2, 24)),
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "min_data_per_group": 1,
        "learning_rate": 0.3,
        "zero_as_missing": draw(st.booleans()),
        "use_missing": draw(st.booleans()),
        "bagging_freq": 1,
        "bagging_fraction": draw(st.sampled_from([0.5, 1.0])),
        "max_cat_to_onehot": draw(st.sampled_from([1, 9])),
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lgb.Dataset(table, random.normal(size=len(table)), categorical_feature=categories)
    text = lgb.train(parameters, data, draw(st.integers(1, 8))).model_to_string()
    value = st.one_of(st.sampled_from([*LIMITS, *np.arange(-3, 9) / 2]), st.floats())
    row = st.lists(value, min_size=table.shape[1], max_size=table.shape[1])
    rows = st.lists(row, min_size=1, max_size=12)
    return text, np.array(draw(rows), ndmin=2)


@settings(max_examples=100)
@given(boosters())
def test_contributions_of_random_models_are_lightgbms(case: tuple[str, Matrix]) -> None:
    text, rows = case
    found = explainer(text).contributions(rows)
    assert np.allclose(found, by_lightgbm(text, rows), rtol=0, atol=1e-9)


def test_contributions_add_up_to_the_raw_score() -> None:
    booster = lgb.Booster(model_str=model("multiclass"))
    raw = np.asarray(booster.predict(HOLES, raw_score=True))
    found = explainer(model("multiclass")).contributions(HOLES).reshape(len(HOLES), 3, 7)
    assert np.allclose(found.sum(axis=2), raw, rtol=0, atol=1e-12)


def test_contributions_of_several_models_are_averaged() -> None:
    texts = (model("binary"), model("stumps"), model("holes"))
    expected = np.mean([by_lightgbm(text, TABLE[:50]) for text in texts], axis=0)
    assert np.allclose(explainer(*texts).contributions(TABLE[:50]), expected, rtol=0, atol=1e-9)


def test_threads_explain_at_the_same_time() -> None:
    trees = explainer(model("deep"))
    expected, found = trees.contributions(TABLE), {}

    def explain(number: int) -> None:
        found[number] = trees.contributions(TABLE)

    threads = [threading.Thread(target=explain, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[number], expected) for number in range(4))


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("leaf_count=.*\n", ""),
        ("leaf_count=[0-9]+ ", "leaf_count=0 "),
        ("internal_count=[0-9]+ ", "internal_count=7 "),
    ],
)
def test_a_model_without_usable_counts_has_no_contributions(pattern: str, replacement: str) -> None:
    text = re.sub(pattern, replacement, model("binary"), count=1)
    assert not explainer(text, model("binary")).has_contributions
    assert np.array_equal(explainer(text).predict(TABLE), explainer(model("binary")).predict(TABLE))


def test_another_number_of_features_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 features"):
        explainer(model("binary")).contributions(np.ascontiguousarray(TABLE[:, :5]))
