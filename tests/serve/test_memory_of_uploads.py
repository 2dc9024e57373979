"""The memory of a server with one worker after several big uploads."""

import platform

import pytest

from tests.fakes.project import Project
from tests.fakes.server import master_of, post, serving_untraced
from tests.fakes.tables import shop_table
from tests.fakes.waiting import wait_until
from tests.serve.test_forms import as_csv

UPLOADS = 8


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="measured with glibc only")
def test_the_memory_after_many_uploads_is_that_after_one_but_for_a_little(
    trained_shop: Project,
) -> None:
    body = as_csv(shop_table(rows=100_000, seed=3).drop_columns(["bought"]))
    with serving_untraced(trained_shop, LIGHTMODEL__SERVE__WORKERS="1") as address:
        (worker,) = master_of(address).children()

        def resident() -> int:
            return int(worker.memory_info().rss)

        assert post(address, body).status_code == 200
        after_one = resident()
        for _ in range(UPLOADS - 1):
            assert post(address, body).status_code == 200
        # until its rows are logged, the last upload takes room beside what the others left
        wait_until(lambda: resident() <= 1.5 * after_one, "the memory to be returned")
