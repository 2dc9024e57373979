"""The compiled library, built once for all tests of a process."""

import ctypes
from functools import cache

from lightmodel.learners.compiled import compile_library, load_library


@cache
def library() -> ctypes.CDLL:
    """Return the library of this machine's compiler, which takes seconds: not when tests are collected."""
    return load_library(*compile_library())
