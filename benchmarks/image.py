"""`make image`: build the images; print their sizes, and seconds from `docker run` to the first answer."""

import json
import os
import statistics
import subprocess
import time

import requests

from benchmarks.delivery import ROOT, free_port, run

RESULTS = ROOT / "benchmarks" / "results" / "image.json"
TARGETS = {"light-model-pipeline": "pipeline", "light-model": "serve", "light-model-proxy": "proxy"}
_STARTS = 5


def main() -> None:
    """Build, measure, print, write."""
    commit = run("git", "rev-parse", "HEAD").strip()
    for name, target in TARGETS.items():
        print(f"docker build --target {target} -t {name} .", flush=True)
        run(
            "docker",
            "build",
            "-q",
            "--build-arg",
            f"COMMIT={commit}",
            "--target",
            target,
            "-t",
            name,
            ".",
        )
    sizes = {name: _megabytes(name) for name in TARGETS}
    seconds = statistics.median(_first_answer() for _ in range(_STARTS))
    results = {
        "machine": {"cores": os.cpu_count()},
        "megabytes": sizes,
        "seconds_to_first_answer": round(seconds, 2),
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, size in sizes.items():
        print(f"{name:22} {size:6,.0f} MB")
    print(f"docker run to the first prediction: {seconds:.2f} s (median of {_STARTS})")


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
