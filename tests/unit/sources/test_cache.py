"""A file's name from outside is one harmless path component."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.sources.cache import MAX_NAME_BYTES, safe_name

ODD = st.text() | st.from_regex(r"(\.\./|C:\\|/|\.|~|con|source|download)*\.(csv|json|part|lock)")


@given(ODD)
def test_no_name_leaves_its_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe not in {"", ".", "..", "source.json", "download.json", "download.part", ".lock"}
    assert PurePosixPath(safe).name == PureWindowsPath(safe).name == safe
    assert len(safe.encode()) <= MAX_NAME_BYTES + 10
    assert not safe.startswith((".", " ", "~"))


@given(st.from_regex(r"[\w][\w -]{0,40}\.(csv|csv\.gz|parquet|jsonl|xlsx)", fullmatch=True))
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert safe_name(name) == name


@given(st.text("aé€", min_size=100, max_size=300))
def test_a_long_name_keeps_its_ending(stem: str) -> None:
    assert safe_name(f"{stem}.csv.gz").endswith(".csv.gz")


@pytest.mark.parametrize("name", ["CON", "nul.csv", "Com1.txt", "source.json", "SOURCE.JSON"])
def test_names_that_mean_something_else_are_avoided(name: str) -> None:
    assert safe_name(name) == f"table-{name}"
