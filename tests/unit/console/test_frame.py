"""What surrounds a page: a failure of the page is a sentence, and never a traceback."""

import pytest

from tests.fakes.console_page import PATIENCE_S, texts


def _draw(error: str) -> None:
    """Draw a page that fails; Streamlit runs this text as a script."""
    import builtins

    from lightmodel import errors
    from lightmodel.console.frame import show
    from lightmodel.console.pages import Page

    kind = getattr(errors, error, None) or getattr(builtins, error)

    def fail(_session: object) -> None:
        raise kind("what a log may know")

    show([Page("broken", "Broken", "bolt", fail)])


@pytest.mark.console
@pytest.mark.parametrize(
    ("error", "told", "logged"),
    [
        ("KeyError", "This page cannot be drawn: a fault of the console", True),
        ("StorageFull", "what a log may know.", False),
    ],
)
def test_a_failing_page_says_so(
    error: str,
    told: str,
    logged: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    service: str,
) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("LIGHTMODEL__CONSOLE__SERVICE_URL", service)
    test = AppTest.from_function(_draw, default_timeout=PATIENCE_S, kwargs={"error": error}).run()
    assert not test.exception
    assert told in texts(test)
    assert ("what a log may know" in texts(test)) is not logged
    assert ("the page broken cannot be drawn" in caplog.text) is logged
