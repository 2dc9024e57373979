"""Each page has an address that can be opened and sent to somebody."""

import re

import pytest
import requests
from starlette.applications import Starlette

from tests.fakes.console import asgi_server

pytestmark = pytest.mark.console


@pytest.mark.parametrize("base", ["", "team/console"])
def test_every_page_has_an_address_and_that_of_the_first_leads_to_the_root(base: str) -> None:
    from lightmodel.console.addresses import routes
    from lightmodel.console.pages import PAGES

    with asgi_server(Starlette(routes=routes(PAGES, base))) as url:
        prefix = f"{url}/{base}" if base else url
        first, *others = (
            requests.get(f"{prefix}/{page.path}", allow_redirects=False, timeout=60)
            for page in PAGES
        )
    assert first.status_code == 307
    assert first.headers["location"] == (f"/{base}/" if base else "/")
    for answer in others:
        assert answer.status_code == 200
        script = answer.text.index("BACKEND_BASE_URL")
        assert script < answer.text.index('type="module"')
        assert re.search('src="./static/js/', answer.text)
