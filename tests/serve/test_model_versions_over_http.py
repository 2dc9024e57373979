"""The versions over HTTP, on the server as it runs: a rollback is served, and kept with its note."""

from typing import Any

import requests

from tests.fakes.project import Project
from tests.fakes.publishing import published_again
from tests.fakes.server import serving
from tests.fakes.waiting import wait_until
from tests.serve.conftest import Shop

TOKEN = {"X-Train-Token": "let-me"}
NOTE = {"by": "Ada", "why": "it fails for tablets"}


def test_every_version_is_read_without_a_token(shop: Shop) -> None:
    content = requests.get(f"{shop.address}/models", timeout=60).json()
    (one,) = content["versions"]
    assert (one["version"], one["role"]) == (content["served"], "served")
    details = requests.get(f"{shop.address}/models/{one['version']}", timeout=60).json()
    assert details["metrics"] == one["metrics"]
    assert details["evaluation"]["curves"]["roc"]
    refused = requests.post(
        f"{shop.address}/models/{one['version']}/rollback", json=NOTE, timeout=60
    )
    assert refused.status_code == 403


def test_a_rollback_is_served_and_taken_back(approved: Project) -> None:
    first = approved.models()[-1].name
    second = published_again(approved.folder, first)
    environ = {
        "LIGHTMODEL__SERVE__TRAIN_TOKEN": "let-me",
        "LIGHTMODEL__TRACKING__URI": "none",
        "LIGHTMODEL__SERVE__RELOAD_INTERVAL_S": "0.2",
    }
    with serving(approved, **environ) as address:

        def served() -> str:
            return str(requests.get(f"{address}/ready", timeout=60).json().get("version"))

        def change(version: str, action: str) -> dict[str, Any]:
            answer = requests.post(
                f"{address}/models/{version}/{action}", json=NOTE, headers=TOKEN, timeout=120
            )
            assert answer.status_code == 200, answer.text
            content: dict[str, Any] = answer.json()
            return content

        assert served() == second
        assert change(second, "rollback")["served"] == first
        wait_until(lambda: served() == first, "the version before")
        assert change(second, "promote")["served"] == second
        wait_until(lambda: served() == second, "the version again")
        assert change(first, "retire")["removed"] == first
    notes = approved.tool("models", "show", second).out
    assert "status: approved" in notes
