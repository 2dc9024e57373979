"""One run at a time works on a store."""

from pathlib import Path

import pytest

from lightmodel.errors import AlreadyRunning
from lightmodel.store.lock import run_lock


def test_a_second_run_is_refused_until_the_first_ends() -> None:
    with (
        run_lock(Path("shop")),
        pytest.raises(AlreadyRunning, match="another run is using the store shop"),
    ):
        run_lock(Path("shop"))
    with run_lock(Path("shop")):
        assert Path("shop", ".run.lock").exists()
