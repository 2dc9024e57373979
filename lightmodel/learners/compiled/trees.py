"""Scoring through the compiled library: see trees.c."""

import ctypes
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from lightmodel.contract.cells import Matrix, Scores
from lightmodel.learners.compiled.tables import COLUMN, NODE, TEST, Tables

_FEW = 8  # rows
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
}  # in the order of `struct model`
STORED = ("shape", "scale", *_KINDS)


class _Model(ctypes.Structure):
    """`struct model` of trees.c."""

    _fields_ = (
        *product(("trees", "classes", "features", "link", "ranked", "unused"), (ctypes.c_int32,)),
        *product(("steepness", "divisor"), (ctypes.c_double,)),
        *product(_KINDS, (ctypes.c_void_p,)),
    )


class CompiledTrees:
    """Scores rows as LightGBM does; several models are averaged. Threads may share it.

    The interpreter's lock is released for many rows. For a few it is kept: to get it back takes longer
    than they do.
    """

    def __init__(self, library: ctypes.CDLL, every: Sequence[Tables]) -> None:
        keeping = ctypes.PyDLL(library._name, handle=library._handle)
        self._score, self._score_few = library.score_rows, keeping.score_rows
        self._tables = tuple(every)  # the models hold their addresses only
        self._models = tuple(map(_structure, every))

    def predict(self, features: Matrix) -> Scores:
        """Score (rows, features), in any memory order: (rows,), or (rows, classes)."""
        every = [self._one(model, features) for model in self._models]
        scores: Scores = np.mean(every, axis=0) if len(every) > 1 else every[0]
        return scores

    def _one(self, model: _Model, features: Matrix) -> Scores:
        if features.shape[1] != model.features or features.dtype != np.float64:
            raise ValueError(f"{features.shape[1]} features, and the model has {model.features}")
        down, across = (stride // features.itemsize for stride in features.strides)
        scores = np.empty((len(features), model.classes))
        score = self._score if len(features) > _FEW else self._score_few
        done = score(
            ctypes.byref(model),
            ctypes.c_void_p(features.ctypes.data),
            ctypes.c_int64(len(features)),
            ctypes.c_int64(down),
            ctypes.c_int64(across),
            ctypes.c_void_p(scores.ctypes.data),
        )
        if done != 0:
            raise MemoryError
        return scores[:, 0] if model.classes == 1 else scores


def _structure(tables: Tables) -> _Model:
    """Point at the tables, which must outlive the structure."""
    model = _Model()
    model.trees, model.classes, model.features, model.link = tables["shape"].tolist()
    model.ranked = len(tables["columns"])
    model.steepness, model.divisor = tables["scale"].tolist()
    for name, kind in _KINDS.items():
        if tables[name].dtype != np.dtype(kind) or not tables[name].flags.c_contiguous:
            raise ValueError(f"{name} is not as it was written")
        setattr(model, name, tables[name].ctypes.data)
    return model
