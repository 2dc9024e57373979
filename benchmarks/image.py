"""`make image`: build the images and peers; print their sizes, and how soon ours answers."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping

import requests

from benchmarks.delivery import ROOT, run
from benchmarks.ports import free_port

RESULTS = ROOT / "benchmarks" / "results" / "image.json"
IMAGES: Mapping[str, tuple[str, ...]] = {
    "light-model-pipeline": ("--target", "pipeline"),
    "light-model": (),
    "light-model:with-lightgbm": ("--build-arg", "RUNTIME=lightgbm"),
    "light-model-proxy": ("--target", "proxy"),
}
# What a hand-written service of a LightGBM model installs, on the same base image.
PEERS = {
    "fastapi": "fastapi uvicorn[standard] python-multipart lightgbm==4.7.0 pandas==3.0.6 joblib==1.6.0",
    "mlflow": "mlflow==3.17.2 lightgbm==4.7.0 pandas==3.0.6",
}
_PEER = """\
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore {packages}
"""
_STARTS = 5


def main() -> None:
    """Build, measure, print, write."""
    commit = run("git", "rev-parse", "HEAD").strip()
    for name, options in IMAGES.items():
        print(f"docker build {' '.join(options)} -t {name} .", flush=True)
        run("docker", "build", "-q", "--build-arg", f"COMMIT={commit}", *options, "-t", name, ".")
    for name, packages in PEERS.items():
        print(f"pip install {packages}", flush=True)
        run("docker", "build", "-q", "-t", _tag(name), "-", stdin=_PEER.format(packages=packages))
    sizes = {name: _megabytes(name) for name in IMAGES}
    peers = {name: _megabytes(_tag(name)) for name in PEERS}
    seconds = statistics.median(_first_answer() for _ in range(_STARTS))
    results = {
        "machine": {"cores": os.cpu_count()},
        "megabytes": sizes,
        "megabytes_of_peers": peers,
        "seconds_to_first_answer": round(seconds, 2),
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, size in (sizes | peers).items():
        print(f"{name:26} {size:6,.0f} MB")
    print(f"docker run to the first prediction: {seconds:.2f} s (median of {_STARTS})")


def _tag(peer: str) -> str:
    return f"light-model-bench:{peer}"


def _megabytes(image: str) -> float:
    return round(int(run("docker", "image", "inspect", "-f", "{{.Size}}", image)) / 1e6)


def _first_answer() -> float:
    """Start the serving image, and return the seconds until its first prediction."""
    port = free_port()
    started = time.perf_counter()
    name = run("docker", "run", "-d", "-p", f"127.0.0.1:{port}:5001", "light-model").strip()
    try:
        address = f"http://127.0.0.1:{port}"
        while True:
            try:
                rows = requests.get(f"{address}/sample.csv", timeout=5)
                if rows.ok:
                    files = {"file": ("rows.csv", rows.content)}
                    requests.post(f"{address}/predict", files=files, timeout=5).raise_for_status()
                    return time.perf_counter() - started
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
    finally:
        subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)


if __name__ == "__main__":
    main()
