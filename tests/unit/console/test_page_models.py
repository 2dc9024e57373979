"""The page Models: every version, two side by side, and a change with a note."""

import shutil
from collections.abc import Iterator

import pytest

from benchmarks.ports import free_port
from lightmodel.config import ConsoleSection
from lightmodel.console.failures import ServiceFailure
from tests.fakes.console_page import opened, pressed, texts, use_token
from tests.fakes.project import Project
from tests.fakes.publishing import published_again
from tests.fakes.server import serving_untraced

pytestmark = pytest.mark.console


@pytest.fixture
def two(approved: Project, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two approved versions in the working folder, the older one first."""
    monkeypatch.chdir(approved.folder)
    first = approved.models()[-1].name
    return first, published_again(approved.folder, first, reason="newer visits", threshold=0.25)


@pytest.fixture
def settings(approved: Project, two: tuple[str, str]) -> Iterator[ConsoleSection]:
    """The console's settings for a service with a canary."""
    assert two
    environ = {
        "LIGHTMODEL__SERVE__TRAIN_TOKEN": "let-me",
        "LIGHTMODEL__SERVE__CANARY": "0.2",
        "LIGHTMODEL__TRACKING__URI": "none",
    }
    with serving_untraced(approved, **environ) as url:
        yield ConsoleSection(service_url=url, timeout_s=60)


def test_every_version_is_listed_and_the_canary_stands_beside_the_served_one(
    settings: ConsoleSection, two: tuple[str, str]
) -> None:
    page = opened("models", settings)
    said = texts(page)
    assert "2 versions, the newest first. A canary answers a share of the ids." in said
    assert "approved (canary)" in said
    assert "approved (answers)" in said
    assert "newer visits" in said
    assert [one.value for one in page.selectbox] == [two[1], two[0]]
    assert "Side by side" in said
    assert "AUC (decides)" in said
    assert not [one for one in page.button if one.label in {"Promote", "Roll back"}]


def test_a_canary_is_promoted_with_a_note(
    settings: ConsoleSection, approved: Project, two: tuple[str, str]
) -> None:
    page = use_token(opened("models", settings), "wrong")
    assert "This token is not accepted." in texts(page)
    use_token(page, "let-me")
    pressed(page, "Promote")
    pressed(page, "Promote now")
    assert "Say who you are, and why." in texts(page)
    page.text_input(key="note-by").input("Ada")
    page.text_area(key="note-why").input("it finds more buyers")
    pressed(page, "Promote now")
    said = texts(page)
    assert f"{two[1].rpartition('-')[2]} answers." in said
    assert "promoted by Ada: it finds more buyers" in said.replace("*", "")
    verdict = (approved.folder / "model" / two[1] / "verdict.json").read_text()
    assert '"by": "Ada"' in verdict


def test_what_somebody_else_has_done_meanwhile_is_a_sentence(
    settings: ConsoleSection, approved: Project, two: tuple[str, str]
) -> None:
    page = use_token(opened("models", settings), "let-me")
    pressed(page, "Roll back")
    shutil.move(approved.folder / "model" / two[0], approved.folder / "elsewhere")
    page.text_input(key="note-by").input("Ada")
    page.text_area(key="note-why").input("it fails for tablets")
    pressed(page, "Roll back now")
    assert "no approved model would be left" in texts(page)
    pressed(page, "Cancel")
    assert not [one for one in page.button if one.label == "Roll back now"]


def test_what_two_people_do_at_once_is_done_once(
    settings: ConsoleSection, two: tuple[str, str]
) -> None:
    one, other = (use_token(opened("models", settings), "let-me") for _ in range(2))
    for page in (one, other):
        pressed(page, "Roll back")
        page.text_input(key="note-by").input("Ada")
        page.text_area(key="note-why").input("it fails for tablets")
    assert f"{two[1].rpartition('-')[2]} is withdrawn." in texts(pressed(one, "Roll back now"))
    said = texts(pressed(other, "Roll back now"))
    assert "that is not possible any more. Somebody has changed it meanwhile" in said
    assert "Somebody has changed it" not in texts(other.run())


def test_a_rollback_can_be_taken_back(settings: ConsoleSection, two: tuple[str, str]) -> None:
    page = use_token(opened("models", settings), "let-me")
    for action in ("Roll back", "Approve again"):
        pressed(page, action)
        page.text_input(key="note-by").input("Ada")
        page.text_area(key="note-why").input("to try it")
        pressed(page, f"{action} now")
    assert f"{two[1].rpartition('-')[2]} is approved again." in texts(page)


def test_without_a_model_the_page_says_how_to_get_one(empty: str) -> None:
    page = opened("models", ConsoleSection(service_url=empty, timeout_s=60))
    assert "There is no model yet." in texts(page)


def test_a_service_that_is_down_is_the_frames_to_show() -> None:
    from lightmodel.console.pages.models import render
    from lightmodel.console.session import open_session

    address = f"http://127.0.0.1:{free_port()}"
    session = open_session(ConsoleSection(service_url=address, timeout_s=5), {})
    with pytest.raises(ServiceFailure, match="No service answers"):
        render(session)
