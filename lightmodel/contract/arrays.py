"""Names for the shapes of arrays that travel through the package."""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]  # (rows, features): NaN is missing, categories are codes
Vector = npt.NDArray[np.float64]  # (rows,)
Codes = npt.NDArray[np.int64]  # (rows,): class codes, or row numbers
Mask = npt.NDArray[np.bool_]  # (rows,)
Scores = npt.NDArray[
    np.float64
]  # (rows,) for binary and regression, (rows, classes) for multiclass
