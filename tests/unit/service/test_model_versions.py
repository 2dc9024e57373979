"""The routes on model versions: what is known of each, and the change of a verdict by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from lightmodel.config import load
from lightmodel.config.load import Config
from lightmodel.service import create_app
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import models_of
from tests.fakes.project import Project
from tests.fakes.publishing import published_again

TOKEN = {"X-Train-Token": "let-me"}
NOTE = {"by": "Ada", "why": "it is better for tablets"}


@pytest.fixture
def config(approved: Project, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(approved.folder)
    variables = {
        "LIGHTMODEL__SERVE__TRAIN_TOKEN": "let-me",
        "LIGHTMODEL__TRACKING__URI": "none",
    }
    return load(approved.folder / "config.toml", [], variables).config


@pytest.fixture
def client(config: Config) -> Iterator[FlaskClient]:
    with create_app(config).test_client() as opened:
        yield opened


def listed(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/models")
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.get_json()
    return content


def posted(client: FlaskClient, path: str, **note: object) -> tuple[int, dict[str, Any]]:
    answer = client.post(path, json={**NOTE, **note}, headers=TOKEN)
    return answer.status_code, answer.get_json()


def test_each_version_has_a_verdict_metrics_with_intervals_and_its_data(
    client: FlaskClient, approved: Project
) -> None:
    served = approved.models()[-1].name
    untested = published_again(approved.folder, served, approved=False)
    content = listed(client)
    assert (content["served"], content["canary"], content["challenger"]) == (served, "", "")
    newest, one = content["versions"]
    assert (newest["version"], newest["status"], newest["role"]) == (untested, "untested", "")
    assert (one["version"], one["status"], one["role"]) == (served, "approved", "served")
    metric = one["metrics"][one["metric"]]
    assert metric["low"] <= metric["value"] <= metric["high"]
    assert one["data"]["source"] == "shop.csv"
    assert len(one["data"]["sha256"]) == 64
    assert one["rows"]["train"] > one["rows"]["test"] > 0


def test_one_version_is_told_whole_without_folders_or_rows(
    client: FlaskClient, approved: Project
) -> None:
    served = approved.models()[-1].name
    answer = client.get(f"/models/{served}")
    content = answer.get_json()
    assert str(approved.folder) not in answer.text
    assert "samples" not in content
    assert {"roc", "precision_recall", "confusion"} <= content["evaluation"]["curves"].keys()
    assert "predicted_actual" not in content["evaluation"]["curves"]
    assert content["folds"][0]["curve"]
    assert content["settings"]["train"]["folds"] == len(content["folds"])
    assert set(content["importance"]) == {"age", "spent", "where"}
    assert [one["name"] for one in content["contract"]["columns"] if one["role"] == "target"] == [
        content["target"]
    ]
    report = client.get(f"/models/{served}/report")
    assert report.mimetype == "text/html"
    assert "default-src 'none'" in report.headers["Content-Security-Policy"]
    for name in content["pictures"]:
        assert client.get(f"/models/{served}/pictures/{name}").data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path",
    ["20200101T000000000000Z-abcdef", "..", "x", "20200101T000000.000000Z-abcdef/report"],
)
def test_an_unknown_version_is_answered_with_404(client: FlaskClient, path: str) -> None:
    assert client.get(f"/models/{path}").status_code == 404


def test_an_unknown_picture_is_answered_with_404(client: FlaskClient, approved: Project) -> None:
    served = approved.models()[-1].name
    for name in ("model.joblib", "nothing.png"):
        assert client.get(f"/models/{served}/pictures/{name}").status_code == 404


def test_a_damaged_version_is_listed_with_its_error(client: FlaskClient, approved: Project) -> None:
    served = approved.models()[-1].name
    damaged = published_again(approved.folder, served)
    (approved.folder / "model" / damaged / "manifest.json").write_text("{")
    first, second = listed(client)["versions"]
    assert (first["version"], first["status"]) == (damaged, "damaged")
    assert "not JSON" in first["error"]
    assert second["role"] == "served"


def test_a_rollback_and_its_undoing_are_kept_with_who_and_why(
    client: FlaskClient, approved: Project, config: Config
) -> None:
    first = approved.models()[-1].name
    second = published_again(approved.folder, first)
    status, content = posted(client, f"/models/{second}/rollback")
    assert (status, content["served"]) == (200, first)
    assert content["changed"]["status"] == "withdrawn"
    assert content["changed"]["reasons"][0] == (
        "withdrawn by rollback by Ada: it is better for tablets"
    )
    status, content = posted(client, f"/models/{second}/promote", why="it was another's fault")
    assert (status, content["served"]) == (200, second)
    notes = [(note["action"], note["by"], note["why"]) for note in content["changed"]["notes"]]
    assert notes == [
        ("withdrawn", "Ada", "it is better for tablets"),
        ("promoted", "Ada", "it was another's fault"),
    ]
    store = models_of(config)
    verdict = read_verdict(store.get(second), store.signer)
    assert verdict is not None
    assert verdict.passed
    assert [note["action"] for note in verdict.notes] == ["withdrawn", "promoted"]


def test_what_cannot_be_done_is_409_with_a_hint(client: FlaskClient, approved: Project) -> None:
    only = approved.models()[-1].name
    status, content = posted(client, f"/models/{only}/rollback")
    assert (status, "no approved model would be left" in content["detail"]) == (409, True)
    status, content = posted(client, f"/models/{only}/retire")
    assert (status, "in use" in content["detail"]) == (409, True)
    untested = published_again(approved.folder, only, approved=False)
    status, content = posted(client, f"/models/{untested}/promote")
    assert (status, "run.py testing" in content["hint"]) == (409, True)


def test_a_removed_version_leaves_its_verdict_with_the_note(
    client: FlaskClient, approved: Project
) -> None:
    first = approved.models()[-1].name
    second = published_again(approved.folder, first)
    status, content = posted(client, f"/models/{first}/retire")
    assert (status, content["removed"], content["served"]) == (200, first, second)
    assert [one["version"] for one in listed(client)["versions"]] == [second]
    kept = (approved.folder / "model" / "retired" / f"{first}.json").read_text()
    assert '"action": "retired"' in kept
    assert "it is better for tablets" in kept


def test_changes_need_the_token_and_a_note(client: FlaskClient, approved: Project) -> None:
    path = f"/models/{approved.models()[-1].name}/rollback"
    assert client.post(path, json=NOTE).status_code == 401
    for body in (
        {"by": "Ada"},
        {"by": "Ada", "why": " "},
        ["by"],
        {**NOTE, "when": "now"},
        {"by": 1},
    ):
        answer = client.post(path, json=body, headers=TOKEN)
        assert answer.status_code == 400, body
    assert client.post(path, data=b"{", headers=TOKEN).status_code == 400
    assert listed(client)["served"] == approved.models()[-1].name


def test_without_a_token_in_the_settings_nothing_can_be_changed(
    approved: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(approved.folder)
    config = load(approved.folder / "config.toml", [], {}).config
    with create_app(config).test_client() as client:
        answer = client.post(f"/models/{approved.models()[-1].name}/retire", json=NOTE)
    assert (answer.status_code, "serve.train_token" in answer.get_json()["detail"]) == (403, True)


def test_a_read_only_store_is_409_and_says_where_to_change_it(
    client: FlaskClient, approved: Project
) -> None:
    store = approved.folder / "model"
    version = approved.models()[-1].name
    (store / ".writable.part").mkdir()  # as what cannot be written to, whoever runs the tests
    status, content = posted(client, f"/models/{version}/rollback")
    assert (status, "python -m lightmodel models" in content["hint"]) == (409, True)
    assert str(Path(store)) not in content["detail"]


def test_without_a_model_the_list_is_empty(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    with create_app(load(project.folder / "config.toml", [], {}).config).test_client() as client:
        assert listed(client) == {"served": "", "canary": "", "challenger": "", "versions": []}


def test_a_canary_is_named_and_promoted(approved: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(approved.folder)
    first = approved.models()[-1].name
    second = published_again(approved.folder, first)
    variables = {
        "LIGHTMODEL__SERVE__TRAIN_TOKEN": "let-me",
        "LIGHTMODEL__SERVE__CANARY": "0.2",
        "LIGHTMODEL__TRACKING__URI": "none",
    }
    config = load(approved.folder / "config.toml", [], variables).config
    with create_app(config).test_client() as client:
        content = listed(client)
        assert (content["served"], content["canary"]) == (first, second)
        status, content = posted(client, f"/models/{first}/retire")
        assert (status, "in use" in content["detail"]) == (409, True)
        status, content = posted(client, f"/models/{second}/promote")
        assert (status, content["served"], content["canary"]) == (200, second, "")
