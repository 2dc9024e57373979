"""Names for the shapes of arrays that travel through the package."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Matrix = npt.NDArray[np.float64]  # (rows, features): NaN is missing, categories are codes
Vector = npt.NDArray[np.float64]  # (rows,)
Codes = npt.NDArray[np.int64]  # (rows,): class codes, or row numbers
Mask = npt.NDArray[np.bool_]  # (rows,)
Scores = npt.NDArray[
    np.float64
]  # (rows,) for binary and regression, (rows, classes) for multiclass


def float_vector(values: pa.ChunkedArray) -> Vector:
    """Return numbers as float64; a missing one is NaN, one beyond 2^53 is the nearest that there is."""
    numbers: Vector = values.cast(pa.float64(), safe=False).to_numpy()
    return numbers
