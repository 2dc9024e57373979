"""Score and explain rows with the compiled library; see trees.c and shap.c."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from lightmodel.contract.cells import Matrix, Scores
from lightmodel.learners.compiled.shap_tables import POINT, RULE, SHARE
from lightmodel.learners.compiled.tables import COLUMN, NODE, TEST, Tables

_FEW_ROWS = 8
_KINDS: Mapping[str, Any] = {
    "first_node": "i4",
    "first_leaf": "i4",
    "first_leaf_byte": "i4",
    "first_test": "i4",
    "nodes": NODE,
    "leaves": "f8",
    "sets": "u4",
    "columns": COLUMN,
    "thresholds": "f8",
    "tests": TEST,
    "shares": SHARE,
    "rules": RULE,
    "points": POINT,
    "expected": "f8",
}  # in the order of `struct model`
STORED = ("shape", "scale", *_KINDS)


class _Model(ctypes.Structure):
    """`struct model` of trees.h."""

    _fields_ = (
        *product(
            ("trees", "classes", "features", "link", "ranked", "explained"), (ctypes.c_int32,)
        ),
        *product(("steepness", "divisor"), (ctypes.c_double,)),
        *product(_KINDS, (ctypes.c_void_p,)),
    )


class CompiledTrees:
    """Scores rows exactly as LightGBM does, and explains them; several models are averaged.

    It is thread-safe. The GIL is released, but not for the scores of a few rows: acquiring it again
    takes longer than they.
    """

    def __init__(self, library: ctypes.CDLL, models: Sequence[Tables]) -> None:
        with_gil = ctypes.PyDLL(library._name, handle=library._handle)
        self._score, self._score_few = library.score_rows, with_gil.score_rows
        self._explain = library.explain_rows
        self._tables = tuple(models)  # the structures only hold their addresses
        self._models = tuple(map(_structure, models))

    def predict(self, features: Matrix) -> Scores:
        """Return the scores of (rows, features), in any memory order: (rows,) or (rows, classes)."""
        scores = [self._predict(model, features) for model in self._models]
        mean: Scores = np.mean(scores, axis=0) if len(scores) > 1 else scores[0]
        return mean

    @property
    def has_contributions(self) -> bool:
        """Whether all models have counts of training rows, without which there are no SHAP values."""
        return all(model.explained for model in self._models)

    def contributions(self, features: Matrix) -> Matrix:
        """Return the SHAP values of (rows, features) on the raw score; only if it has contributions.

        Returns:
            (rows, classes * (features + 1)): for each class the features, and then the expected score.
        """
        values = [self._contributions(model, features) for model in self._models]
        mean: Matrix = np.mean(values, axis=0) if len(values) > 1 else values[0]
        return mean

    def _predict(self, model: _Model, features: Matrix) -> Scores:
        scores = np.empty((len(features), model.classes))
        _call(
            self._score if len(features) > _FEW_ROWS else self._score_few, model, features, scores
        )
        return scores[:, 0] if model.classes == 1 else scores

    def _contributions(self, model: _Model, features: Matrix) -> Matrix:
        values = np.empty((len(features), model.classes * (model.features + 1)))
        _call(self._explain, model, features, values)
        return values


def _call(function: Callable[..., int], model: _Model, features: Matrix, answer: Matrix) -> None:
    """Let a function of the library fill the answer for the rows of features."""
    if features.shape[1] != model.features or features.dtype != np.float64:
        raise ValueError(f"{features.shape[1]} features, but the model has {model.features}")
    down, across = (stride // features.itemsize for stride in features.strides)
    status = function(
        ctypes.byref(model),
        ctypes.c_void_p(features.ctypes.data),
        ctypes.c_int64(len(features)),
        ctypes.c_int64(down),
        ctypes.c_int64(across),
        ctypes.c_void_p(answer.ctypes.data),
    )
    if status != 0:
        raise MemoryError


def _structure(tables: Tables) -> _Model:
    """Return a structure that points to the tables, which must outlive it."""
    model = _Model()
    model.trees, model.classes, model.features, model.link = tables["shape"].tolist()
    model.ranked = len(tables["columns"])
    model.explained = len(tables["expected"]) > 0
    model.steepness, model.divisor = tables["scale"].tolist()
    for name, kind in _KINDS.items():
        if tables[name].dtype != np.dtype(kind) or not tables[name].flags.c_contiguous:
            raise ValueError(f"table {name!r} has another type or layout than it was written with")
        setattr(model, name, tables[name].ctypes.data)
    return model
