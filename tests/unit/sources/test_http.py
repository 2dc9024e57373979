"""What goes wrong between here and a web server, and what becomes of it."""

import email.utils
import gzip
import hashlib
import json
import logging
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import ConfigError, DataError, SourceUnavailable, StorageFull
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import CacheEntry, FileState
from lightmodel.sources.http import fetch, name_from_disposition
from tests.fakes.progress import Interrupting, Watching
from tests.fakes.web import Asked, Reply, Web, csv_reply, stand_in_for_https, web_with

BODY = Random(5).randbytes(300_000)
OTHER = Random(6).randbytes(300_000)
CUT = 200_000
WHOLE = csv_reply(BODY, etag='"one"')
MODIFIED = "Sat, 07 Nov 2026 10:00:00 GMT"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def options(tmp_path: Path, waits: list[float]) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 3, Watching(), waits.append)


def content(fetched: FetchResult) -> bytes:
    return fetched.paths[0].read_bytes()


def ranges(web: Web) -> list[str]:
    return [asked.headers.get("Range", "") for asked in web.asked]


def start_of(asked: Asked) -> int:
    return int(asked.headers["Range"].removeprefix("bytes=").removesuffix("-"))


@pytest.mark.parametrize("etag", ['"one"', ""])
def test_a_truncated_body_is_resumed(options: FetchOptions, etag: str) -> None:
    reply = csv_reply(BODY, etag=etag, modified=MODIFIED)
    with web_with(replace(reply, cut_at=CUT), reply) as web:
        assert content(fetch(web.url, options)) == BODY
    assert 0 < start_of(web.asked[1]) <= CUT
    assert web.asked[1].headers["If-Range"] == (etag or MODIFIED)


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_validator_the_whole_file_is_requested_again(
    options: FetchOptions, etag: str
) -> None:
    reply = csv_reply(BODY, etag=etag)
    with web_with(replace(reply, cut_at=CUT), reply) as web:
        assert content(fetch(web.url, options)) == BODY
    assert ranges(web) == ["", ""]


def test_a_server_that_knows_no_ranges_sends_the_whole_file(options: FetchOptions) -> None:
    with web_with(replace(WHOLE, cut_at=CUT), replace(WHOLE, ranges=False)) as web:
        assert content(fetch(web.url, options)) == BODY


def test_a_file_that_changed_between_two_tries_is_not_pieced_together(
    options: FetchOptions,
) -> None:
    with web_with(replace(WHOLE, cut_at=CUT), csv_reply(OTHER, etag='"two"')) as web:
        assert content(fetch(web.url, options)) == OTHER


def partial_content(body: bytes, span: str, etag: str) -> Reply:
    return Reply(body, 206, {"Content-Range": f"bytes {span}", "ETag": etag})


@pytest.mark.parametrize(
    "rest",
    [
        partial_content(OTHER[196_608:], "196608-299999/300000", '"two"'),
        partial_content(BODY[100:], "100-299999/300000", '"one"'),
        partial_content(BODY[196_608:], "196608-299999/400000", '"one"'),
        partial_content(BODY[196_608:250_000], "196608-249999/300000", '"one"'),
        partial_content(BODY[196_608:], "nonsense", '"one"'),
        Reply(b"", 416, {"Content-Range": "bytes */300000"}),
    ],
    ids=["another file", "another start", "another size", "not to the end", "no range", "refused"],
)
def test_a_rest_that_does_not_fit_is_not_used(options: FetchOptions, rest: Reply) -> None:
    with web_with(replace(WHOLE, cut_at=CUT), rest, WHOLE) as web:
        assert content(fetch(web.url, options)) == BODY
    assert len(web.asked) == 3


def test_the_hash_detects_a_wrongly_resumed_file(
    options: FetchOptions,
) -> None:
    liar = partial_content(OTHER[196_608:], "196608-299999/300000", '"one"')
    expected = hashlib.sha256(BODY).hexdigest()
    with web_with(replace(WHOLE, cut_at=CUT), liar, WHOLE) as web:
        assert content(fetch(web.url, replace(options, sha256=expected))) == BODY


def test_a_complete_but_unpublished_download_costs_one_more_byte(
    options: FetchOptions,
) -> None:
    with web_with(WHOLE) as web:
        entry = CacheEntry(options.cache, web.url)
        with entry.lock():
            entry.begin(FileState("table.csv", len(BODY), '"one"'))
            entry.part.write_bytes(BODY)
        assert content(fetch(web.url, options)) == BODY
    assert ranges(web) == [f"bytes={len(BODY) - 1}-"]


def test_an_interrupted_download_goes_on_the_next_time(options: FetchOptions) -> None:
    with web_with(WHOLE) as web:
        with pytest.raises(KeyboardInterrupt):
            fetch(web.url, replace(options, progress=Interrupting(at=CUT // 2)))
        assert content(fetch(web.url, options)) == BODY
    assert 0 < start_of(web.asked[1]) <= CUT


def test_a_body_without_length_is_accepted_with_a_log_line(
    options: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with web_with(replace(WHOLE, announce="nothing", cut_at=CUT)) as web:
        assert content(fetch(web.url, options)) == BODY[:CUT]
    assert "cannot be checked" in caplog.text


def test_a_body_without_length_that_was_cut_does_not_pass_the_hash(options: FetchOptions) -> None:
    expected = replace(options, sha256=hashlib.sha256(BODY).hexdigest())
    with (
        web_with(replace(WHOLE, announce="nothing", cut_at=CUT)) as web,
        pytest.raises(DataError, match="sha256") as caught,
    ):
        fetch(web.url, expected)
    assert "cut short" in caught.value.hint


def test_a_cut_in_chunks_is_noticed(options: FetchOptions) -> None:
    chunked = replace(WHOLE, announce="chunked")
    with web_with(replace(chunked, cut_at=CUT), chunked) as web:
        assert content(fetch(web.url, options)) == BODY
    assert len(web.asked) == 2


def test_a_server_that_falls_silent_is_given_up_and_asked_again(
    options: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    with web_with(replace(WHOLE, stall_at=CUT), WHOLE) as web:
        assert content(fetch(web.url, replace(options, timeout_s=0.2))) == BODY
    assert "no data arrived for 0.2 s; try 2 of 4" in caplog.text
    assert 0 < start_of(web.asked[1]) <= CUT


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_transient_failure_is_retried(options: FetchOptions, status: int) -> None:
    with web_with(Reply(b"later", status), WHOLE) as web:
        assert content(fetch(web.url, options)) == BODY


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 204, 206])
def test_a_refusal_is_reported_at_once(options: FetchOptions, status: int) -> None:
    with (
        web_with(Reply(b"" if status == 204 else b"no", status)) as web,
        pytest.raises(DataError, match=str(status)) as caught,
    ):
        fetch(web.url, options)
    assert len(web.asked) == (2 if status == 206 else 1)
    assert caught.value.hint


def test_after_the_last_try_the_error_says_how_many_there_were_and_that_later_may_help(
    options: FetchOptions,
) -> None:
    with (
        web_with(Reply(b"", 503)) as web,
        pytest.raises(SourceUnavailable, match=r"503 \(4 tries\)") as caught,
    ):
        fetch(web.url, options)
    assert len(web.asked) == 4
    assert "later" in caught.value.hint


def test_the_waits_between_tries_grow(options: FetchOptions, waits: list[float]) -> None:
    with web_with(Reply(b"", 503)) as web, pytest.raises(SourceUnavailable):
        fetch(web.url, replace(options, retries=8))
    for wait_s, least in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert least <= wait_s <= min(least + 1, 60)


@pytest.mark.parametrize(
    ("asked_for", "waited"),
    [
        (lambda: "7", range(7, 8)),
        (lambda: "86400", range(60, 61)),
        (lambda: email.utils.formatdate(time.time() + 30, usegmt=True), range(20, 31)),
        (lambda: "soon", range(1, 3)),
    ],
)
def test_the_server_may_ask_for_a_longer_wait_within_reason(
    options: FetchOptions,
    waits: list[float],
    asked_for: Callable[[], str],
    waited: range,
) -> None:
    with web_with(Reply(b"", 429, {"Retry-After": asked_for()}), WHOLE) as web:
        fetch(web.url, options)
    assert int(waits[0]) in waited


def test_the_waits_have_jitter(options: FetchOptions, waits: list[float]) -> None:
    for _ in range(3):
        with web_with(Reply(b"", 503), WHOLE) as web:
            fetch(web.url, replace(options, refresh="always"))
    assert len(set(waits)) == 3


def test_nobody_listens(options: FetchOptions) -> None:
    with web_with(WHOLE) as web:
        pass
    with pytest.raises(SourceUnavailable, match="refused"):
        fetch(web.url, options)


@pytest.mark.parametrize(
    "start",
    [
        b"<!DOCTYPE html><html>",
        b"\xef\xbb\xbf\n <HTML lang=en>",
        b"<!-- hello -->\n<head>",
        b"<?xml?><html",
    ],
)
@pytest.mark.parametrize(
    "disposition", [{}, {"Content-Disposition": "attachment; filename=table.csv"}]
)
def test_a_web_page_is_no_table_whatever_it_is_sent_as(
    options: FetchOptions, start: bytes, disposition: dict[str, str]
) -> None:
    page = Reply(start + b"Please log in", headers={"Content-Type": "text/csv"} | disposition)
    with (
        web_with(page) as web,
        pytest.raises(DataError, match="this is an HTML page: is the file shared with anyone"),
    ):
        fetch(web.url, options)
    assert len(web.asked) == 1


def test_an_empty_file_is_no_table(options: FetchOptions) -> None:
    with web_with(csv_reply(b"")) as web, pytest.raises(DataError, match="empty"):
        fetch(web.url, options)


def test_an_empty_answer_without_length_is_tried_again(options: FetchOptions) -> None:
    with web_with(Reply(b"", announce="nothing"), WHOLE) as web:
        assert content(fetch(web.url, options)) == BODY


@pytest.mark.parametrize("etag", ['"one"', 'W/"one"', ""])
def test_the_source_is_asked_whether_anything_changed(options: FetchOptions, etag: str) -> None:
    reply = csv_reply(BODY, etag=etag, modified=MODIFIED)
    with web_with(reply) as web:
        fetch(web.url, options)
        assert not fetch(web.url, options).changed
    headers = web.asked[1].headers
    assert headers.get("If-None-Match", "") == etag
    assert headers["If-Modified-Since"] == MODIFIED


def test_without_validators_the_file_is_fetched_again_and_compared(options: FetchOptions) -> None:
    with web_with(csv_reply(BODY), csv_reply(BODY), csv_reply(OTHER)) as web:
        changes = [fetch(web.url, options).changed for _ in range(3)]
    assert changes == [True, False, True]


def test_a_compressed_transfer_is_decompressed(options: FetchOptions) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Disposition": "attachment; filename=t.csv.gz"}
    with web_with(Reply(gzip.compress(BODY), headers=headers)) as web:
        fetched = fetch(web.url, options)
    assert content(fetched) == BODY
    assert fetched.paths[0].name == "t.csv"


def test_a_compressed_file_stays_compressed(options: FetchOptions) -> None:
    packed = gzip.compress(BODY)
    with web_with(Reply(packed, headers={"Content-Type": "application/gzip"})) as web:
        fetched = fetch(f"{web.url}/t.csv.gz", options)
    assert content(fetched) == packed
    assert fetched.paths[0].name == "t.csv.gz"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/a/white%20wine.csv?x=/y.json", {}, "white wine.csv"),
        ("/export", {"Content-Type": "text/csv; charset=utf-8"}, "export.csv"),
        ("/a.txt", {"Content-Type": "text/csv"}, "a.txt"),
        ("/export", {"Content-Type": "application/octet-stream"}, "export"),
        ("/", {"Content-Type": "application/vnd.apache.parquet"}, "table.parquet"),
        ("/b.csv", {"Content-Disposition": "attachment; filename=123"}, "b.csv"),
        ("/45", {"Content-Disposition": "attachment; filename=123"}, "123"),
        ("/", {}, "table"),
        ("/x", {"Content-Disposition": 'attachment; filename="b.parquet"'}, "b.parquet"),
        ("/x", {"Content-Disposition": "attachment; filename*=UTF-8''%e2%82%ac.csv"}, "_.csv"),
        ("/x", {"Content-Disposition": 'attachment; filename="../../etc/cron.d/x"'}, "x"),
        ("/x", {"Content-Disposition": "attachment; filename=source.json"}, "table-source.json"),
    ],
)
def test_the_file_is_named_as_the_server_names_it_and_stays_in_its_folder(
    options: FetchOptions, path: str, headers: dict[str, str], name: str
) -> None:
    with web_with(Reply(BODY, headers=headers)) as web:
        fetched = fetch(web.url + path, options)
    assert fetched.paths[0].name == name
    assert fetched.paths[0].parent.parent == options.cache


def test_a_redirect_may_give_the_name(options: FetchOptions) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(BODY) if asked.path != "/123" else Reply(b"", 302, {"Location": "/a/t.csv"})

    with Web(answer) as web:
        assert fetch(f"{web.url}/123", options).paths[0].name == "t.csv"


def test_an_old_name_does_not_stay_beside_a_new_one(options: FetchOptions) -> None:
    with web_with(csv_reply(BODY, name="old.csv"), csv_reply(OTHER, name="new.csv")) as web:
        old = fetch(web.url, options).paths[0]
        new = fetch(web.url, options).paths[0]
    assert new.exists()
    assert not old.exists()


def test_secrets_of_the_address_stay_secret(
    options: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with web_with(WHOLE, Reply(b"", 503), Reply(b"", 404)) as web:
        address = web.url.replace("http://", "http://user:hunter2@") + "/t.csv?token=hunter2"
        fetched = fetch(address, options)
        with pytest.raises(DataError) as caught:
            fetch(address, options)
    record = fetched.paths[0].with_name("source.json").read_text()
    for text in (fetched.uri, record, caplog.text, caught.value.message, caught.value.hint):
        assert "hunter2" not in text
    assert web.asked[0].headers["Authorization"].startswith("Basic ")


def test_secrets_stay_secret_when_nobody_answers(options: FetchOptions) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        fetch("http://127.0.0.1:1/t.csv?token=hunter2", options)
    assert "hunter2" not in caught.value.message


def test_an_untrusted_certificate_is_reported_at_once_with_a_hint(
    options: FetchOptions,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with web_with(WHOLE) as web:
        stand_in_for_https(web, monkeypatch, tmp_path)
        with pytest.raises(SourceUnavailable, match="certificate is not trusted") as caught:
            fetch("https://another.example/table.csv", options)
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    assert waits == []


def test_an_address_that_leads_in_circles(options: FetchOptions) -> None:
    with (
        Web(lambda _: Reply(b"", 302, {"Location": "/again"})) as web,
        pytest.raises(DataError, match="redirects endlessly") as caught,
    ):
        fetch(f"{web.url}/t.csv?token=hunter2", options)
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    "address", ["https://", "http://[::1/t.csv", "http://:80/t.csv", "https://.x/"]
)
def test_an_address_that_makes_no_sense(options: FetchOptions, address: str) -> None:
    with pytest.raises(ConfigError, match="address is invalid"):
        fetch(address, options)


def test_what_cannot_fit_on_the_disk_is_not_begun(
    options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    with web_with(WHOLE) as web, pytest.raises(StorageFull, match=r"300,000 bytes.*1,000 are free"):
        fetch(web.url, options)


def test_a_folder_that_cannot_be_made_is_a_matter_of_configuration(
    options: FetchOptions, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with web_with(WHOLE) as web, pytest.raises(ConfigError, match="cannot be written to") as caught:
        fetch(web.url, replace(options, cache=tmp_path / "file"))
    assert "store.work" in caught.value.hint


def test_the_record_says_where_the_file_is_from(options: FetchOptions) -> None:
    with web_with(WHOLE) as web:
        fetched = fetch(web.url, options)
    record = json.loads(fetched.paths[0].with_name("source.json").read_text())
    assert (record["uri"], record["sha256"], record["size"]) == (web.url, fetched.sha256, len(BODY))
    assert record["state"]["etag"] == fetched.etag == '"one"'


def test_each_request_asks_for_the_file_as_it_is(options: FetchOptions) -> None:
    def answer(asked: Asked) -> Reply:
        return WHOLE if asked.headers["Accept-Encoding"] == "identity" else Reply(b"", 404)

    with Web(answer) as web:
        assert content(fetch(web.url, options)) == BODY


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
def test_any_disposition_gives_a_text(header: str) -> None:
    assert isinstance(name_from_disposition(header), str)
