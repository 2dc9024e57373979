"""The name of a channel shows no secret, and its key finds it again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.errors import ConfigError
from lightmodel.notify.channels import Channel, channels_of
from tests.fakes.apprise_library import Receivers

TOKEN = "xoxb-SECRETTOKEN123456"
CHAT = '[[notify]]\nurls = ["${NOTIFY_CHAT}"]\n'
MAIL = (
    '[[notify]]\nurls = ["mailto://me:${NOTIFY_PASSWORD}@mail.example.org"]\nevents = ["drift"]\n'
)

Read = Callable[..., tuple[Channel, ...]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return a function that returns the channels of settings, with variables of the environment."""
    receivers = Receivers.in_folder(tmp_path / "library")
    monkeypatch.syspath_prepend(receivers.folder)

    def channels(settings: str, *, strict: bool = False, **environ: str) -> tuple[Channel, ...]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        Path("config.toml").write_text(settings, encoding="utf-8")
        return channels_of(load().config, strict=strict)

    return channels


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (TOKEN, ""),
        (f"{TOKEN}:more", ""),
        (f"slack:{TOKEN}", ""),
        (f"{TOKEN}://host", ""),
        (f"json{TOKEN}://host", ""),
        (f"slack://{TOKEN}", " (slack)"),
        (f"JSONS://me:{TOKEN}@host/", " (jsons)"),
    ],
)
def test_a_name_shows_a_common_scheme_and_nothing_else_of_a_url(
    read: Read, url: str, shown: str
) -> None:
    (channel,) = read(CHAT, NOTIFY_CHAT=url)
    assert channel.name == f"[[notify]] 1, URL 1{shown}"
    (former,) = read("", LIGHTMODEL__NOTIFY__URLS=url)
    assert former.name == f"notify.urls, line 1{shown}"
    assert TOKEN not in repr((channel, former))


def test_a_bare_token_is_an_error_that_does_not_quote_it(read: Read) -> None:
    with pytest.raises(ConfigError) as error:
        read(CHAT, strict=True, NOTIFY_CHAT=TOKEN)
    assert error.value.message == "apprise cannot read [[notify]] 1, URL 1"
    assert TOKEN not in error.value.hint


def test_a_key_stays_while_the_receiver_stays_the_same(read: Read) -> None:
    environ = {"NOTIFY_CHAT": "json://a/x", "NOTIFY_PASSWORD": "hush"}
    chat, mail = (one.key for one in read(CHAT + MAIL, **environ))
    assert chat != mail
    assert [one.key for one in read(MAIL + CHAT, **environ)] == [mail, chat]
    assert [one.key for one in read(CHAT, NOTIFY_CHAT="jsons://a/x")] == [chat]
    assert [one.key for one in read(MAIL.replace("mailto:", "mailtos:"), **environ)] == [mail]
    (other,) = read(CHAT.replace("CHAT", "TEAM"), NOTIFY_TEAM="json://a/x")
    assert other.key not in {chat, mail}
    assert all("hush" not in key and "NOTIFY" not in key for key in (chat, mail))


def test_urls_that_are_written_alike_have_keys_of_their_own(read: Read) -> None:
    alike = '[[notify]]\nurls = ["json://${NOTIFY_CHAT}", "xml://${NOTIFY_CHAT}"]\n'
    assert len({one.key for one in read(alike + alike, NOTIFY_CHAT="host")}) == 4
    lines = read(CHAT, NOTIFY_CHAT="# a comment\njson://a\n\njson://b")
    assert [(one.name, one.url) for one in lines] == [
        ("[[notify]] 1, URL 1 (json)", "json://a"),
        ("[[notify]] 1, URL 2 (json)", "json://b"),
    ]
    assert lines[0].key != lines[1].key
