"""Write the tables of `make bench-quality` as CSV: each is shipped in a package, and none is fetched.

Usage: quality_tables.py FOLDER, in the environment of requirements/quality.txt. Each has a column `row`,
by which the rows of a split are known, and is written with its target's name and task to tables.json.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd


def diamonds() -> tuple[pd.DataFrame, str]:
    """53,940 prices; columns of few ordered categories, and many interactions."""
    from plotnine.data import diamonds

    return diamonds, "price"


def house_sales() -> tuple[pd.DataFrame, str]:
    """8,602 months of towns in Texas: categories of many values, gaps."""
    from plotnine.data import txhousing

    return txhousing.drop(columns="date").dropna(subset="median"), "median"


def doctor_visits() -> tuple[pd.DataFrame, str]:
    """20,190 counts of visits, most of them noise."""
    from statsmodels.datasets import randhie

    return randhie.load_pandas().data, "mdvis"


def affairs() -> tuple[pd.DataFrame, str]:
    """6,366 answers to a questionnaire: two classes from ordered answers."""
    from statsmodels.datasets import fair

    table = fair.load_pandas().data
    return table.assign(affairs=(table["affairs"] > 0).map({True: "yes", False: "no"})), "affairs"


def by_sklearn(name: str, *, classes: bool) -> Callable[[], tuple[pd.DataFrame, str]]:
    """Return the function for a table of scikit-learn."""

    def load() -> tuple[pd.DataFrame, str]:
        import sklearn.datasets

        table = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
        return (
            table.assign(target="c" + table["target"].astype(str)) if classes else table
        ), "target"

    return load


TABLES = {
    "breast cancer": by_sklearn("breast_cancer", classes=True),
    "wine": by_sklearn("wine", classes=True),
    "digits": by_sklearn("digits", classes=True),
    "diabetes": by_sklearn("diabetes", classes=False),
    "affairs": affairs,
    "house sales": house_sales,
    "doctor visits": doctor_visits,
    "diamonds": diamonds,
}


def main(folder: Path) -> None:
    """Write every table."""
    targets = {}
    for name, load in TABLES.items():
        table, target = load()
        path = folder / f"{name.replace(' ', '-')}.csv"
        table.reset_index(drop=True).rename_axis("row").to_csv(path)
        targets[name] = {"file": path.name, "target": target}
    (folder / "tables.json").write_text(json.dumps(targets), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
