"""Compiled scores equal LightGBM's to the last bit, for models of every kind."""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.cells import Matrix, Vector
from lightmodel.learners.compiled import (
    cached_library,
    compile_library,
    compiled_files,
    load_library,
    open_compiled,
    pack_tables,
    unpack_tables,
)
from lightmodel.learners.compiled.tables import NotCompiledError, tables_of
from lightmodel.learners.compiled.trees import CompiledTrees
from tests.fakes.boosters import HOLES, RECIPES, TABLE, boosted, model
from tests.fakes.compiled import library

pytestmark = pytest.mark.compiler


@cache
def scorer(*texts: str) -> CompiledTrees:
    return CompiledTrees(library(), unpack_tables(pack_tables(texts)))


@cache
def booster(text: str) -> lgb.Booster:
    return lgb.Booster(model_str=text)


def by_lightgbm(text: str, rows: Matrix) -> Matrix:
    scores: Matrix = np.asarray(booster(text).predict(rows, num_threads=1))
    return scores


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_scores_are_lightgbms_to_the_last_bit(name: str, order: Any) -> None:
    text = model(name)
    limits = [0.0, -0.0, 1e-36, 1e-34, np.inf, -np.inf, np.nan, 1e300, -1.0, 5e9]
    odd = np.array([np.roll(limits, shift)[:6] for shift in range(len(limits))])
    for table in (TABLE, HOLES, odd):
        for rows in (table, table[:1], table[3:5], table[:63], table[:64], table[:65]):
            laid = np.array(rows, order=order)
            assert np.array_equal(scorer(text).predict(laid), by_lightgbm(text, rows))


@cache
def thresholds_of(name: str) -> Vector:
    thresholds: Vector = tables_of(model(name))["nodes"]["threshold"]
    return thresholds


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(sorted(RECIPES)))
def test_values_on_a_threshold_go_where_lightgbm_sends_them(data: st.DataObject, name: str) -> None:
    thresholds = thresholds_of(name)
    known = thresholds if len(thresholds) else np.zeros(1)
    near = st.sampled_from(known.tolist()).flatmap(
        lambda value: st.sampled_from(
            [value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf)]
        )
    )
    row = st.lists(st.one_of(near, st.floats()), min_size=6, max_size=6)
    rows = np.array(data.draw(st.lists(row, min_size=1, max_size=20)))
    expected = by_lightgbm(model(name), rows)
    assert np.array_equal(scorer(model(name)).predict(rows), expected)


def test_several_models_are_averaged() -> None:
    texts = (model("binary"), model("stumps"), model("holes"))
    expected = np.mean([by_lightgbm(text, TABLE) for text in texts], axis=0)
    assert np.array_equal(scorer(*texts).predict(TABLE), expected)


def test_another_number_of_features_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 features"):
        scorer(model("binary")).predict(np.ascontiguousarray(TABLE[:, :5]))


def test_unsupported_models_are_not_compiled() -> None:
    linear = boosted(TABLE, "regression", linear_tree=True)
    poisson = model("regression").replace("objective=regression", "objective=poisson")
    for text, why in ((linear, "linear"), (poisson, "its objective is poisson")):
        with pytest.raises(NotCompiledError, match=why):
            pack_tables([text])


def test_compiled_files_load_again_and_unsuitable_ones_say_why(tmp_path: Path) -> None:
    files = compiled_files({"texts": [model("binary")], "names": []}, tmp_path)
    trees, _ = open_compiled(files.__getitem__)
    assert np.array_equal(trees.predict(TABLE), by_lightgbm(model("binary"), TABLE))
    with pytest.raises(NotCompiledError, match="tables cannot be read"):
        unpack_tables(files["compiled.npy"][:-300])
    built, about = compile_library()
    for changed, why in (
        ({"machine": "plan9-pdp11"}, "compiled for plan9-pdp11"),
        ({"cpu": ("flux",)}, "no flux"),
        ({"sources": "0" * 64}, "another version"),
    ):
        with pytest.raises(NotCompiledError, match=why):
            load_library(built, {**about, **changed})
    with pytest.raises(NotCompiledError, match="cannot be loaded"):
        load_library(b"rubbish" * 999, about)


def test_the_library_is_compiled_once_for_all_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    compiler = tmp_path / "bin" / "cc"
    compiler.parent.mkdir()
    real = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))))
    compiler.write_text(f'#!/bin/sh\necho >>{calls}\nexec {real} "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:{os.environ['PATH']}")
    cache = tmp_path / "work" / "compiled"
    first, about = cached_library(cache)
    assert cached_library(cache) == (first, about)
    assert calls.read_text().count("\n") == 1
    (kept,) = cache.iterdir()
    kept.write_bytes(first[:-1])  # a disk that forgets
    assert cached_library(cache) == (first, about)
    assert calls.read_text().count("\n") == 2
    compiler.write_text(f'#!/bin/sh\necho >>{calls}\n\nexec {real} "$@"\n')  # another compiler
    assert cached_library(cache)[1] == about
    assert calls.read_text().count("\n") == 3
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert cached_library(blocked)[1] == about
