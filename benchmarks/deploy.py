"""`make bench-deploy`: ten deployments in a row under steady load, and the requests that failed.

The peer is `docker compose up -d --wait` with the image changed, which most people do; both in turns, with
the same two images. Four clients keep their connections, two open a new one for each request.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.delivery import ROOT, deploy_settings, remove, run
from benchmarks.load import LoadResult, steady_load
from benchmarks.ports import free_port

RESULTS = ROOT / "benchmarks" / "results" / "deploy.json"
IMAGES = ("light-model-bench:a", "light-model-bench:b")
COMPOSE = """
services:
  server:
    image: ${IMAGE}
    ports: ["${PORT}:5001"]
"""


def main() -> None:
    """Build, deploy, count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=10)
    parser.add_argument(
        "--check", action="store_true", help="fail if a request failed; no peer, no results"
    )
    arguments = parser.parse_args()
    count = arguments.deployments
    _build()
    with tempfile.TemporaryDirectory(prefix="lmbench") as folder:
        measured = {"light-model": _measured(count, _ours(Path(folder)))}
        if arguments.check:
            sys.exit(1 if measured["light-model"]["failed"] else 0)
        measured["docker compose up --wait"] = _measured(count, _compose(Path(folder)))
    results = {"machine": {"cores": os.cpu_count()}, "deployments": count, **measured}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _build() -> None:
    run("docker", "build", "-q", "--target", "proxy", "-t", "light-model-proxy", ".")
    run("docker", "build", "-q", "-t", IMAGES[0], ".")
    run("docker", "build", "-q", "-t", IMAGES[1], "-", stdin=f"FROM {IMAGES[0]}\nLABEL other=1\n")


def _ours(folder: Path) -> "DeployMethod":
    name, port = (
        "light-model-bench-service",
        free_port(),
    )  # its images are removed, those above are not
    command = (sys.executable, "-m", "lightmodel", "deploy", "docker", "--image")

    def deploy(image: str) -> None:
        run(*command, image, folder=folder, **deploy_settings(name, port))

    remove(name)
    return DeployMethod("light-model", port, deploy, lambda: remove(name))


def _compose(folder: Path) -> "DeployMethod":
    port = free_port()
    file = folder / "compose.yml"
    file.write_text(COMPOSE, encoding="utf-8")
    command = ("docker", "compose", "-f", str(file), "-p", "light-model-bench-peer")

    def deploy(image: str) -> None:
        run(*command, "up", "-d", "--wait", IMAGE=image, PORT=str(port))

    def end() -> None:
        run(*command, "down", "-v", IMAGE=IMAGES[0], PORT=str(port))

    return DeployMethod("docker compose up --wait", port, deploy, end)


@dataclass(frozen=True)
class DeployMethod:
    """A method of deploying that is measured."""

    name: str
    port: int
    deploy: Callable[[str], None]
    end: Callable[[], None]


def _measured(count: int, way: DeployMethod) -> dict[str, float]:
    address = f"http://127.0.0.1:{way.port}"
    seconds: list[float] = []
    try:
        way.deploy(IMAGES[0])
        requests.get(f"{address}/ready", timeout=30).raise_for_status()
        with steady_load(address, 4) as kept, steady_load(address, 2, keep_alive=False) as fresh:
            for number in range(1, count + 1):
                started = time.perf_counter()
                way.deploy(IMAGES[number % 2])
                seconds.append(time.perf_counter() - started)
    finally:
        way.end()
    return _summary(way.name, seconds, (kept, fresh))


def _summary(name: str, seconds: list[float], clients: tuple[LoadResult, ...]) -> dict[str, float]:
    summary = {
        "answered": sum(asked.answered for asked in clients),
        "failed": sum(len(asked.failed) for asked in clients),
        "median_seconds": round(statistics.median(seconds), 1),
    }
    print(
        f"{name}: {len(seconds)} deployments of {summary['median_seconds']} s: "
        f"{summary['answered']:,} requests answered, {summary['failed']:,} failed"
    )
    for failure in sorted({one[:120] for client in clients for one in client.failed})[:5]:
        print(f"  {failure}")
    return summary


if __name__ == "__main__":
    main()
