"""Rows come from objects in S3 and Azure Storage, and answers go there."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.sources.object_store import open_store
from tests.fakes.clouds import (
    aws_environment,
    azurite,
    make_bucket,
    make_container,
    moto,
    put_blob,
    put_object,
)
from tests.fakes.scoring_jobs import Jobs, as_lines
from tests.fakes.streams import visit

DOWN = {
    "s3": ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    "az": (
        "AZURE_STORAGE_CONNECTION_STRING",
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;",
    ),
}
BAD = {**visit(7), "age": "old"}
PARTS = {
    "in/a.jsonl": as_lines([visit(number) for number in range(300)]),
    "in/b.jsonl": as_lines([*(visit(number) for number in range(300, 400)), BAD]),
    "in/_SUCCESS": b"",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as address:
        make_bucket(address, "tables")
        for key, body in PARTS.items():
            put_object(address, "tables", key, body)
        yield address


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite(tmp_path_factory.mktemp("azurite")) as address:
        make_container(address, "tables")
        for key, body in PARTS.items():
            put_blob(address, "tables", key, body)
        yield address


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment(endpoint).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def az(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)


CLOUDS = [pytest.param("s3", marks=pytest.mark.s3), pytest.param("az", marks=pytest.mark.azure)]


@pytest.fixture(params=CLOUDS)
def bucket(request: pytest.FixtureRequest) -> str:
    """The address of a bucket or container with the input, for outputs of this test alone."""
    request.getfixturevalue(request.param)
    return f"{request.param}://tables"


def read(uri: str) -> bytes:
    return open_store(uri, 30.0).read_whole(uri.partition("://")[2], 1 << 20)


def new(bucket: str, ending: str = "csv") -> str:
    return f"{bucket}/out/{Random().getrandbits(64):x}.{ending}"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_answers_are_those_of_local_files(jobs: Jobs, bucket: str, ending: str) -> None:
    for key, body in PARTS.items():
        (jobs.folder / "in").mkdir(exist_ok=True)
        (jobs.folder / key).write_bytes(body)
    jobs(Path("in"), f"local.{ending}", on_error="file")
    for source in ("in/", "in/*.jsonl"):
        out = new(bucket, ending)
        result = jobs(f"{bucket}/{source}", out, on_error="file")
        assert (result.answers, result.rows, result.bad) == (out, 401, 1)
        assert read(out) == jobs.out(f"local.{ending}")
        assert read(result.errors) == jobs.out("local-errors.jsonl")


def test_an_earlier_list_of_bad_rows_is_removed(jobs: Jobs, bucket: str) -> None:
    out = new(bucket)
    listed = jobs(f"{bucket}/in/b.jsonl", out, on_error="file").errors
    assert read(listed)
    assert jobs(f"{bucket}/in/a.jsonl", out, on_error="file").errors == ""
    with pytest.raises(FileNotFoundError):
        read(listed)


def test_what_could_not_be_uploaded_is_not_scored_again(
    jobs: Jobs, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = new(bucket)
    (jobs.folder / "rows.jsonl").write_bytes(PARTS["in/a.jsonl"])
    store = type(open_store(out, 1.0))
    with monkeypatch.context() as patch:
        patch.setattr(store, "upload", lambda store, *_: store.read_whole("tables/no", 0))
        with pytest.raises(ConfigError, match="no such bucket"):
            jobs(Path("rows.jsonl"), out)
    result = jobs(Path("rows.jsonl"), out)
    assert result.rows_before == result.rows == 300
    assert read(out).count(b"\n") == 301
    assert not any((jobs.config.store.work / "score").rglob("answers*"))


def test_a_store_that_is_down_is_noticed_before_scoring(
    jobs: Jobs, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (jobs.folder / "rows.jsonl").write_bytes(PARTS["in/a.jsonl"])
    monkeypatch.setenv(*DOWN[bucket.partition(":")[0]])
    with pytest.raises(SourceUnavailable, match=re.escape(bucket)):
        jobs(Path("rows.jsonl"), new(bucket))


def test_an_output_in_the_input_is_refused(jobs: Jobs, bucket: str) -> None:
    for source, out in (
        ("in/", "in/c.jsonl"),
        ("in/*.jsonl", "in/c.jsonl"),
        ("in/?.jsonl", "in/c.jsonl"),
    ):
        with pytest.raises(ConfigError, match="would be replaced"):
            jobs(f"{bucket}/{source}", f"{bucket}/{out}")


@pytest.mark.parametrize("uri", ["s3://tables.csv", "https://host/scores.csv", "gdrive://abc.csv"])
def test_answers_are_not_written_just_anywhere(jobs: Jobs, uri: str) -> None:
    with pytest.raises(ConfigError, match="cannot be written there"):
        jobs("rows.csv", uri)
