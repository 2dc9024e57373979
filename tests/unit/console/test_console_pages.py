"""The pages' logic by Streamlit's own tests, on the real service; the browser's part is in tests/e2e."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ports import free_port
from lightmodel.console.watching.history import shared_history
from tests.unit.console.conftest import KEY

pytestmark = pytest.mark.console

App = Any  # Streamlit is installed for these tests only
_PATIENCE_S = 120


def script_of_predict() -> None:
    from lightmodel.console.frame import show

    show()


def script_of_watch() -> None:
    from lightmodel.console.frame import show
    from lightmodel.console.pages import PAGES

    show([page for page in PAGES if page.path == "watch"])


Opener = Callable[..., App]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opener:
    def open_page(
        address: str, script: Callable[[], None] = script_of_predict, key: str = ""
    ) -> App:
        from streamlit.testing.v1 import AppTest

        monkeypatch.setenv("LIGHTMODEL__CONSOLE__SERVICE_URL", address)
        monkeypatch.setenv("LIGHTMODEL__CONSOLE__FOLDER", str(tmp_path / "answers"))
        monkeypatch.setenv("LIGHTMODEL__CONSOLE__KEY", key)
        shared_history.cache_clear()
        return AppTest.from_function(script, default_timeout=_PATIENCE_S).run()

    return open_page


def texts(app: App) -> str:
    """Return all that a page says."""
    elements = [*app.markdown, *app.caption, *app.error, *app.info, *app.success, *app.get("html")]
    return "\n".join(str(getattr(one, "value", None) or one.proto.body) for one in elements)


def field(app: App, label: str) -> App:
    (one,) = [one for one in (*app.text_input, *app.selectbox) if one.label == label]
    return one


def press(app: App, label: str) -> App:
    (button,) = [one for one in app.button if one.label == label]
    return button.click().run()


def test_a_row_is_predicted_with_its_contributions(opened: Opener, service: str) -> None:
    app = opened(service)
    assert not app.exception
    assert "Predicts **bought**" in texts(app)
    app = press(app, "Predict")
    assert not app.exception
    assert "Probability of yes" in texts(app)
    assert "Largest contributions" in texts(app)


def test_a_mistake_is_shown_beside_its_field_and_no_old_answer_stays(
    opened: Opener, service: str
) -> None:
    app = press(opened(service), "Predict")
    app = field(app, "age").set_value("old").run()
    assert "Probability of yes" not in texts(app)
    app = press(app, "Predict")
    assert "write a number" in texts(app)
    assert "1 field to correct" in texts(app)
    app = field(app, "age").set_value("1000000").run()
    assert "1 field to correct" not in texts(app)
    app = press(app, "Predict")  # the service itself refuses it
    assert "outside" in texts(app)
    assert "1 field to correct" in texts(app)


def test_samples_fill_the_form(opened: Opener, service: str) -> None:
    app = opened(service)
    ages = {field(press(app, f"Sample {number}"), "age").value for number in (1, 2, 3)}
    assert len(ages) > 1


def test_a_category_that_training_never_saw_is_scored_and_named(
    opened: Opener, service: str
) -> None:
    app = opened(service)
    app.session_state["row_form"]["texts"]["where"] = (
        "moon"  # as if it had been typed into the menu
    )
    app = press(app, "Predict")
    assert "Never seen in training" in texts(app)


def test_without_a_key_a_service_that_needs_one_is_a_sentence(opened: Opener, locked: str) -> None:
    app = opened(locked)
    assert not app.exception
    assert "does not accept the key" in texts(app).replace("\\", "")
    field(app, "Key").set_value("wrong")
    app = press(app, "Use this key")
    assert len(app.error) == 2
    field(app, "Key").set_value(KEY)
    app = press(app, "Use this key")
    assert "Predicts **bought**" in texts(app)
    assert KEY not in texts(app)
    assert all(one.value != KEY for one in app.text_input)
    app = press(app, "Forget the key")
    assert "does not accept the key" in texts(app).replace("\\", "")


def test_the_consoles_key_reads_but_changes_nothing(opened: Opener, locked: str) -> None:
    app = opened(locked, key=KEY)
    assert "Predicts **bought**" in texts(app)
    app = opened(locked, script_of_watch, key=KEY)
    assert "Sending labels needs a key of your own" in texts(app)
    field(app, "Key").set_value(KEY)
    app = press(app, "Use this key")
    assert "Sending labels needs a key of your own" not in texts(app)


def test_a_service_that_is_down_or_empty_is_a_sentence_on_every_page(
    opened: Opener, empty: str
) -> None:
    for script in (script_of_predict, script_of_watch):
        app = opened(f"http://127.0.0.1:{free_port()}", script)
        assert not app.exception
        assert "No service answers" in texts(app)
        app = opened(empty, script)
        assert not app.exception
        assert "cannot answer at the moment" in texts(app)
        assert "opens by itself" in texts(app)


def test_watch_explains_what_is_not_there_yet(opened: Opener, service: str) -> None:
    app = opened(service, script_of_watch)
    assert not app.exception
    assert "begun to look" in texts(app)
    assert "Live quality is not measured yet" in texts(app)


def test_watch_counts_what_was_answered_between_two_looks(opened: Opener, service: str) -> None:
    from lightmodel.console.service_client import ServiceClient

    app = opened(service, script_of_watch)
    client = ServiceClient(service)
    client.predict_row(client.model().samples[0].values)
    app = app.run()
    values = {one.label: one.value for one in app.metric}
    assert int(values["Rows"]) >= 1
    assert len(app.get("vega_lite_chart")) == 4
