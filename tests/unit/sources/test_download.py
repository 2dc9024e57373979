"""Killed at any moment, and two at once: what other processes see."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import lightmodel
from lightmodel.sources.base import FetchOptions
from lightmodel.sources.factory import source_for
from tests.fakes.progress import Watching
from tests.fakes.waiting import LONGEST_S, running, wait_until
from tests.fakes.web import Asked, Reply, Web, csv_reply, web_with

BODY = Random(5).randbytes(1_000_000)
STALL = 600_000
WHOLE = csv_reply(BODY, etag='"one"')
FETCH = """
import sys
from pathlib import Path
from lightmodel.progress import SilentProgress
from lightmodel.sources.factory import fetch_first
from lightmodel.sources.base import FetchOptions
sys.stdout.write("ready\\n")
sys.stdout.flush()
options = FetchOptions(Path(sys.argv[2]), "changed", "", 30.0, 0, SilentProgress())
fetched = fetch_first([sys.argv[1]], options)
sys.stdout.write(str(fetched.changed))
"""


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 30.0, 0, Watching())


def fetching(web: Web, cache: Path) -> AbstractContextManager["subprocess.Popen[str]"]:
    root = str(Path(lightmodel.__file__).parents[1])
    command = [sys.executable, "-c", FETCH, f"{web.url}/t.csv", str(cache)]
    environment = os.environ | {"PYTHONPATH": root}
    return running(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_killed_download_resumes_where_it_was(options: FetchOptions) -> None:
    def half_arrived() -> bool:
        return sum(part.stat().st_size for part in options.cache.glob("*/*.part")) > STALL // 2

    with web_with(replace(WHOLE, stall_at=STALL), WHOLE) as web:
        with fetching(web, options.cache) as process:
            wait_until(half_arrived, "half of the download", process=process)
            process.send_signal(signal.SIGKILL)
        fetched = source_for(web.url)(f"{web.url}/t.csv", options)
    assert fetched.paths[0].read_bytes() == BODY
    assert fetched.changed
    start = int(web.asked[1].headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert STALL // 2 < start <= STALL


def test_two_processes_that_want_the_same_file_fetch_it_once(options: FetchOptions) -> None:
    both_want_it = threading.Event()

    def answer(_: Asked) -> Reply:
        both_want_it.wait(LONGEST_S)
        return WHOLE

    with (
        Web(answer) as web,
        fetching(web, options.cache) as one,
        fetching(web, options.cache) as two,
    ):
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        both_want_it.set()
        said = [process.communicate(timeout=LONGEST_S)[0] for process in (one, two)]
    assert sorted(said) == ["False", "True"]
    assert [asked.headers.get("If-None-Match") for asked in web.asked] == [None, '"one"']
    (path,) = options.cache.glob("*/t*.csv")
    assert path.read_bytes() == BODY
