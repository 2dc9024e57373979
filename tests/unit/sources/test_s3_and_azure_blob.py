"""What S3 and Azure Storage refuse, in words that help."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lightmodel.errors import ConfigError, DataError
from lightmodel.sources import object_store
from lightmodel.sources.base import FetchOptions
from lightmodel.sources.factory import source_for
from tests.fakes.clouds import (
    aws_environment,
    azurite,
    make_bucket,
    make_container,
    moto,
    put_blob,
    put_object,
)
from tests.fakes.progress import Watching

BODY = Random(5).randbytes(100_000)
EMPTY, BIG = "empty.csv", "folder/odd name%20(1).csv"
PARTS = {
    "parts/b.csv": b"x\n2\n",
    "parts/a.csv": b"x\n1\n",
    "parts/deep/c.csv": b"x\n3\n",
    "parts/_SUCCESS": b"",
}


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 0, Watching())


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of whoever runs the tests reach them."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as address:
        make_bucket(address, "tables")
        put_object(address, "tables", EMPTY, b"")
        put_object(address, "tables", BIG, BODY)
        for key, body in PARTS.items():
            put_object(address, "tables", key, body)
        yield address


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite(tmp_path_factory.mktemp("azurite")) as address:
        make_container(address, "tables")
        put_blob(address, "tables", EMPTY, b"")
        put_blob(address, "tables", BIG, BODY)
        for key, body in PARTS.items():
            put_blob(address, "tables", key, body)
        yield address


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment(endpoint).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def azure(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)


CLOUDS = [
    pytest.param("s3", marks=pytest.mark.s3),
    pytest.param("azure", marks=pytest.mark.azure),
]


@pytest.fixture(params=CLOUDS)
def bucket(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(request.param)
    return {"s3": "s3://tables", "azure": "az://tables"}[request.param]


def test_an_object_comes_in_blocks_and_under_its_name(
    bucket: str, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "BLOCK_BYTES", 30_000)
    uri = f"{bucket}/{BIG}"
    (path,) = source_for(uri)(uri, options).paths
    assert path.read_bytes() == BODY
    assert path.name == "odd name_20(1).csv"


@pytest.mark.parametrize(
    ("key", "said"),
    [(EMPTY, "is empty"), ("folder", "is a folder"), ("nope.csv", "there is no such")],
)
def test_what_is_no_table_is_refused_with_the_reason(
    bucket: str, key: str, said: str, options: FetchOptions
) -> None:
    uri = f"{bucket}/{key}"
    with pytest.raises(DataError, match=said) as caught:
        source_for(uri)(uri, options)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("parts/*.csv", ["a.csv", "b.csv"]),
        ("parts/[b-z].csv", ["b.csv"]),
        ("parts/**/?.csv", ["a.csv", "b.csv", "c.csv"]),
        ("*/a.csv", ["a.csv"]),
        ("parts/", ["a.csv", "b.csv"]),
    ],
)
def test_objects_that_match_are_one_table_in_the_order_of_their_names(
    bucket: str, pattern: str, names: list[str], options: FetchOptions, tmp_path: Path
) -> None:
    uri = f"{bucket}/{pattern}"
    fetched = source_for(uri)(uri, options)
    assert [path.name for path in fetched.paths] == names
    assert fetched.size == 4 * len(names)
    for path in fetched.paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    local = source_for("")(str(tmp_path / "*.csv"), options)
    assert fetched.sha256 == local.sha256
    again = source_for(uri)(uri, replace(options, sha256=local.sha256))
    assert again == replace(fetched, changed=False)


def test_matching_objects_are_not_asked_for_again_where_that_is_not_wanted(
    bucket: str, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{bucket}/parts/*.csv"
    fetched = source_for(uri)(uri, options)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    again = source_for(uri)(uri, replace(options, refresh="never"))
    assert again.paths == fetched.paths


@pytest.mark.parametrize("pattern", ["parts/*.parquet", "parts/a/", "nothing/*", "part?.csv"])
def test_a_pattern_that_matches_nothing_is_refused(
    bucket: str, pattern: str, options: FetchOptions
) -> None:
    uri = f"{bucket}/{pattern}"
    with pytest.raises(DataError, match="no object matches") as caught:
        source_for(uri)(uri, options)
    assert "**" in caught.value.hint


def test_matching_objects_with_another_hash_are_refused(bucket: str, options: FetchOptions) -> None:
    uri = f"{bucket}/parts/*.csv"
    with pytest.raises(DataError, match="sha256") as caught:
        source_for(uri)(uri, replace(options, sha256="0" * 64))
    assert "data.sha256" in caught.value.hint


def test_a_bucket_that_is_not_there(bucket: str, options: FetchOptions) -> None:
    for uri in (f"{bucket}-gone/{BIG}", f"{bucket}-gone/*.csv"):
        with pytest.raises(DataError, match=r"there is no such|no object matches"):
            source_for(uri)(uri, options)


@pytest.mark.s3
@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_ACCESS_KEY_ID", None, "no credentials"),
        ("AWS_PROFILE", "nobody", "no credentials"),
        ("AWS_ENDPOINT_URL", "nonsense", "does not accept"),
        ("AWS_DEFAULT_REGION", "no such region", "does not accept"),
    ],
)
def test_a_wrong_setting_of_s3_is_a_matter_of_configuration(
    name: str,
    value: str | None,
    said: str,
    options: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if value is None:
        monkeypatch.delenv(name)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=said) as caught:
        source_for("s3://")(f"s3://tables/{BIG}", options)
    assert "AWS_" in caught.value.hint


@pytest.mark.azure
@pytest.mark.parametrize("connection_string", ["", "nonsense"])
def test_a_wrong_setting_of_azure_is_a_matter_of_configuration(
    connection_string: str, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection_string:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string)
    with pytest.raises(ConfigError, match="no account or no credentials") as caught:
        source_for("az://")(f"az://tables/{BIG}", options)
    assert "AZURE_STORAGE_" in caught.value.hint


@pytest.mark.azure
def test_a_wrong_key_is_refused_and_not_shown(
    connection: str, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = connection.replace("AccountKey=Eby8", "AccountKey=AAAA")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    with pytest.raises(DataError, match="refuses access") as caught:
        source_for("az://")(f"az://tables/{BIG}", options)
    assert "AAAA" not in caught.value.message + caught.value.hint
