"""Settings reach child processes unchanged, and the number of cores respects a container's quota."""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from lightmodel.config import Config, StoreSection, TrackingSection, load
from lightmodel.config.environment import child_environment, without_secrets
from lightmodel.config.threads import cores


@pytest.mark.parametrize(
    ("store", "tracking"),
    [
        (StoreSection(), TrackingSection()),
        (
            StoreSection(
                mirrors=("s3://bucket/pre-fix", "az://box/other"),
                root=Path("/var/some where"),
                signing_key=SecretStr("key = [1]"),
            ),
            TrackingSection(
                uri="https://host:1/x?y=[z]", token=SecretStr("t,o'k\"en"), timeout_s=2.5
            ),
        ),
    ],
)
def test_sections_reach_a_child_unchanged(store: StoreSection, tracking: TrackingSection) -> None:
    environ = child_environment({"store": store, "tracking": tracking})
    ours = {name: value for name, value in environ.items() if name.startswith("LIGHTMODEL__")}
    config = load(environ=ours).config
    assert (config.store, config.tracking) == (store, tracking)


def test_a_section_for_other_machines_has_no_secrets() -> None:
    store = StoreSection(root=Path("here"), signing_key=SecretStr("k" * 40))
    assert without_secrets(store) == StoreSection(root=Path("here"))


def test_every_section_without_tables_reaches_a_child_unchanged() -> None:
    plain = {"split", "gate", "store", "tracking", "deploy", "notify", "webhook", "azure", "log"}
    sections = {name: section for name, section in Config() if name in plain}
    environ = child_environment(sections)
    ours = {name: value for name, value in environ.items() if name.startswith("LIGHTMODEL__")}
    assert load(environ=ours).config == Config()


@pytest.mark.parametrize(
    ("quota", "at_most"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 10_000)]
)
def test_the_number_of_cores_respects_a_containers_quota(
    quota: str, at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("cpu.max").write_text(quota, encoding="ascii")
    monkeypatch.setattr(sys.modules[cores.__module__], "_QUOTA_V2", Path("cpu.max"))
    assert 1 <= cores() <= at_most
