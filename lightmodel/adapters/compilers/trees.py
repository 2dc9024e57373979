"""Scoring through the compiled library: see trees.c."""

import ctypes as c
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from lightmodel.adapters.compilers.build import NotCompiledError
from lightmodel.adapters.compilers.tables import Tables, tables_of
from lightmodel.domain.arrays import Matrix, Scores

_SHAPE = ("trees", "classes", "features", "link", "ranked", "steps")
_BLOCK = 64
_FEW = 8


class _Model(c.Structure):
    _fields_ = (
        ("trees", c.c_int32),
        ("classes", c.c_int32),
        ("features", c.c_int32),
        ("link", c.c_int32),
        ("steepness", c.c_double),
        ("first_node", c.c_void_p),
        ("first_leaf", c.c_void_p),
        ("nodes", c.c_void_p),
        ("leaves", c.c_void_p),
        ("bits_start", c.c_void_p),
        ("bits", c.c_void_p),
        ("ranked", c.c_int32),
        ("steps", c.c_int32),
        ("tests", c.c_void_p),
        ("ordered_leaves", c.c_void_p),
        ("thresholds", c.c_void_p),
    )


class CompiledTrees:
    """Scores rows as LightGBM does; several models are averaged.

    The interpreter's lock is released for many rows. For a few it is kept: to get it back takes longer
    than they do.
    """

    def __init__(self, library: c.CDLL, models: Sequence[Tables]) -> None:
        keeping = c.PyDLL(library._name, handle=library._handle)
        self._score, self._score_few = library.score_rows, keeping.score_rows
        self._score.restype = self._score_few.restype = None
        self._models = [(_described(tables), tables) for tables in models]

    def predict(self, features: Matrix) -> Scores:
        """Score (rows, features), in any memory order: (rows,), or (rows, classes)."""
        every = [self._one(model, features) for model, _ in self._models]
        scores: Scores = np.mean(every, axis=0) if len(every) > 1 else every[0]
        return scores

    def _one(self, model: _Model, features: Matrix) -> Scores:
        if features.shape[1] != model.features or features.dtype != np.float64:
            raise ValueError(f"{features.shape[1]} features, and the model has {model.features}")
        rows = len(features)
        answer = np.empty((rows, model.classes))
        room = np.empty(model.features * _BLOCK, np.int16)
        sums = np.empty(model.classes * _BLOCK)
        down, across = (step // features.itemsize for step in features.strides)
        score = self._score if rows > _FEW else self._score_few
        score(
            c.byref(model),
            c.c_void_p(features.ctypes.data),
            c.c_int64(rows),
            c.c_int64(down),
            c.c_int64(across),
            c.c_void_p(answer.ctypes.data),
            c.c_void_p(room.ctypes.data),
            c.c_void_p(sums.ctypes.data),
        )
        return answer if model.classes > 1 else answer[:, 0]


def _described(tables: Tables) -> _Model:
    shape = dict(zip(_SHAPE, tables["shape"].tolist(), strict=True))
    pointers = {
        name: tables[name].ctypes.data for name, kind in _Model._fields_ if kind is c.c_void_p
    }
    return _Model(steepness=float(tables["steepness"][0]), **shape, **pointers)


def packed(texts: Sequence[str]) -> bytes:
    """Turn models' texts into the bytes that `unpacked` reads.

    Raises:
        NotCompiledError: a model uses something that trees.c does not know.
    """
    arrays = {
        f"{at}.{name}": values
        for at, text in enumerate(texts)
        for name, values in tables_of(text).items()
    }
    sink = io.BytesIO()
    np.savez(sink, **arrays)  # type: ignore[arg-type]  # its stub takes keywords for options
    return sink.getvalue()


def unpacked(data: bytes) -> list[Tables]:
    """Read what `packed` wrote.

    Raises:
        NotCompiledError: it is something else.
    """
    models: dict[int, dict[str, Any]] = {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            for key in arrays.files:
                at, _, name = key.partition(".")
                models.setdefault(int(at), {})[name] = np.ascontiguousarray(arrays[key])
    except (ValueError, OSError, KeyError, EOFError) as error:
        raise NotCompiledError(f"its tables cannot be read: {type(error).__name__}") from None
    return [models[at] for at in sorted(models)]
