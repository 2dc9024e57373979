"""Copies of models on a mirror: the chain pushes them, and a machine without models pulls them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.fakes.clouds import make_bucket, moto
from tests.fakes.project import SETTINGS, Project

MIRROR = '[store]\nmirrors = ["s3://models/shop"]\n'


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with moto() as address:
        make_bucket(address, "models")
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield


@pytest.mark.s3
@pytest.mark.usefixtures("bucket")
def test_the_chain_sends_what_it_approves_and_a_rollback_too(project: Project) -> None:
    project.settings(SETTINGS + MIRROR)
    ran = project.run()
    assert ran.code == 0, ran.err
    (made,) = project.models()
    assert f"copied to s3://models/shop: {made.name}" in ran.err
    there = ["models", "--set", "store.root=there"]
    pulled = project.tool(*there, "pull")
    assert (pulled.code, pulled.out) == (0, f"pulled: {made.name}\n"), pulled.err
    assert project.tool(*there, "pull").out == f"already here: {made.name}\n"
    bundle = (project.folder / "there" / "model" / made.name / "model.joblib").read_bytes()
    assert bundle == (made / "model.joblib").read_bytes()
    back = project.tool("models", "rollback", "--force")
    assert f"copied to s3://models/shop: {made.name}" in back.err
    assert "verdict updated" not in project.tool(*there).out
    assert project.tool(*there, "pull").code == 66
    assert "withdrawn by rollback" in project.tool(*there).out


@pytest.mark.s3
@pytest.mark.usefixtures("bucket")
def test_a_mirror_that_is_down_costs_a_warning_and_gets_the_model_later(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.settings(SETTINGS + MIRROR)
    ran = project.run(AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")
    assert ran.code == 0, ran.err
    assert "not copied: s3://models/shop" in ran.err
    (made,) = project.models()
    assert project.tool("models", "push").out == f"s3://models/shop  sent: {made.name}\n"
    assert project.tool("models", "push").out == "s3://models/shop  nothing to send\n"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert project.tool("models", "push").code == 75
    assert project.tool("models", "pull").code == 75


def test_without_a_mirror_the_commands_say_how_to_set_one(project: Project) -> None:
    for word in ("push", "pull"):
        ran = project.tool("models", word)
        assert (ran.code, "mirrors = [" in ran.err) == (78, True)
