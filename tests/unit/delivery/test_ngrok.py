"""Which error a failure of ngrok's agent becomes; the package itself is a stand-in here."""

import sys
from types import ModuleType

import pytest
from pydantic import SecretStr

from lightmodel.config.deployment import WebhookSection
from lightmodel.delivery.webhook import open_tunnel, policy
from lightmodel.errors import ConfigError, SourceUnavailable


def agent(monkeypatch: pytest.MonkeyPatch, *message: str) -> None:
    """Replace ngrok by an agent that fails as ngrok 1.4.0 does."""
    module = ModuleType("ngrok")

    def forward(*_: object, **__: object) -> None:
        raise ValueError(*message)

    vars(module)["forward"] = forward
    monkeypatch.setitem(sys.modules, "ngrok", module)


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        (
            (
                "failed to connect session",
                "authentication failed\n\nERR_NGROK_105",
            ),
            ConfigError,
            "ERR_NGROK_105",
        ),
        (
            ("failed to connect session", "failed to establish tcp connection"),
            SourceUnavailable,
            "tcp",
        ),
        (("failed to start listener", "the domain is not yours ERR_NGROK_320"), ConfigError, "320"),
    ],
)
def test_a_refusal_differs_from_a_service_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, message: tuple[str, ...], kind: type[Exception], words: str
) -> None:
    agent(monkeypatch, *message)
    with (
        pytest.raises(kind, match=words),
        open_tunnel(WebhookSection(ngrok_token=SecretStr("token")), {}),
    ):
        pass


def test_without_the_package_the_message_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ngrok", None)
    with (
        pytest.raises(ConfigError) as caught,
        open_tunnel(WebhookSection(ngrok_token=SecretStr("t")), {}),
    ):
        pass
    assert "requirements/tunnel.txt" in caught.value.hint


def test_only_signed_pushes_get_through() -> None:
    deny, verify = policy("hush", "/github-webhook/")["on_http_request"]
    assert deny["actions"][0]["type"] == "deny"
    assert "/github-webhook/" in deny["expressions"][0]
    assert verify["actions"][0]["config"] == {"provider": "github", "secret": "hush"}
