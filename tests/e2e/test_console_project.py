"""The pages Models, Configure and Train in Chromium, in a project's folder, on the service as it runs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lightmodel.config import load
from tests.e2e.test_console import DESK, PHONE, Visit, browser
from tests.fakes.console_process import running_console
from tests.fakes.project import Project
from tests.fakes.publishing import published_again
from tests.fakes.server import serving

__all__ = ["browser"]

pytestmark = pytest.mark.browser

Page = Any  # playwright is installed for these tests only

TOKEN = "a-training-token"


@dataclass(frozen=True)
class Shop:
    """A project with two versions, the newer one a canary, and the console of its folder."""

    project: Project
    console: str
    first: str
    second: str


@pytest.fixture
def shop(approved: Project) -> Iterator[Shop]:
    first = approved.models()[-1].name
    second = published_again(approved.folder, first, reason="newer visits", threshold=0.25)
    environ = {
        "LIGHTMODEL__SERVE__TRAIN_TOKEN": TOKEN,
        "LIGHTMODEL__SERVE__CANARY": "0.2",
        "LIGHTMODEL__TRACKING__URI": "none",
    }
    with (
        serving(approved, **environ) as service,
        running_console(approved.folder, service, **environ) as console,
    ):
        yield Shop(approved, console.address, first, second)


def use_token(page: Page) -> None:
    page.get_by_text("Change something").click()
    page.get_by_label("Training token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Use this token").click()
    page.get_by_role("button", name="Forget the token").wait_for()


def test_two_versions_are_compared_and_the_canary_is_promoted(browser: Any, shop: Shop) -> None:
    with Visit(browser, shop.console, "models", timezone_id="Europe/Berlin") as visit:
        page = visit.page
        page.get_by_role("row", name="approved (canary)").wait_for()
        page.get_by_role("row", name="AUC (decides)").wait_for()
        page.get_by_role("tab", name="Curves").click()
        page.get_by_text("ROC curve").wait_for()
        page.locator("canvas, svg.marks").first.wait_for()
        use_token(page)
        page.get_by_role("button", name="Promote").click()
        page.get_by_label("Your name").fill("Ada")
        page.get_by_label("Why", exact=True).fill("it finds more buyers")
        page.get_by_role("button", name="Promote now").click()
        page.get_by_text(f"{shop.second.rpartition('-')[2]} answers.").wait_for()
        page.get_by_text("by Ada: it finds more buyers").wait_for()
        page.get_by_role("tab", name="Report").click()
        page.get_by_text("Show the report").click()
        page.frame_locator("iframe").get_by_role("heading").first.wait_for()
        assert page.get_by_role("row", name="approved (answers)").count() == 1
        assert TOKEN not in page.content()
        assert TOKEN not in "".join(visit.asked)
        visit.check()
    verdict = shop.project.folder / "model" / shop.second / "verdict.json"
    assert "it finds more buyers" in verdict.read_text(encoding="utf-8")


def test_a_setting_is_changed_and_a_run_started_with_it(browser: Any, shop: Shop) -> None:
    file = shop.project.folder / "config.toml"
    with Visit(browser, shop.console, "configure") as visit:
        page = visit.page
        use_token(page)
        page.get_by_label("Find a setting").fill("seed of the learner")
        page.keyboard.press("Enter")
        seed = page.get_by_label("seed", exact=True)
        seed.fill("-1")
        page.keyboard.press("Enter")
        page.get_by_role("alert").get_by_text("greater than or equal to 0").wait_for()
        seed.fill("7")
        page.keyboard.press("Enter")
        page.get_by_text("train.seed changes").wait_for()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved.").wait_for()
        assert load(file, environ={}).config.train.seed == 7
        page.get_by_role("tab", name="Data source").click()
        page.get_by_role("button", name="Try the source").click()
        page.get_by_text("A run would take this table").wait_for()
        page.get_by_role("link", name="Train").click()
        page.get_by_label("Reason", exact=True).fill("another seed")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Start a run").click()
        page.get_by_text("A run is under way").wait_for()
        page.get_by_text("The run has ended").wait_for(timeout=300_000)
        page.get_by_text(re.compile(r"of \d folds")).first.wait_for()
        visit.check()
    assert len(shop.project.models()) == 3
    manifest = (shop.project.models()[-1] / "manifest.json").read_text(encoding="utf-8")
    assert "by the console: another seed" in manifest


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_everybody_can_use_the_pages(
    browser: Any, shop: Shop, mode: str, size: dict[str, int]
) -> None:
    with Visit(browser, shop.console, "models", viewport=size, color_scheme=mode) as visit:
        page = visit.page
        page.get_by_text("More about").wait_for()
        assert visit.overflow() <= 0
        assert visit.violations() == ""
        for path, sign in (("configure", "Nothing is changed yet."), ("train", "Look at a run")):
            page.goto(f"{shop.console}/{path}")
            page.get_by_text(sign).wait_for()
            assert visit.overflow() <= 0
            assert visit.violations() == ""
