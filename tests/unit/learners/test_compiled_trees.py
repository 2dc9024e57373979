"""Compiled scores equal LightGBM's to the last bit, for models of every kind."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.cells import Matrix
from lightmodel.learners.compiled import (
    compile_library,
    compiled_files,
    load_library,
    open_compiled,
    pack_tables,
    unpack_tables,
)
from lightmodel.learners.compiled.tables import NotCompiledError, tables_of
from lightmodel.learners.compiled.trees import CompiledTrees
from tests.fakes.boosters import HOLES, MODELS, TABLE, boosted

pytestmark = pytest.mark.compiler
LIBRARY = load_library(*compile_library())


def scorer(*texts: str) -> CompiledTrees:
    return CompiledTrees(LIBRARY, unpack_tables(pack_tables(texts)))


def by_lightgbm(text: str, rows: Matrix) -> Matrix:
    scores: Matrix = np.asarray(lgb.Booster(model_str=text).predict(rows, num_threads=1))
    return scores


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_scores_are_lightgbms_to_the_last_bit(name: str, order: Any) -> None:
    text = MODELS[name]
    limits = [0.0, -0.0, 1e-36, 1e-34, np.inf, -np.inf, np.nan, 1e300, -1.0, 5e9]
    odd = np.array([np.roll(limits, shift)[:6] for shift in range(len(limits))])
    for table in (TABLE, HOLES, odd):
        for rows in (table, table[:1], table[3:5], table[:63], table[:64], table[:65]):
            laid = np.array(rows, order=order)
            assert np.array_equal(scorer(text).predict(laid), by_lightgbm(text, rows))


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(sorted(MODELS)))
def test_values_on_a_threshold_go_where_lightgbm_sends_them(data: st.DataObject, name: str) -> None:
    tables = tables_of(MODELS[name])
    thresholds = tables["nodes"]["threshold"]
    known = thresholds if len(thresholds) else np.zeros(1)
    near = st.sampled_from(known.tolist()).flatmap(
        lambda value: st.sampled_from(
            [value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf)]
        )
    )
    row = st.lists(st.one_of(near, st.floats()), min_size=6, max_size=6)
    rows = np.array(data.draw(st.lists(row, min_size=1, max_size=20)))
    expected = by_lightgbm(MODELS[name], rows)
    assert np.array_equal(scorer(MODELS[name]).predict(rows), expected)


def test_several_models_are_averaged() -> None:
    texts = (MODELS["binary"], MODELS["stumps"], MODELS["holes"])
    expected = np.mean([by_lightgbm(text, TABLE) for text in texts], axis=0)
    assert np.array_equal(scorer(*texts).predict(TABLE), expected)


def test_another_number_of_features_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 features"):
        scorer(MODELS["binary"]).predict(np.ascontiguousarray(TABLE[:, :5]))


def test_unsupported_models_are_not_compiled() -> None:
    linear = boosted(TABLE, "regression", linear_tree=True)
    poisson = MODELS["regression"].replace("objective=regression", "objective=poisson")
    for text, why in ((linear, "linear"), (poisson, "its objective is poisson")):
        with pytest.raises(NotCompiledError, match=why):
            pack_tables([text])


def test_compiled_files_load_again_and_unsuitable_ones_say_why() -> None:
    files = compiled_files({"texts": [MODELS["binary"]], "names": []})
    trees, _ = open_compiled(files.__getitem__)
    assert np.array_equal(trees.predict(TABLE), by_lightgbm(MODELS["binary"], TABLE))
    with pytest.raises(NotCompiledError, match="tables cannot be read"):
        unpack_tables(files["compiled.npy"][:-300])
    library, about = compile_library()
    for changed, why in (
        ({"machine": "plan9-pdp11"}, "compiled for plan9-pdp11"),
        ({"cpu": ("flux",)}, "no flux"),
        ({"sources": "0" * 64}, "another version"),
    ):
        with pytest.raises(NotCompiledError, match=why):
            load_library(library, {**about, **changed})
    with pytest.raises(NotCompiledError, match="cannot be loaded"):
        load_library(b"rubbish" * 999, about)
