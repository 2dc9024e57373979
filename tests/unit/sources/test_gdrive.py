"""Google Drive as it behaves: forms, quotas, pages in place of files, broken transfers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lightmodel.errors import ConfigError, DataError, QuotaExceeded, SourceUnavailable
from lightmodel.sources import gdrive
from lightmodel.sources.base import FetchOptions, FetchResult
from tests.fakes.drive import HTML, QUOTA, SIGN_IN, UUID, Drive, page, private
from tests.fakes.progress import Watching
from tests.fakes.web import Reply, Web, csv_reply, stand_in_for_https

BODY = Random(5).randbytes(300_000)
OTHER = Random(6).randbytes(300_000)
CUT = 200_000
FILE = "1AbC-dE_f"
LINK = f"gdrive://{FILE}"
MODIFIED = "Sat, 07 Nov 2026 10:00:00 GMT"
WHOLE = csv_reply(BODY, modified=MODIFIED)


@pytest.fixture
def drive() -> Drive:
    return Drive()


@pytest.fixture(autouse=True)
def web(drive: Drive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Web]:
    with drive.serve() as web:
        stand_in_for_https(web, monkeypatch, tmp_path)
        yield web


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 3, Watching(), lambda _: None)


def fetch(options: FetchOptions, uri: str = LINK) -> FetchResult:
    return gdrive.fetch(uri, options)


def content(fetched: FetchResult) -> bytes:
    return fetched.paths[0].read_bytes()


def bodies(web: Web) -> list[str]:
    """The ranges asked of the file itself, without the pages in front of it."""
    asked = [asked for asked in web.asked if asked.path == "/download"]
    return [one.headers.get("Range", "whole") for one in asked]


def test_a_small_file_comes_directly(drive: Drive, options: FetchOptions, web: Web) -> None:
    drive.put(FILE, WHOLE)
    fetched = fetch(options)
    assert content(fetched) == BODY
    assert fetched.paths[0].name == "table.csv"
    assert [asked.path for asked in web.asked] == ["/uc", "/download"]


def test_a_big_file_comes_through_the_virus_scan_form(
    drive: Drive, options: FetchOptions, web: Web
) -> None:
    drive.put(FILE, WHOLE, too_big_to_scan=True)
    assert content(fetch(options)) == BODY
    assert web.asked[-1].query == {"id": FILE, "export": "download", "confirm": "t", "uuid": UUID}


@pytest.mark.parametrize("too_big_to_scan", [False, True])
def test_a_truncated_file_is_resumed(
    drive: Drive, options: FetchOptions, web: Web, too_big_to_scan: bool
) -> None:
    drive.put(FILE, replace(WHOLE, cut_at=CUT), WHOLE, too_big_to_scan=too_big_to_scan)
    assert content(fetch(options)) == BODY
    assert bodies(web)[-1].startswith("bytes=1")


def test_a_file_that_falls_silent_is_resumed(drive: Drive, options: FetchOptions, web: Web) -> None:
    drive.put(FILE, replace(WHOLE, stall_at=CUT), WHOLE)
    assert content(fetch(replace(options, timeout_s=0.3))) == BODY
    assert bodies(web)[-1].startswith("bytes=1")


def test_a_file_that_was_replaced_between_two_tries_is_not_pieced_together(
    drive: Drive, options: FetchOptions
) -> None:
    later = csv_reply(OTHER, modified=MODIFIED.replace("10:", "11:"))
    drive.put(FILE, replace(WHOLE, cut_at=CUT), later)
    assert content(fetch(options)) == OTHER


def test_without_ranges_the_whole_file_is_fetched(drive: Drive, options: FetchOptions) -> None:
    drive.put(FILE, replace(WHOLE, cut_at=CUT), replace(WHOLE, ranges=False))
    assert content(fetch(options)) == BODY


def test_a_truncated_file_without_length_is_taken_as_it_comes(
    drive: Drive, options: FetchOptions
) -> None:
    drive.put(FILE, replace(WHOLE, announce="nothing", cut_at=CUT))
    assert content(fetch(options)) == BODY[:CUT]


@pytest.mark.parametrize(
    "answer",
    [
        page(QUOTA),
        page(QUOTA, 403),
        Reply(QUOTA.encode(), headers=HTML | {"Content-Disposition": "attachment"}),
    ],
    ids=["page", "forbidden", "attachment"],
)
def test_a_used_up_quota_is_an_error_of_its_own(
    drive: Drive, options: FetchOptions, web: Web, answer: Reply
) -> None:
    drive.put(FILE, answer)
    with pytest.raises(QuotaExceeded, match="download quota for this file is used up") as caught:
        fetch(options)
    assert bodies(web) == ["whole"]
    assert "24 hours" in caught.value.hint
    assert "data.mirrors" in caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        private(),
        page(SIGN_IN),
        Reply(
            SIGN_IN.encode(), headers=HTML | {"Content-Disposition": 'attachment; filename="t.csv"'}
        ),
    ],
    ids=["redirect", "page", "attachment"],
)
def test_a_page_in_place_of_the_file_asks_whether_it_is_shared(
    drive: Drive, options: FetchOptions, web: Web, answer: Reply
) -> None:
    drive.put(FILE, answer)
    with pytest.raises(DataError, match="this is an HTML page: is the file shared with anyone who"):
        fetch(options)
    assert bodies(web) == ["whole"]


def test_a_file_that_is_not_there(options: FetchOptions, web: Web) -> None:
    with pytest.raises(DataError, match="no such file"):
        fetch(options)
    assert len(web.asked) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_transient_failure_is_retried(drive: Drive, options: FetchOptions, status: int) -> None:
    drive.put(FILE, page("<html>Sorry</html>", status), WHOLE)
    assert content(fetch(options)) == BODY


def test_a_lasting_failure_is_an_error(drive: Drive, options: FetchOptions) -> None:
    drive.put(FILE, page("<html>Sorry</html>", 503))
    with pytest.raises(SourceUnavailable, match="503"):
        fetch(options)


def test_a_file_for_which_drive_itself_fails_is_tried_again_and_given_up(
    drive: Drive, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "_uc", lambda _: page("<html>Sorry</html>", 500))
    with pytest.raises(SourceUnavailable, match=r"500 \(4 tries\)"):
        fetch(options)


def test_a_form_that_leads_to_itself_ends(drive: Drive, options: FetchOptions) -> None:
    drive.put(FILE, page(f'<html><a href="/uc?export=download&amp;id={FILE}">again</a></html>'))
    with pytest.raises(DataError, match="page after page and no file"):
        fetch(options)


@pytest.mark.parametrize(
    "uri", ["gdrive://sheet-1", "https://docs.google.com/spreadsheets/d/sheet-1/edit"]
)
def test_a_spreadsheet_comes_as_csv(drive: Drive, options: FetchOptions, uri: str) -> None:
    drive.sheets["sheet-1"] = {"0": b"a,b\n1,2\n", "77": b"c\n3\n"}
    fetched = fetch(options, uri)
    assert content(fetched) == b"a,b\n1,2\n"
    assert fetched.paths[0].name == "Sheet.csv"


def test_one_sheet_of_a_spreadsheet_comes_as_csv(drive: Drive, options: FetchOptions) -> None:
    drive.sheets["sheet-1"] = {"0": b"a,b\n1,2\n", "77": b"c\n3\n"}
    link = "https://docs.google.com/spreadsheets/d/sheet-1/edit?gid=77#gid=77"
    assert content(fetch(options, link)) == b"c\n3\n"


def test_a_folder_is_refused_without_asking(options: FetchOptions, web: Web) -> None:
    with pytest.raises(ConfigError, match="folder"):
        fetch(options, "https://drive.google.com/drive/folders/1AbC?usp=sharing")
    assert web.asked == []


def test_the_headers_show_whether_a_file_changed(drive: Drive, options: FetchOptions) -> None:
    watching = Watching()
    drive.put(FILE, WHOLE, too_big_to_scan=True)
    changes = [fetch(replace(options, progress=watching)).changed for _ in range(2)]
    assert changes == [True, False]
    assert len(watching.tasks) == 1


def test_googles_checksum_shows_a_change_too(drive: Drive, options: FetchOptions) -> None:
    def summed(body: bytes, checksum: str) -> Reply:
        reply = csv_reply(body)
        return replace(reply, headers={**reply.headers, "x-goog-hash": checksum})

    one, two = summed(BODY, "crc32c=AAAAAA=="), summed(OTHER, "crc32c=BBBBBB==")
    drive.put(FILE, one, one, two)
    watching = Watching()
    options = replace(options, progress=watching)
    assert [fetch(options).changed for _ in range(3)] == [True, False, True]
    assert len(watching.tasks) == 2


def test_without_validators_the_bytes_are_compared(drive: Drive, options: FetchOptions) -> None:
    drive.put(FILE, csv_reply(BODY), csv_reply(BODY), csv_reply(OTHER))
    assert [fetch(options).changed for _ in range(3)] == [True, False, True]


def test_all_forms_of_a_link_share_one_copy(drive: Drive, options: FetchOptions, web: Web) -> None:
    drive.put(FILE, WHOLE)
    fetch(options)
    asked = len(web.asked)
    link = f"https://drive.google.com/file/d/{FILE}/view?usp=drive_link"
    assert not fetch(replace(options, refresh="never"), link).changed
    assert len(web.asked) == asked


def test_nothing_is_written_into_the_home_folder(
    drive: Drive, options: FetchOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    drive.put(FILE, WHOLE, too_big_to_scan=True)
    fetch(options)
    assert list(home.iterdir()) == []
