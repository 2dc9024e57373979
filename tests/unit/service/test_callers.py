"""Whom the rate limit counts, with proxies in front."""

from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.service import create_app


def statuses(proxies: int, forwarded: list[str]) -> list[int]:
    settings = ["serve.rate_limit=1", "serve.workers=1", f"serve.proxies={proxies}"]
    settings += ["log.sink=none", f"store.root={Path.cwd()}"]
    client = create_app(load(None, settings, {}).config).test_client()
    return [
        client.get("/schema", headers={"X-Forwarded-For": one}).status_code for one in forwarded
    ]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "limited"),
    [
        (1, ["1.2.3.4", "5.6.7.8"], False),
        (1, ["1.2.3.4:1000", "1.2.3.4:2000"], True),  # as Azure forwards it
        (1, ["[2001:db8::1]:1000", "[2001:db8::1]:2000"], True),
        (1, ["2001:db8::1", "2001:db8::2"], False),
        (0, ["1.2.3.4", "5.6.7.8"], True),  # nobody's word is taken without a proxy
    ],
)
def test_each_address_behind_the_proxies_has_its_own_share(
    proxies: int, forwarded: list[str], limited: bool
) -> None:
    assert (429 in statuses(proxies, forwarded)) == limited
