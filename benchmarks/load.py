"""A steady load of requests on a service, with every answer counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import requests


@dataclass
class LoadResult:
    """The number of requests with a full answer, and a description of each failed one."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def steady_load(address: str, clients: int = 4, *, keep_alive: bool = True) -> Iterator[LoadResult]:
    """Request predictions without a pause, from several clients, until the block ends."""
    rows = requests.get(f"{address}/sample.csv", timeout=60).content
    result, over = LoadResult(), Event()

    def ask() -> None:
        session = requests.Session()
        while not over.is_set():
            try:
                files = {"file": ("rows.csv", rows)}
                answer = session.post(f"{address}/predict", files=files, timeout=30)
                if answer.ok and len(answer.json()) == len(rows.splitlines()) - 1:
                    result.answered += 1
                else:
                    result.failed.append(f"{answer.status_code}: {answer.text[:200]}")
            except requests.RequestException as error:
                result.failed.append(repr(error))
            if not keep_alive:
                session.close()

    threads = [Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield result
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
