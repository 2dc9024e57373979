"""Which source an address belongs to, and what becomes of it when a place fails."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lightmodel.errors import ConfigError, DataError, QuotaExceeded, SourceUnavailable
from lightmodel.sources.base import FetchOptions
from lightmodel.sources.factory import SCHEMES, fetch_first, source_for
from tests.fakes.drive import QUOTA, Drive, page
from tests.fakes.progress import Watching
from tests.fakes.web import Reply, Web, csv_reply, stand_in_for_https, web_with

BODY = b"x,target\n1,0\n2,1\n"
NOBODY = "http://127.0.0.1:1/t.csv"


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 0, Watching())


@pytest.fixture
def web() -> Iterator[Web]:
    with web_with(csv_reply(BODY, etag='"1"')) as web:
        yield web


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("data/train.csv", "local"),
        ("data/part-*.parquet", "local"),
        ("/data/train.csv", "local"),
        (r"C:\data\train.csv", "local"),
        ("C:/data/train.csv", "local"),
        ("odd:name.csv", "local"),
        ("file:///data/train.csv", "local"),
        ("https://example.org/t.csv", "http"),
        ("HTTP://example.org/t.csv", "http"),
        ("gdrive://1AbC", "gdrive"),
        ("https://drive.google.com/file/d/1AbC/view", "gdrive"),
        ("https://docs.google.com/spreadsheets/d/1AbC/edit#gid=0", "gdrive"),
        ("drive.google.com/file/d/1AbC/view", "gdrive"),
        ("s3://bucket/t.csv", "objects"),
        ("az://container/t.csv", "objects"),
        ("sklearn://wine", "bundled"),
        ("sample://santander", "bundled"),
    ],
)
def test_an_address_leads_to_its_source(uri: str, kind: str) -> None:
    assert source_for(uri).__module__ == f"lightmodel.sources.{kind}"


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("htps://example.org/t.csv", "did you mean https://?"),
        ("hdfs://x/t.csv", "known are file://"),
    ],
)
def test_the_error_for_an_unknown_scheme_lists_the_known_ones(uri: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=r"the scheme .* is unknown") as caught:
        source_for(uri)
    assert hint in caught.value.hint
    assert all(f"{scheme}://" in caught.value.hint for scheme in SCHEMES)


@pytest.mark.parametrize("uri", ["https:/example.org/t.csv", "s3:bucket/t.csv", "sample:santander"])
def test_forgotten_slashes_are_pointed_out(uri: str) -> None:
    with pytest.raises(ConfigError, match="slashes are missing"):
        source_for(uri)


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [("s3://b/t.csv", "s3fs", "s3.txt"), ("az://c/t.csv", "adlfs", "azure.txt")],
)
def test_the_error_for_a_missing_library_names_the_command_that_installs_it(
    uri: str, module: str, extra: str, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=module) as caught:
        fetch_first([uri], options)
    assert caught.value.hint == f"pip install -r requirements/{extra}"


@pytest.mark.parametrize(
    "uri", ["s3://bucket", "s3://bucket/", "s3:///t.csv", "az://c", "az://c*/t.csv"]
)
def test_an_address_in_a_store_names_an_object(uri: str, options: FetchOptions) -> None:
    with pytest.raises(ConfigError, match="names no"):
        fetch_first([uri], options)


def test_the_first_address_that_has_the_table_is_used_and_logged(
    web: Web, options: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fetched = fetch_first(["not-here.csv", NOBODY, web.url, "not-there.csv"], options)
    assert fetched.paths[0].read_bytes() == BODY
    assert f"the table comes from the mirror {web.url}" in caplog.text
    assert "there is no file not-here.csv" in caplog.text
    assert "not-there.csv" not in caplog.text


def test_a_mirror_is_not_used_while_the_source_answers(web: Web, options: FetchOptions) -> None:
    assert fetch_first([web.url, NOBODY], options).uri == web.url
    with web_with(csv_reply(BODY)) as second:
        fetch_first([web.url, second.url], options)
        assert second.asked == []


def test_a_mirror_with_the_expected_hash_is_used_when_the_source_has_another(
    web: Web, options: FetchOptions, tmp_path: Path
) -> None:
    good = fetch_first([web.url], options).sha256
    (tmp_path / "other.csv").write_text("something else")
    assert fetch_first(["other.csv", web.url], replace(options, sha256=good)).uri == web.url


def test_when_all_fail_each_failure_is_reported(options: FetchOptions) -> None:
    with web_with(Reply(b"", 403)) as web, pytest.raises(SourceUnavailable) as caught:
        fetch_first(["not-here.csv", NOBODY, web.url], options)
    lines = caught.value.message.splitlines()
    assert "source nor its 2 mirror(s)" in lines[0]
    for line, said in zip(lines[1:], ["no file not-here.csv", "refused", "403"], strict=True):
        assert said in line
    assert caught.value.hint


def test_without_a_transient_failure_the_error_is_a_data_error(options: FetchOptions) -> None:
    with pytest.raises(DataError, match="mirror"):
        fetch_first(["not-here.csv", "nor-here.csv"], options)


def test_when_every_place_is_out_of_quota_that_is_the_error(
    options: FetchOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drive = Drive()
    drive.put("1", page(QUOTA))
    with drive.serve() as web:
        stand_in_for_https(web, monkeypatch, tmp_path)
        with pytest.raises(QuotaExceeded, match="mirror"):
            fetch_first(["gdrive://1", "https://drive.google.com/open?id=1&x=2"], options)


@pytest.mark.parametrize("wrong", ["sample://santnader", "hdfs://x/t.csv"])
def test_a_wrong_setting_is_not_hidden_by_a_mirror(
    web: Web, options: FetchOptions, wrong: str
) -> None:
    with pytest.raises(ConfigError):
        fetch_first([wrong, web.url], options)


def test_a_misspelt_mirror_is_reported_before_it_is_needed(web: Web, options: FetchOptions) -> None:
    with pytest.raises(ConfigError, match="hdfs"):
        fetch_first([web.url, "hdfs://x/t.csv"], options)
    assert web.asked == []
