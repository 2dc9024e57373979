"""Score rows with the compiled library; see trees.c."""

import ctypes
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from lightmodel.contract.cells import Matrix, Scores
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
    """Scores rows exactly as LightGBM does; several models are averaged. It is thread-safe.

    The GIL is released for many rows. For a few it is kept, as acquiring it again takes longer than they.
    """

    def __init__(self, library: ctypes.CDLL, models: Sequence[Tables]) -> None:
        with_gil = ctypes.PyDLL(library._name, handle=library._handle)
        self._score, self._score_few = library.score_rows, with_gil.score_rows
        self._tables = tuple(models)  # the structures only hold their addresses
        self._models = tuple(map(_structure, models))

    def predict(self, features: Matrix) -> Scores:
        """Return the scores of (rows, features), in any memory order: (rows,) or (rows, classes)."""
        scores = [self._predict(model, features) for model in self._models]
        mean: Scores = np.mean(scores, axis=0) if len(scores) > 1 else scores[0]
        return mean

    def _predict(self, model: _Model, features: Matrix) -> Scores:
        if features.shape[1] != model.features or features.dtype != np.float64:
            raise ValueError(f"{features.shape[1]} features, but the model has {model.features}")
        down, across = (stride // features.itemsize for stride in features.strides)
        scores = np.empty((len(features), model.classes))
        score = self._score if len(features) > _FEW_ROWS else self._score_few
        status = score(
            ctypes.byref(model),
            ctypes.c_void_p(features.ctypes.data),
            ctypes.c_int64(len(features)),
            ctypes.c_int64(down),
            ctypes.c_int64(across),
            ctypes.c_void_p(scores.ctypes.data),
        )
        if status != 0:
            raise MemoryError
        return scores[:, 0] if model.classes == 1 else scores


def _structure(tables: Tables) -> _Model:
    """Return a structure that points to the tables, which must outlive it."""
    model = _Model()
    model.trees, model.classes, model.features, model.link = tables["shape"].tolist()
    model.ranked = len(tables["columns"])
    model.steepness, model.divisor = tables["scale"].tolist()
    for name, kind in _KINDS.items():
        if tables[name].dtype != np.dtype(kind) or not tables[name].flags.c_contiguous:
            raise ValueError(f"table {name!r} has another type or layout than it was written with")
        setattr(model, name, tables[name].ctypes.data)
    return model
