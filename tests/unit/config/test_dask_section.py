"""The section `dask`."""

from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.errors import ConfigError


def test_dask_is_not_used_unless_asked_for(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('[dask]\nscheduler = "tcp://10.0.0.5:8786"\n', encoding="utf-8")
    assert load(settings).config.dask.engine == "local"


@pytest.mark.parametrize(
    "address", ["10.0.0.5:8786", "tcp://10.0.0.5", "http://a:1", "tcp://a:b@c:1"]
)
def test_an_address_that_is_none_of_a_scheduler_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"dask\.scheduler: .*write tcp://HOST:PORT"):
        load(None, [f"dask.scheduler={address}"], {})


def test_the_engine_needs_a_scheduler() -> None:
    with pytest.raises(ConfigError, match=r"dask\.engine: .*it needs dask\.scheduler") as caught:
        load(None, ["dask.engine=dask"], {})
    assert [path for path, _ in caught.value.mistakes] == ["dask.engine"]


def test_a_mistaken_address_is_the_only_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, ["dask.engine=dask", "dask.scheduler=nowhere"], {})
    assert [path for path, _ in caught.value.mistakes] == ["dask.scheduler"]
