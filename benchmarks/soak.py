"""`make soak`: ten minutes of every kind of request, and the slope of the service's memory.

Prints resident memory of all processes every ten seconds, and at the end the slope of a line through the
second half, in MB an hour, with the counts of answers by status.
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from threading import Event, Lock, Thread

import numpy as np
import requests

from benchmarks.serve import FOLDER, model, uploads
from benchmarks.serving import ROOT, Running, Server, running

_CLIENTS = 4
_EVERY_S = 10


def main() -> None:
    """Send requests, watch the memory, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    server = _service()
    files = uploads([1, 100, 10_000])
    statuses: Counter[int] = Counter()
    over, writing = Event(), Lock()
    with running(server, files[1]) as up:
        clients = [
            Thread(target=_ask, args=(up, files, number, statuses, over, writing), daemon=True)
            for number in range(_CLIENTS)
        ]
        for client in clients:
            client.start()
        samples = _watch(up, minutes)
        over.set()
        for client in clients:
            client.join()
    half = np.array(samples[len(samples) // 2 :])
    slope = np.polyfit(half[:, 0], half[:, 1], 1)[0] * 3600
    print(f"{sum(statuses.values()):,} answers: {dict(sorted(statuses.items()))}")
    print(
        f"memory {half[0, 1]:.0f} to {half[-1, 1]:.0f} MB in the second half: {slope:+.1f} MB an hour"
    )


def _service() -> Server:
    model()
    return Server("light-model", (sys.executable, str(ROOT / "app.py")), "/predict", True, FOLDER)


def _ask(
    up: Running,
    files: dict[int, bytes],
    number: int,
    statuses: Counter[int],
    over: Event,
    writing: Lock,
) -> None:
    url = f"http://127.0.0.1:{up.port}/predict"
    good = [(body, "text/csv") for body in (files[1], files[1], files[100], files[10_000])]
    bad = [
        (b"\0" * 1000, "text/csv"),
        (b"[" * 5000, "application/json"),
        (files[100][:9999], "text/csv"),
    ]
    with requests.Session() as session:
        for body, kind in itertools.cycle(good * 5 + bad + good[:number]):
            if over.is_set():
                return
            answer = session.post(url, data=body, headers={"Content-Type": kind}, timeout=60)
            with writing:
                statuses[answer.status_code] += 1


def _watch(up: Running, minutes: float) -> list[tuple[float, float]]:
    started, samples = time.monotonic(), []
    while (gone := time.monotonic() - started) < minutes * 60:
        samples.append((gone, up.memory() / 1e6))
        print(f"{gone:6.0f} s  {samples[-1][1]:6.1f} MB", flush=True)
        time.sleep(min(_EVERY_S, minutes * 60 / 10))
    return samples


if __name__ == "__main__":
    main()
