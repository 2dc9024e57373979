"""One page of the console in this process, by Streamlit's own AppTest."""

from typing import TYPE_CHECKING

from lightmodel.config import ConsoleSection

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

PATIENCE_S = 120  # the machine may be busy


def _draw(page: str, settings: "ConsoleSection") -> None:
    """Draw a page; Streamlit runs this text as a script, without what is imported above."""
    from importlib import import_module

    import streamlit as st

    from lightmodel.console.session import open_session

    module = import_module(f"lightmodel.console.pages.{page}")
    module.render(open_session(settings, st.session_state))


def opened(page: str, settings: ConsoleSection) -> "AppTest":
    """Return a page, drawn once."""
    from streamlit.testing.v1 import AppTest

    kwargs = {"page": page, "settings": settings}
    test = AppTest.from_function(_draw, default_timeout=PATIENCE_S, kwargs=kwargs).run()
    assert not test.exception, test.exception
    return test


def texts(test: "AppTest") -> str:
    """Return what a page says, in one text."""
    parts = (test.title, test.header, test.subheader, test.caption, test.markdown, test.info)
    more = (test.error, test.success, test.warning, test.code)
    said = [str(one.value) for group in (*parts, *more) for one in group]
    said += [str(one.proto.body) for one in test.get("html")]
    return "\n".join(said).replace("\\", "")


def pressed(test: "AppTest", label: str) -> "AppTest":
    """Press the button with this label."""
    (button,) = [one for one in test.button if one.label == label]
    button.click().run()
    assert not test.exception, test.exception
    return test


def use_token(test: "AppTest", token: str) -> "AppTest":
    """Type the training token."""
    (field,) = [one for one in test.text_input if one.label == "Training token"]
    field.input(token)
    return pressed(test, "Use this token")
