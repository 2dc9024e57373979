"""How many threads native libraries may use."""

import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_native_threads(count: int) -> None:
    """Let libraries that this process loads from now on compute on `count` threads."""
    for name in _VARIABLES:
        os.environ[name] = str(count)
