"""Settings reach a process that this one starts as they are."""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from lightmodel.config import Config, StoreSection, TrackingSection, load
from lightmodel.config.environment import for_child
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
def test_sections_come_back_as_they_were(store: StoreSection, tracking: TrackingSection) -> None:
    environ = for_child({"store": store, "tracking": tracking})
    ours = {name: value for name, value in environ.items() if name.startswith("LIGHTMODEL__")}
    found = load(environ=ours).config
    assert (found.store, found.tracking) == (store, tracking)


def test_every_section_without_tables_comes_back() -> None:
    plain = {"split", "gate", "store", "tracking", "deploy", "notify", "webhook", "azure", "log"}
    sections = {name: section for name, section in Config() if name in plain}
    environ = for_child(sections)
    ours = {name: value for name, value in environ.items() if name.startswith("LIGHTMODEL__")}
    assert load(environ=ours).config == Config()


@pytest.mark.parametrize(
    ("quota", "at_most"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 10_000)]
)
def test_a_container_grants_its_share_of_the_cores(
    quota: str, at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("cpu.max").write_text(quota, encoding="ascii")
    monkeypatch.setattr(sys.modules[cores.__module__], "_QUOTA_V2", Path("cpu.max"))
    assert 1 <= cores() <= at_most
