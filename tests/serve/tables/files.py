"""Training files in other formats than CSV."""

import io
import json
from collections.abc import Callable, Mapping

import pandas as pd

from tests.serve.tables.base import Case, Frame, rows
from tests.serve.tables.cells import flags, times_of_day
from tests.serve.tables.dialects import delimited


def _plain() -> Frame:
    made = pd.read_csv(io.StringIO(delimited(",").text))
    flag = [row.pick == 1 for row in rows()]
    numbers = [float("nan") if row.at % 9 == 0 else row.pick for row in rows()]
    return made.assign(flag=flag, n=numbers)


def parquet_file() -> Case:
    frame = _plain()
    typed = frame.assign(a=frame["a"].astype("float64"), c=frame["c"].astype("category"))
    sink = io.BytesIO()
    typed.to_parquet(sink, index=False)
    return Case(sink.getvalue(), frame, file="rows.parquet", encoding="")


def parquet_times() -> Case:
    """A column of time64, which a CSV holds as text."""
    text = times_of_day().frame
    typed = times_of_day().variants["times"]
    sink = io.BytesIO()
    typed.to_parquet(sink, index=False)
    return Case(sink.getvalue(), text, file="rows.parquet", encoding="", variants={"times": typed})


def excel_file() -> Case:
    sink = io.BytesIO()
    _plain().to_excel(sink, index=False)
    return Case(sink.getvalue(), _plain(), file="rows.xlsx", encoding="")


def excel_times() -> Case:
    text, typed = times_of_day().frame, times_of_day().variants["times"]
    sink = io.BytesIO()
    typed.to_excel(sink, index=False)
    return Case(sink.getvalue(), text, file="rows.xlsx", encoding="", variants={"times": typed})


def json_lines_file() -> Case:
    frame = _plain()
    text = frame.to_json(orient="records", lines=True, double_precision=15)
    return Case(text.encode(), frame, file="rows.jsonl", encoding="")


def json_flags() -> Case:
    """Records whose column holds true, false and a word: what CSV has as True is the same."""
    made = flags()
    records = made.variants["real"].to_dict("records")
    text = "".join(json.dumps(record) + "\n" for record in records)
    return Case(text.encode(), made.frame, file="rows.jsonl", encoding="", variants=made.variants)


CASES: Mapping[str, Callable[[], Case]] = {
    "Parquet": parquet_file,
    "Parquet with times": parquet_times,
    "Excel": excel_file,
    "Excel with times": excel_times,
    "JSON Lines": json_lines_file,
    "JSON Lines with flags": json_flags,
}
