"""A file's name from outside is one harmless path component."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.sources.names import (
    MAX_BYTES,
    best_name,
    name_from_disposition,
    name_from_url,
    safe_name,
    with_ending,
)

ODD = st.text() | st.from_regex(r"(\.\./|C:\\|/|\.|~|con|source|download)*\.(csv|json|part|lock)")


@given(ODD)
def test_no_name_leaves_its_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe not in {"", ".", "..", "source.json", "download.json", "download.part", ".lock"}
    assert PurePosixPath(safe).name == PureWindowsPath(safe).name == safe
    assert len(safe.encode()) <= MAX_BYTES + 10
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


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", ""),
        ("inline", ""),
        ('attachment; filename="a b.csv"', "a b.csv"),
        ("attachment; filename=a.csv; filename*=UTF-8''%C3%A4.csv", "ä.csv"),
        ('attachment; filename="Ã¤.csv"', "ä.csv"),
        ('attachment; filename="é.csv"', "é.csv"),
    ],
)
def test_a_disposition_gives_the_name_however_it_is_encoded(header: str, name: str) -> None:
    assert name_from_disposition(header) == name


@given(st.text())
def test_no_disposition_whatever_does_harm(header: str) -> None:
    assert isinstance(name_from_disposition(header), str)


def test_an_address_gives_the_last_part_of_its_path() -> None:
    assert name_from_url("https://x.org/a/b%20c.csv?d=/e.csv#f") == "b c.csv"
    assert name_from_url("https://x.org") == ""


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (("a.csv", "b.csv"), "a.csv"),
        (("", "123", "b.csv"), "b.csv"),
        (("", "123", "45"), "123"),
        (("",), ""),
    ],
)
def test_a_name_with_an_ending_is_better(names: tuple[str, ...], best: str) -> None:
    assert best_name(*names) == best


def test_an_ending_is_added_only_where_there_is_none() -> None:
    assert with_ending("export", "text/csv; charset=utf-8") == "export.csv"
    assert with_ending("a.txt", "text/csv") == "a.txt"
    assert with_ending("export", "application/octet-stream") == "export"
    assert Path(with_ending("", "application/vnd.apache.parquet")).suffix == ".parquet"
