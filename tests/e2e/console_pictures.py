"""`make console-pictures`: the two pictures of docs/guide/console.md, of a console on the shop's model."""

import io
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.csv as arrow_csv
import requests
from PIL import Image

from tests.fakes.chromium import chromium
from tests.fakes.console_process import running_console
from tests.fakes.project import SETTINGS, approved_project
from tests.fakes.server import serving
from tests.fakes.tables import shop_table

_SIZE = {"width": 1180, "height": 900}
_COLOURS = 256  # a page has few, and the picture is half as large
_REQUESTS, _PAUSE_S = 40, 1.0


def rows(count: int, seed: int) -> bytes:
    """Return visits to the shop as CSV."""
    sink = io.BytesIO()
    arrow_csv.write_csv(shop_table(rows=count, seed=seed).drop_columns(["bought"]), sink)
    return sink.getvalue()


def main() -> None:
    """Write console-predict.png and console-watch.png into the folder that is named."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        project = approved_project(Path(folder), SETTINGS)
        with ExitStack() as stack:
            service = stack.enter_context(serving(project))
            answer_requests(service, 3)  # the first one takes longer
            console = stack.enter_context(running_console(Path(folder), service))
            browser = stack.enter_context(chromium())
            answer_requests(service, _REQUESTS)
            page = browser.new_context(viewport=_SIZE).new_page()
            show_prediction(page, console.address)
            write(page, target / "console-predict.png")
            page.goto(f"{console.address}/watch")
            page.get_by_role("radio", name="15 minutes").click()
            page.get_by_text("Rows a minute").wait_for()
            write(page, target / "console-watch.png")


def answer_requests(service: str, count: int) -> None:
    """Send files of different sizes for a while, so that there is something to see."""
    for number in range(count):
        content = rows(50 + 40 * (number % 7), number)
        requests.post(f"{service}/predict", files={"file": ("a.csv", content)}, timeout=60)
        time.sleep(_PAUSE_S)


def show_prediction(page: Any, address: str) -> None:
    """Predict a row and a file on the page."""
    page.goto(address)
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator(".lm-verdict").wait_for()
    visits = {"name": "visits.csv", "mimeType": "text/csv", "buffer": rows(2_000, 99)}
    page.set_input_files("input[type=file]", visits)
    page.get_by_text("2,000 rows scored").wait_for()


def write(page: Any, path: Path) -> None:
    """Write what the page shows as a small PNG."""
    page.wait_for_timeout(3_000)  # charts are drawn one after the other
    height = page.evaluate(
        "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
    )
    page.set_viewport_size({**_SIZE, "height": min(int(height) + 40, 1_500)})
    page.wait_for_timeout(1_500)
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    page.set_viewport_size(_SIZE)


if __name__ == "__main__":
    main()
