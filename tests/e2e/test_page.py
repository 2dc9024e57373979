"""The page in Chromium, on the server as it runs."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
import requests

from tests.fakes import odd_names
from tests.fakes.chromium import chromium
from tests.fakes.project import COMPILED, Project
from tests.fakes.server import serving
from tests.fakes.tables import shop_table

pytestmark = pytest.mark.browser

Page = Any  # playwright is installed for these tests only

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
FOREST = """
[data]
source = "sklearn://diabetes"
target = "target"
[train]
folds = 3
estimator = "sklearn.ensemble.RandomForestRegressor"
[gate]
bootstrap = 20
"""


@dataclass
class Visit:
    """An open page, its requests, and the messages on its console."""

    page: Page
    address: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self) -> Page:
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{self.address}/")
        return self.page

    def check(self) -> None:
        """Assert that no other host got a request and that the console is empty."""
        assert self.asked
        foreign = [url for url in self.asked if not url.startswith((self.address, "blob:"))]
        assert foreign == []
        assert self.complaints == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


def trained(folder: Path, settings: str, table: pa.Table | None = None, name: str = "") -> Project:
    if table is not None:
        arrow_csv.write_csv(table, folder / name)
    project = Project(folder)
    project.settings(settings)
    assert project.run().code == 0
    return project


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    project = trained(tmp_path_factory.mktemp("shop"), COMPILED, shop_table(), "shop.csv")
    strict = {
        "LIGHTMODEL__SERVE__ON_MISSING": "refuse",
        "LIGHTMODEL__SERVE__ON_OUT_OF_RANGE": "refuse",
    }
    with serving(project, LIGHTMODEL__SERVE__WORKERS="1", **strict) as address:
        yield address


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("odd")
    project = trained(folder, odd_names.SETTINGS, odd_names.odd_table(), "odd.csv")
    with serving(project, LIGHTMODEL__SERVE__WORKERS="1") as address:
        yield address


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    project = trained(tmp_path_factory.mktemp("forest"), FOREST)
    with serving(project, LIGHTMODEL__SERVE__WORKERS="1") as address:
        yield address


@pytest.fixture
def visit(browser: Any, shop: str) -> Iterator[Visit]:
    """Yield the page of the shop's service, and check its requests and console at the end."""
    context = browser.new_context(viewport=DESK)
    opened = Visit(context.new_page(), shop)
    opened.open()
    yield opened
    context.close()


def as_csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    arrow_csv.write_csv(table, sink)
    return sink.getvalue()


def upload(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def results_of(page: Page) -> Page:
    results = page.locator("#results")
    results.wait_for(state="visible")
    return results


def downloaded(page: Page) -> bytes:
    with page.expect_download() as waiting:
        page.click("#download")
    content: bytes = Path(waiting.value.path()).read_bytes()
    return content


def answer_in_csv(address: str, content: bytes) -> bytes:
    headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
    answer = requests.post(f"{address}/predict", data=content, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return width


ROWS = shop_table(rows=150, seed=4).drop_columns(["bought"])


def test_a_row_is_answered_as_the_service_answers_it(visit: Visit) -> None:
    page = visit.page
    for number, at in enumerate(("0", "3"), start=1):
        page.click(f"[data-sample='{at}']")
        assert page.get_attribute(f"[data-sample='{at}']", "aria-pressed") == "true"
        page.click("button.main")
        page.wait_for_selector("#answer .moved")
        facts = json.loads(page.get_attribute("main", "data-facts"))
        sample = facts["samples"][int(at)]
        record = dict(zip(facts["names"], sample["values"], strict=True))
        (row,) = requests.post(
            f"{visit.address}/predict", json=record, params={"explain": 3}, timeout=30
        ).json()
        page.wait_for_function(
            "wanted => document.querySelector('.how-sure b').title === wanted",
            arg=js_number(row["probability"]),
        )
        assert page.inner_text("#answer .verdict strong") == row["prediction"]
        names = page.locator(".moved tbody th").evaluate_all("all => all.map(one => one.title)")
        assert names == [one["feature"] for one in row["contributions"]], number
    visit.check()


def js_number(value: float) -> str:
    """Write a number as JavaScript does, where it takes no exponent."""
    return repr(value)


def test_the_bar_shows_the_probability_and_the_threshold(visit: Visit) -> None:
    visit.page.click("button.main")
    visit.page.wait_for_selector(".meter")
    shown = visit.page.evaluate(
        """() => {
          const box = (where) => document.querySelector(where).getBoundingClientRect();
          const [whole, bar, mark] = ['.meter', '.meter i', '.threshold'].map(box);
          return [bar.width / whole.width, (mark.left + mark.width / 2 - whole.left) / whole.width];
        }"""
    )
    facts = json.loads(visit.page.get_attribute("main", "data-facts"))
    assert shown[1] == pytest.approx(facts["threshold"], abs=0.01)
    label = visit.page.get_attribute(".meter", "aria-label")
    assert re.search(r"Probability of yes: [<>]? ?[\d.]+\s%\. Threshold: [\d.]+\s%\.", label)


def test_gaps_and_far_numbers_are_scored_and_named(browser: Any, forest: str) -> None:
    context = browser.new_context(viewport=DESK)
    page = Visit(context.new_page(), forest).open()
    fields = page.locator("#row input[type=number]")
    assert fields.first.get_attribute("required") is None
    assert fields.first.get_attribute("max") is None
    fields.nth(0).fill("1e9")
    fields.nth(1).fill("")
    page.click("button.main")
    page.wait_for_selector("#answer .verdict")
    names = page.locator("#row .field[data-field] label").all_inner_texts()
    notes = " ".join(page.locator("#answer .aside").all_inner_texts())
    assert f"Far outside the range of training: {names[0]}." in notes
    assert f"or a category never seen: {names[1]}." in notes
    rows = ",".join(["1e9", ""] + ["0"] * (len(names) - 2))
    page.set_input_files("#file", upload("far.csv", f"{','.join(names)}\n{rows}\n".encode()))
    results_of(page)
    notes = " ".join(page.locator("#results .aside").all_inner_texts())
    assert f"were scored as they are ({names[0]}: 1)" in notes
    assert f"({names[1]}: 1)" in notes
    context.close()


def test_an_error_is_shown_beside_its_field_which_gets_the_focus(visit: Visit) -> None:
    page = visit.page
    page.click("button.main")
    page.wait_for_selector("#answer .verdict")
    page.fill("label:text-is('spent') + input", "100000")
    page.fill("label:text-is('age') + input", "5000")
    page.keyboard.press("Enter")
    age = page.locator(".field", has=page.locator("label:text-is('age')"))
    age.locator(".error").wait_for(state="visible")
    assert "is outside" in age.locator(".error").inner_text()
    assert age.locator("input").get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.labels[0].innerText") == "age"
    assert page.locator(".field .error:visible").count() == 2
    assert page.inner_text("#row-problem") == "2 fields to correct."
    assert page.locator("#answer .verdict").count() == 0
    page.fill("label:text-is('age') + input", "")
    page.fill("label:text-is('spent') + input", "")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.querySelectorAll('.field .error:not([hidden])').length === 1"
    )
    assert "has no value" in age.locator(".error").inner_text()
    page.fill("label:text-is('age') + input", "30")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .verdict")
    assert page.locator(".field .error:visible").count() == 0
    assert "missing" in page.inner_text(".moved")


def test_text_in_a_number_is_not_taken_for_a_missing_value(visit: Visit) -> None:
    page = visit.page
    page.fill("label:text-is('spent') + input", "")
    page.focus("label:text-is('spent') + input")
    page.keyboard.type("1e")  # Chromium accepts these keys, but it is no number
    page.keyboard.press("Enter")
    page.locator(".error", has_text="is not a number").wait_for(state="visible")
    assert visit.page.locator("#answer .verdict").count() == 0
    assert not [url for url in visit.asked if "predict" in url]


def test_an_unknown_category_is_reported(browser: Any, odd: str) -> None:
    context = browser.new_context(viewport=DESK)
    page = Visit(context.new_page(), odd).open()
    page.fill("#search", odd_names.MANY)
    page.fill(f"label:text-is('{odd_names.MANY}') + input", "nowhere")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .aside")
    assert odd_names.MANY in page.inner_text("#answer .aside")
    context.close()


def test_a_file_is_scored_summarised_drawn_and_downloaded(visit: Visit) -> None:
    page, content = visit.page, as_csv(ROWS)
    page.set_input_files("#file", upload("visits.csv", content))
    results = results_of(page)
    assert "150 rows scored" in results.inner_text()
    expected = answer_in_csv(visit.address, content)
    rows = list(csv.DictReader(io.StringIO(expected.decode())))
    yes = sum(row["prediction"] == "yes" for row in rows)
    assert f"{yes} ({yes / 1.5:.1f}" in page.locator(".counts li", has_text="yes").inner_text()
    assert page.locator("#rows tbody tr").count() == 100
    assert page.locator("#rows thead th").all_inner_texts()[1:] == list(rows[0])
    assert page.locator("#rows tbody tr").first.locator("td").first.inner_text() == "v4-00000"
    page.wait_for_selector(".histogram svg")
    drawn = page.locator(".histogram rect title").evaluate_all(
        "all => all.map(one => Number(one.textContent.split(': ')[1]))"
    )
    assert (len(drawn), sum(drawn)) == (40, 150)
    assert downloaded(page) == expected
    visit.check()


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-x", "@sum", '=a,"b"'])
def test_a_formula_is_a_text_in_the_download_and_itself_in_the_api(visit: Visit, name: str) -> None:
    names = [name, "-1.5", *ROWS["visit_id"].to_pylist()[2:]]
    content = as_csv(ROWS.set_column(0, "visit_id", pa.array(names)))
    visit.page.set_input_files("#file", upload("visits.csv", content))
    assert "begin with an apostrophe" in results_of(visit.page).inner_text()
    answer = answer_in_csv(visit.address, content).decode()
    cells, expected = (
        [row["visit_id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
        for text in (downloaded(visit.page).decode(), answer)
    )
    assert cells == [f"'{expected[0]}", *expected[1:]]
    assert expected[0] == name


def test_several_dropped_files_are_named_and_none_is_scored(visit: Visit) -> None:
    visit.page.evaluate(
        """() => {
          const data = new DataTransfer();
          for (const name of ["one.csv", "two.csv"]) data.items.add(new File(["a"], name));
          const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
          document.getElementById("drop").dispatchEvent(event);
        }"""
    )
    visit.page.get_by_text("one.csv, two.csv").wait_for()
    assert visit.page.locator("#results").is_hidden()
    visit.check()


def test_a_file_can_be_dropped(visit: Visit) -> None:
    page = visit.page
    page.evaluate(
        """content => {
          const data = new DataTransfer();
          data.items.add(new File([content], "dropped.csv", { type: "text/csv" }));
          const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
          document.getElementById("drop").dispatchEvent(event);
        }""",
        as_csv(ROWS).decode(),
    )
    assert "dropped.csv" in results_of(page).inner_text()
    visit.check()


def test_what_is_wrong_in_a_file_is_listed_with_its_rows(visit: Visit) -> None:
    lines = as_csv(ROWS).decode().splitlines()
    lines[3] = '"v",5000,12.5,"web"'
    lines[7] = '"w",old,12.5,"web"'
    visit.page.set_input_files("#file", upload("bad.csv", "\n".join(lines).encode()))
    violations = visit.page.locator("#file-problem .violations")
    violations.wait_for(state="visible")
    assert re.search(r"age\s+is not a number\s+row 7\b", violations.inner_text())
    assert visit.page.locator("#results").is_hidden()
    visit.page.set_input_files("#file", upload("empty.csv", b""))
    visit.page.get_by_text("empty.csv was not scored").wait_for()
    visit.page.set_input_files("#file", upload("good.csv", as_csv(ROWS)))
    results_of(visit.page)
    assert visit.page.inner_text("#file-problem") == ""


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(browser: Any, shop: str) -> None:
    context = browser.new_context(viewport=DESK)
    page = Visit(context.new_page(), shop).open()
    slow = context.new_cdp_session(page)
    slow.send("Network.enable")
    slow.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000},
    )
    content = as_csv(shop_table(rows=60_000).drop_columns(["bought"]))
    page.set_input_files("#file", upload("long.csv", content))
    page.wait_for_function("() => document.getElementById('progress').value > 0.05")
    assert re.match(r"Uploading long\.csv: [\d.]+ .B of [\d.]+ MB", page.inner_text("#stage"))
    page.click("#cancel")
    page.wait_for_function(
        "() => document.getElementById('file-status').textContent === 'Cancelled.'"
    )
    assert page.locator("#sending").is_hidden()
    assert page.locator("#results").is_hidden()
    context.close()


def test_names_that_are_markup_neither_run_nor_break_the_answer(browser: Any, odd: str) -> None:
    context = browser.new_context(viewport=DESK)
    visit = Visit(context.new_page(), odd)
    page = visit.open()
    page.click("button.main")
    page.wait_for_selector("#answer .bars")
    assert page.inner_text("#answer .verdict strong") in odd_names.LABELS
    content = as_csv(odd_names.odd_table(rows=120, seed=2).drop_columns(["level"]))
    page.set_input_files("#file", upload('<b>"odd".csv', content))
    assert "120 rows scored" in results_of(page).inner_text()
    assert page.title() == "Predict level · light-model"
    assert page.locator("main script, main i:has-text('low')").count() == 0
    expected = answer_in_csv(odd, content)
    rows = list(csv.reader(io.StringIO(expected.decode())))
    shown = page.locator("#rows tr").evaluate_all(
        "all => all.map(row => [...row.children].slice(1, 3).map(cell => cell.textContent))"
    )
    assert shown == [row[:2] for row in rows[:101]]
    assert downloaded(page) == expected
    visit.check()
    context.close()


def test_many_fields_can_be_searched_and_a_hidden_wrong_one_comes_back(
    browser: Any, odd: str
) -> None:
    context = browser.new_context(viewport=DESK)
    page = Visit(context.new_page(), odd).open()
    page.fill("label:text-is('plain 3') + input", "1e9")
    page.fill("#search", "PROTO")
    assert page.locator(".field:visible label").all_inner_texts() == ["__proto__"]
    assert page.inner_text("#found").startswith("1 of ")
    page.fill("#search", "no such")
    assert page.locator("#none").is_visible()
    page.click("button.main")
    page.locator(".error", has_text="is outside").wait_for(state="visible")
    assert page.evaluate("document.activeElement.labels[0].innerText") == "plain 3"
    context.close()


def test_a_regression_without_contributions_is_shown(browser: Any, forest: str) -> None:
    context = browser.new_context(viewport=DESK)
    visit = Visit(context.new_page(), forest)
    page = visit.open()
    page.click("button.main")
    page.wait_for_selector("#answer .dot")
    assert float(page.inner_text("#answer .verdict strong")) > 0
    assert page.locator(".moved").count() == 0
    page.set_input_files("#file", upload("rows.csv", requests_rows(page)))
    assert "5 rows scored" in results_of(page).inner_text()
    assert page.locator(".spread dd").count() == 3
    page.wait_for_selector(".histogram svg rect")
    visit.check()
    context.close()


def requests_rows(page: Page) -> bytes:
    """Return the page's sample rows as the content of a file."""
    facts = json.loads(page.get_attribute("main", "data-facts"))
    text = io.StringIO()
    csv.writer(text).writerows([facts["names"], *(one["values"] for one in facts["samples"])])
    return text.getvalue().encode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_overflows_and_the_page_is_accessible(
    browser: Any, odd: str, size: dict[str, int], scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = Visit(context.new_page(), odd).open()
    assert overflow(page) <= 0
    page.click("button.main")
    page.wait_for_selector("#answer .bars")
    content = as_csv(odd_names.odd_table(rows=120, seed=2).drop_columns(["level"]))
    page.set_input_files("#file", upload(f"{'long' * 60}.csv", content))
    results_of(page)
    assert overflow(page) <= 0
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(243, 245, 247)", "dark": "rgb(16, 20, 24)"}[scheme]
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.set_input_files("#file", upload("bad.csv", b"a,b\n1,2\n"))
    page.locator("#file-problem .wrong").wait_for(state="visible")
    page.fill("label:text-is('plain 3') + input", "1e9")
    page.click("button.main")
    page.locator(".error", has_text="is outside").wait_for(state="visible")
    assert overflow(page) <= 0
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    context.close()


def test_the_tab_key_reaches_everything_and_enter_predicts(visit: Visit) -> None:
    page = visit.page
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
              const on = document.activeElement;
              const ring = parseFloat(getComputedStyle(on.closest('.drop') ?? on).outlineWidth);
              if (on !== document.body && ring < 1) return 'no ring: ' + on.outerHTML;
              return on.id || on.dataset.sample || on.getAttribute('href') || on.innerText;
            }"""
        )
        if at in reached:
            break
        reached.append(at)
    assert not [at for at in reached if at.startswith("no ring")]
    wanted = ["#content", "docs", "0", "row-id", "f0", "f1", "f2", "Predict", "file"]
    wanted += ["model/report", "postman.json"]
    assert [at for at in wanted if at not in reached] == []
    fields = [at for at in reached if at in {"row-id", "f0", "f1", "f2", "Predict", "file"}]
    assert fields == ["row-id", "f0", "f1", "f2", "Predict", "file"]
    page.focus("#f0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .verdict")


def test_the_page_works_under_a_proxys_prefix(browser: Any, shop: str) -> None:
    context = browser.new_context(viewport=DESK)
    asked: list[str] = []

    def stripped(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(response=route.fetch(url=route.request.url.replace("/some/tool/", "/")))

    context.route(f"{shop}/some/tool/**", stripped)
    visit = Visit(context.new_page(), f"{shop}/some/tool")
    page = visit.open()
    page.click("button.main")
    page.wait_for_selector("#answer .verdict")
    page.set_input_files("#file", upload("visits.csv", as_csv(ROWS)))
    assert "150 rows scored" in results_of(page).inner_text()
    assert page.inner_text("[data-address='predict']") == f"{shop}/some/tool/predict"
    assert len(asked) == len(visit.asked)
    visit.check()
    context.close()


def test_the_report_and_the_picture_open_without_complaint(visit: Visit) -> None:
    page = visit.page
    page.click("text=Read the whole report")
    page.wait_for_selector("h1")
    assert "Approved" in page.inner_text("h1")
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "10px"
    visit.check()
    page.goto(f"{visit.address}/model/importance.png")
    assert page.evaluate("document.images[0].naturalWidth") > 100
    assert not [text for text in visit.complaints if "Security Policy" in text]


def test_a_page_without_a_model_opens_it_once_it_is_there(browser: Any, project: Project) -> None:
    with serving(
        project, LIGHTMODEL__SERVE__WORKERS="1", LIGHTMODEL__SERVE__RELOAD_INTERVAL_S="0.2"
    ) as address:
        context = browser.new_context(viewport=PHONE)
        page = context.new_page()
        assert page.goto(f"{address}/").status == 503
        assert "no model" in page.inner_text("h1")
        assert overflow(page) <= 0
        assert project.run().code == 0
        page.wait_for_selector("#row", timeout=30_000)
        assert page.title() == "Predict bought · light-model"
        context.close()


def test_a_model_that_was_swapped_under_an_open_page_is_announced(
    browser: Any, project: Project
) -> None:
    assert project.run().code == 0
    with serving(
        project, LIGHTMODEL__SERVE__WORKERS="1", LIGHTMODEL__SERVE__RELOAD_INTERVAL_S="0.2"
    ) as address:
        context = browser.new_context(viewport=DESK)
        page = Visit(context.new_page(), address).open()
        assert project.run("--set", "train.seed=7", "--set", "gate.max_regression=1").code == 0
        newer = project.models()[-1].name
        page.wait_for_function(
            "async wanted => (await (await fetch('ready')).json()).version === wanted", arg=newer
        )
        page.click("button.main")
        page.wait_for_selector("#newer:not([hidden])")
        assert newer in page.inner_text("#newer")
        page.click("#newer a")
        page.wait_for_function(
            "wanted => document.querySelector('main').dataset.facts.includes(wanted)", arg=newer
        )
        context.close()


def test_behind_a_key_the_browsers_own_question_is_enough(browser: Any, project: Project) -> None:
    assert project.run().code == 0
    keys = {"LIGHTMODEL__SERVE__API_KEYS": "anna:s3cret-of-anna"}
    with serving(project, LIGHTMODEL__SERVE__WORKERS="1", **keys) as address:
        login = {"username": "anna", "password": "s3cret-of-anna"}
        context = browser.new_context(viewport=DESK, http_credentials=login)
        page = Visit(context.new_page(), address).open()
        page.click("button.main")
        page.wait_for_selector("#answer .verdict")
        page.set_input_files("#file", upload("visits.csv", as_csv(ROWS)))
        assert "150 rows scored" in results_of(page).inner_text()
        context.close()


def test_an_unreachable_service_is_reported(browser: Any, project: Project) -> None:
    assert project.run().code == 0
    with serving(project, LIGHTMODEL__SERVE__WORKERS="1") as address:
        context = browser.new_context(viewport=DESK)
        page = Visit(context.new_page(), address).open()
    page.click("button.main")
    page.locator("#row-problem", has_text="did not answer").wait_for()
    page.set_input_files("#file", upload("visits.csv", as_csv(ROWS)))
    page.locator("#file-problem", has_text="The connection broke").wait_for()
    context.close()
