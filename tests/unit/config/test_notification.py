"""The tables [[notify]], whose secrets come from the environment."""

import logging
from pathlib import Path
from typing import get_args

import pytest

from lightmodel.config import Config, load
from lightmodel.config.base import redacted_settings
from lightmodel.config.environment import child_environment, filled_in, secret_values
from lightmodel.config.notification import EventName
from lightmodel.errors import ConfigError
from lightmodel.notify.channels import channels_of

SLACK = "slack://hush/hush/hush"
TWO = """
[[notify]]
urls = ["${NOTIFY_SLACK}"]

[[notify]]
urls = ["${NOTIFY_MAIL}"]
events = ["stage_failed", "gate_failed"]
timeout_s = 3
"""


def read(text: str, **environ: str) -> Config:
    Path("config.toml").write_text(text, encoding="utf-8")
    return load(environ=environ).config


def test_each_table_is_a_receiver_by_default_of_every_event() -> None:
    first, second = read(TWO).notify.receivers
    assert first.events == get_args(EventName)
    assert (second.events, second.timeout_s) == (("stage_failed", "gate_failed"), 3)


def test_receivers_reach_a_child_unchanged() -> None:
    config = read(TWO)
    environ = child_environment({"notify": config.notify})
    ours = {name: value for name, value in environ.items() if name.startswith("LIGHTMODEL__")}
    Path("config.toml").unlink()
    assert load(environ=ours).config.notify == config.notify


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (f'urls = ["{SLACK}"]', "a URL may hold secrets"),
        ('urls = ["${A}"]\nevents = ["launched"]', "1: events: 1: input should be 'started'"),
        ('urls = ["${A}"]\nurl = "x"', "1: url: extra inputs are not permitted"),
        ("urls = []", "1: urls: tuple should have at least 1 item"),
        ('events = ["started"]', "1: urls: field required"),
    ],
)
def test_a_mistake_is_named_by_table_and_key_and_shows_no_secret(table: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(f"[[notify]]\n{table}")
    assert message in raised.value.message
    assert "config.toml: notify.receivers" in raised.value.message
    assert "hush" not in raised.value.message


@pytest.mark.notify
def test_the_former_settings_are_valid_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    config = read("[notify]\ntimeout_s = 4", LIGHTMODEL__NOTIFY__URLS=f"# team\n{SLACK}\n\n")
    assert caplog.text.count("[[notify]]") == 2
    (channel,) = channels_of(config)
    assert (channel.url, channel.timeout_s) == (SLACK, 4)
    assert channel.events == set(get_args(EventName))


def test_a_reference_is_the_whole_url_or_a_quoted_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SLACK", SLACK)
    monkeypatch.setenv("NOTIFY_PASSWORD", "p/w@1")
    assert filled_in("${NOTIFY_SLACK}") == SLACK
    assert filled_in("mailto://me:${NOTIFY_PASSWORD}@host") == "mailto://me:p%2Fw%401@host"


def test_a_reference_can_be_the_content_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text(f"{SLACK}\n", encoding="utf-8")
    monkeypatch.setenv("NOTIFY_SLACK_FILE", "secret")
    assert filled_in("${NOTIFY_SLACK}") == SLACK
    assert SLACK in secret_values(read(TWO))


@pytest.mark.notify
def test_several_urls_may_stand_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SLACK", f"{SLACK}\n# the others\njson://host/")
    monkeypatch.setenv("NOTIFY_MAIL", "mailto://me:hush@host")
    config = read(TWO)
    assert [channel.name for channel in channels_of(config)] == [
        "[[notify]] 1, URL 1 (slack)",
        "[[notify]] 1, URL 2 (json)",
        "[[notify]] 2, URL 1 (mailto)",
    ]
    assert {SLACK, "json://host/", "mailto://me:hush@host"} <= secret_values(config)
    assert "hush" not in repr(channels_of(config))


def test_a_variable_that_is_missing_costs_a_warning_or_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = read(TWO)
    with caplog.at_level(logging.WARNING):
        assert channels_of(config) == ()
    assert "NOTIFY_SLACK, which is not set" in caplog.text
    with pytest.raises(ConfigError, match="NOTIFY_SLACK"):
        channels_of(config, strict=True)


def test_what_is_literal_in_an_address_is_never_printed() -> None:
    text = """
[[notify]]
urls = ["mailtos://me:hush@example.org?to=${TEAM}", 'json://hush/${A}/hu"sh', "${CHAT}"] # x
"""
    Path("config.toml").write_text(text, encoding="utf-8")
    loaded = load(environ={})
    printed = "\n".join(loaded.lines())
    assert "mailtos://***${TEAM}***" in printed
    (receiver,) = loaded.config.notify.receivers
    shown = redacted_settings(text)
    for said in (printed, repr(loaded.config), str(receiver), shown):
        assert "hush" not in said
        assert "sh'" not in said.replace("***'", "")
    assert shown.endswith('"${CHAT}"] # x\n')


def test_an_address_without_a_variable_is_shown_but_for_its_secrets() -> None:
    line = 'source = "https://me:hush@example.org/a.csv?sig=hush&x=1"  # not ${NAME}'
    assert (
        redacted_settings(line)
        == 'source = "https://***@example.org/a.csv?sig=***&x=1"  # not ${NAME}'
    )
