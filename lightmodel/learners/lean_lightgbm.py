"""LightGBM as the chain uses it: by its own data sets and boosters, without scikit-learn and pandas.

LightGBM imports both for classes and tables that are not used here, which takes longer than training on
a small table. Where it or scikit-learn is loaded already, this is the LightGBM of everybody else; else
one of our own, so that `import lightgbm` elsewhere still brings all of it.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    import lightgbm as lgb

__all__ = ["lgb"]


def _without_the_optional() -> "ModuleType":
    hidden = {"sklearn", "pandas"} - sys.modules.keys()
    for name in hidden:  # to import None fails as if it were not installed
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import lightgbm
    finally:
        own = {one for one in sys.modules if one.partition(".")[0] == "lightgbm"}
        for name in hidden | own:
            del sys.modules[name]
    return lightgbm


if not TYPE_CHECKING:
    if sys.modules.keys() & {"lightgbm", "sklearn"}:
        import lightgbm as lgb
    else:
        lgb = _without_the_optional()
