"""`python -m lightmodel smoke` against the service as it runs."""

from benchmarks.ports import free_port
from tests.fakes.project import Project
from tests.fakes.publishing import published_again
from tests.fakes.server import serving
from tests.serve.conftest import Shop


def test_a_service_that_reproduces_its_sample_rows_passes(shop: Shop) -> None:
    done = shop.project.tool("smoke", shop.address)
    assert (done.code, "sample rows as stored" in done.out) == (0, True), done.err


def test_a_service_with_another_model_than_the_newest_local_one_is_reported(
    approved: Project,
) -> None:
    alone = {"LIGHTMODEL__SERVE__RELOAD_INTERVAL_S": "3600", "LIGHTMODEL__SERVE__WORKERS": "1"}
    with serving(approved, **alone) as address:
        assert approved.tool("smoke", address).code == 0  # so the worker has loaded it
        newer = published_again(approved.folder, approved.models()[-1].name)
        done = approved.tool("smoke", address)
    assert (done.code, f"instead of {newer}" in done.err) == (11, True), done.err


def test_an_unreachable_service_is_reported_after_the_wait(shop: Shop) -> None:
    done = shop.project.tool("smoke", f"http://127.0.0.1:{free_port()}", "--wait", "0.5")
    assert (done.code, "not ready after 0.5 s" in done.err) == (11, True), done.err


def test_a_service_with_keys_requires_a_key(trained_shop: Project) -> None:
    with serving(trained_shop, LIGHTMODEL__SERVE__API_KEYS="open-sesame") as address:
        refused = trained_shop.tool("smoke", address)
    assert (refused.code, "LIGHTMODEL__DEPLOY__API_KEY" in refused.err) == (11, True), refused.err
