"""The console in Chromium, on the service as it runs."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.csv as arrow_csv
import pytest
import requests

from benchmarks.ports import free_port
from tests.fakes.chromium import chromium
from tests.fakes.console_process import RunningConsole, running_console
from tests.fakes.project import ROOT, Project
from tests.fakes.server import serving
from tests.fakes.tables import shop_table
from tests.fakes.waiting import running, wait_until

pytestmark = pytest.mark.browser

Page = Any  # playwright is installed for these tests only

# Streamlit makes pale what it is about to draw again.
NEVER_PALE = "[data-stale] { opacity: 1 !important; transition: none !important }"
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
KEY = "a-key-of-the-shop"
PATIENCE_MS = 120_000
BIG_BYTES = 300_000_000
MOST_MB = 300
IS_AT_THE_FILE = """(() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at?.type === "file";
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def service(trained_shop: Project) -> Iterator[str]:
    with serving(trained_shop) as address:
        yield address


@pytest.fixture(scope="module")
def console(service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with running_console(tmp_path_factory.mktemp("console"), service) as opened:
        yield opened


class Visit:
    """An open page, the requests that it made, and the messages of its scripts."""

    def __init__(self, browser: Any, address: str, path: str = "", **context: Any) -> None:
        options = {"viewport": DESK, "reduced_motion": "reduce", **context}
        self.address, self.asked = address, list[str]()
        self.complaints = list[str]()
        self._context = browser.new_context(**options)
        self._context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self._context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{address}/{path}")

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def check(self) -> None:
        """Assert that no other host got a request, and that no script failed."""
        host = re.sub(r"^http://([^/]+).*", r"\1", self.address)
        own = (f"http://{host}/", f"ws://{host}/", "blob:", "data:")
        assert self.asked
        assert [url for url in self.asked if not url.startswith(own)] == []
        assert self.complaints == []

    def violations(self) -> str:
        """Return what axe finds wrong with the page; "" if that is nothing."""
        from axe_playwright_python.sync_playwright import Axe

        self.page.add_style_tag(content=NEVER_PALE)
        results = Axe().run(self.page)
        return "" if results.violations_count == 0 else results.generate_report()

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wide: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide


def rows(count: int, seed: int = 2) -> bytes:
    sink = io.BytesIO()
    arrow_csv.write_csv(shop_table(rows=count, seed=seed).drop_columns(["bought"]), sink)
    return sink.getvalue()


def send(page: Page, name: str, content: bytes) -> None:
    page.set_input_files(
        "input[type=file]", {"name": name, "mimeType": "text/csv", "buffer": content}
    )


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()


def downloaded(page: Page) -> bytes:
    with page.expect_download() as waiting:
        page.click("a.lm-button")
    content: bytes = Path(waiting.value.path()).read_bytes()
    return content


def test_a_row_is_predicted(browser: Any, console: RunningConsole) -> None:
    with Visit(browser, console.address) as visit:
        predict(visit.page)
        visit.page.locator(".lm-verdict strong").wait_for()
        assert visit.page.locator(".lm-moved tr").count() == 3
        visit.check()


def test_a_file_is_scored_shown_and_downloaded(
    browser: Any, console: RunningConsole, service: str
) -> None:
    with Visit(browser, console.address) as visit:
        send(visit.page, "visits.csv", rows(500))
        visit.page.get_by_text("500 rows scored").wait_for()
        visit.page.locator("canvas, svg.marks").first.wait_for()
        assert visit.page.locator(".lm-scroll tbody tr").count() == 100
        headers = {"Accept": "text/csv", "Content-Type": "text/csv"}
        direct = requests.post(f"{service}/predict", data=rows(500), headers=headers, timeout=60)
        assert downloaded(visit.page) == direct.content
        visit.check()


def test_a_file_that_breaks_the_contract_says_where(browser: Any, console: RunningConsole) -> None:
    with Visit(browser, console.address) as visit:
        send(visit.page, "bad.csv", b"visit_id,age,where\nv1,40,web\n")
        visit.page.get_by_role("alert").filter(has_text="spent").wait_for()
        send(visit.page, "visits.csv", rows(20))
        visit.page.get_by_text("20 rows scored").wait_for()
        assert visit.page.get_by_role("alert").filter(has_text="spent").count() == 0


def test_two_people_at_once_see_their_own_rows(browser: Any, console: RunningConsole) -> None:
    with Visit(browser, console.address) as one, Visit(browser, console.address) as other:
        send(one.page, "mine.csv", rows(30, seed=5))
        send(other.page, "theirs.csv", rows(40, seed=6))
        one.page.get_by_text("30 rows scored").wait_for()
        other.page.get_by_text("40 rows scored").wait_for()
        predict(one.page)
        one.page.locator(".lm-verdict").wait_for()
        assert "v5-00001" in one.page.content()
        assert "v6-" not in one.page.content()
        assert "theirs.csv" not in one.page.content()
        assert "v5-" not in other.page.content()
        assert other.page.locator(".lm-verdict").count() == 0


def test_watch_shows_what_was_answered_and_takes_labels(
    browser: Any, console: RunningConsole, service: str
) -> None:
    with Visit(browser, console.address, "watch") as visit:
        visit.page.get_by_role("heading", name="Labels").wait_for()

        def has_charts() -> bool:
            requests.post(f"{service}/predict", files={"file": ("a.csv", rows(20))}, timeout=60)
            return bool(visit.page.get_by_text("Rows a minute").count())

        wait_until(has_charts, "charts", seconds=120, interval_s=0.5)
        labels = b"visit_id,bought\nv2-00000,yes\nnobody,no\n"
        send(visit.page, "labels.csv", labels)
        visit.page.get_by_text("belong to predictions").wait_for()
        visit.check()


@pytest.mark.parametrize("path", ["", "watch"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_page_is_for_everybody(
    browser: Any, console: RunningConsole, path: str, scheme: str, size: dict[str, int]
) -> None:
    with Visit(browser, console.address, path, viewport=size, color_scheme=scheme) as visit:
        visit.page.locator("input[type=file]").wait_for(state="attached")
        if not path:
            send(visit.page, f"{'long' * 30}.csv", rows(120))
            visit.page.get_by_text("120 rows scored").wait_for()
            predict(visit.page)
            visit.page.locator(".lm-verdict").wait_for()
        back = visit.page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
        assert back == {"light": "rgb(243, 245, 247)", "dark": "rgb(16, 20, 24)"}[scheme]
        assert visit.overflow() <= 0
        assert visit.violations() == ""


def test_the_keyboard_is_enough(browser: Any, console: RunningConsole) -> None:
    with Visit(browser, console.address) as visit:
        page = visit.page
        page.locator("input[type=file]").wait_for(state="attached")
        page.get_by_role("button", name="Predict", exact=True).focus()
        page.keyboard.press("Enter")
        page.locator(".lm-verdict").wait_for()
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate(IS_AT_THE_FILE):
                return
        pytest.fail("the tab key does not reach the choice of a file")


def test_a_key_is_typed_used_and_stays_secret(
    browser: Any, trained_shop: Project, tmp_path: Path
) -> None:
    keys = {"LIGHTMODEL__SERVE__API_KEYS": KEY, "LIGHTMODEL__LOG__FOLDER": str(tmp_path / "log")}
    with serving(trained_shop, **keys) as address, running_console(tmp_path, address) as opened:
        with Visit(browser, opened.address) as visit:
            page = visit.page
            page.get_by_text("does not accept the key").wait_for()
            page.get_by_label("Key", exact=True).fill(KEY)
            page.get_by_role("button", name="Use this key").click()
            page.locator("input[type=file]").wait_for(state="attached")
            send(page, "visits.csv", rows(25))
            page.get_by_text("25 rows scored").wait_for()
            assert KEY not in page.content()
            assert KEY not in "".join(visit.asked)
        with Visit(browser, opened.address) as another:
            another.page.get_by_text("does not accept the key").wait_for()
        log = opened.log.read_text(encoding="utf-8")
    assert KEY not in log
    assert "answers/" not in log
    assert "v2-0" not in log


def test_behind_a_prefix_everything_works(browser: Any, service: str, tmp_path: Path) -> None:
    settings = {"LIGHTMODEL__CONSOLE__BASE_PATH": "team/console"}
    with running_console(tmp_path, service, **settings) as opened:
        assert opened.address.endswith("/team/console")
        with Visit(browser, opened.address) as visit:
            send(visit.page, "visits.csv", rows(15))
            visit.page.get_by_text("15 rows scored").wait_for()
            assert downloaded(visit.page)
            visit.check()


def test_the_page_opens_by_itself_once_the_service_answers(
    browser: Any, trained_shop: Project, tmp_path: Path
) -> None:
    port = str(free_port())
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LIGHTMODEL__SERVE__PORT": port,
        "LIGHTMODEL__SERVE__WORKERS": "1",
        "LIGHTMODEL__LOG__FOLDER": str(tmp_path / "log"),
    }
    command = trained_shop.command(script="app.py")
    with (
        running_console(tmp_path, f"http://127.0.0.1:{port}") as opened,
        Visit(browser, opened.address) as visit,
    ):
        visit.page.get_by_text("No service answers").wait_for()
        with running(command, cwd=trained_shop.folder, env=environ):
            visit.page.get_by_role("button", name="Predict", exact=True).wait_for()


def big_file(path: Path) -> int:
    """Write rows of 300 MB, most of it a column that the model does not know; return their number."""
    filler = "x" * 4_000
    count = 0
    with path.open("w", encoding="ascii") as file:
        file.write("visit_id,age,spent,where,note\n")
        while file.tell() < BIG_BYTES:
            file.write("".join(f"v{count + n},40,12.5,web,{filler}\n" for n in range(1_000)))
            count += 1_000
    return count


def test_a_file_of_300_megabytes_goes_through_with_little_memory(
    browser: Any, service: str, tmp_path: Path
) -> None:
    count = big_file(tmp_path / "big.csv")
    with running_console(tmp_path, service) as opened:
        with Visit(browser, opened.address) as visit:
            visit.page.locator("input[type=file]").wait_for(state="attached")
            visit.page.set_input_files("input[type=file]", tmp_path / "big.csv")
            visit.page.get_by_text(f"{count:,} rows scored").wait_for(timeout=5 * PATIENCE_MS)
            assert len(downloaded(visit.page).splitlines()) == count + 1
        assert opened.peak_mb() < MOST_MB
