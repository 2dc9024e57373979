"""Steady requests to a service, each answer counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import requests


@dataclass
class Asked:
    """What became of the requests; `failed` says what was answered instead."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def asking(address: str, clients: int = 4, *, keep_alive: bool = True) -> Iterator[Asked]:
    """Ask for predictions all the time, from several clients, until the block ends."""
    rows = requests.get(f"{address}/sample.csv", timeout=10).content
    asked, over = Asked(), Event()

    def ask() -> None:
        session = requests.Session()
        while not over.is_set():
            try:
                files = {"file": ("rows.csv", rows)}
                answer = session.post(f"{address}/predict", files=files, timeout=30)
                if answer.ok and len(answer.json()) == len(rows.splitlines()) - 1:
                    asked.answered += 1
                else:
                    asked.failed.append(f"{answer.status_code}: {answer.text[:200]}")
            except requests.RequestException as error:
                asked.failed.append(repr(error))
            if not keep_alive:
                session.close()

    threads = [Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
