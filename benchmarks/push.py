"""`make bench-push`: seconds from `git push` to the new version answering, with everything cached.

A push changes the page of the service, which is code outside the chain. An agent clones it and runs the
steps of the Jenkinsfile, in its order, the checks beside those that make the candidate; the peer is what
people do without it, in the same run: `docker build` (which trains in the image) and `docker run`, without
checks and with a gap.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import requests

from benchmarks.delivery import ROOT, deploy_settings, remove, run
from benchmarks.ports import free_port

RESULTS = ROOT / "benchmarks" / "results" / "push.json"
PAGE = Path("lightmodel") / "service" / "templates" / "base.html"
NAME = "light-model-bench-push"
STORE = "light-model-bench-store"
_LEFT_OUT = ("retry", "notify", "fetch", "clean", "azure", "aws", "needed", "sign", "sbom")
_STEP = re.compile(r"sh (?:deploy/jenkins/[^']+)(?=')")


def main() -> None:
    """Fill the caches by one push, measure further ones, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=3)
    pushes = parser.parse_args().pushes
    with tempfile.TemporaryDirectory(prefix="lmbench") as folder:
        bench = Bench(Path(folder))
        try:
            bench.push()
            bench.push_plainly()
            ours, plain = [], []
            for _ in range(pushes):
                ours.append(bench.push())
                plain.append(bench.push_plainly())
        finally:
            bench.end()
    results = {
        "machine": {"cores": os.cpu_count()},
        "light-model": round(statistics.median(one["answering"] for one in ours), 1),
        "docker build and docker run": round(statistics.median(plain), 1),
        "steps": {name: round(statistics.median(one[name] for one in ours), 1) for name in ours[0]},
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


class Bench:
    """A repository to push to, a developer's clone, and the services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        self.port, self.plain_port = free_port(), free_port()
        self.origin, self.clone = folder / "origin.git", folder / "clone"
        run("git", "clone", "-q", "--bare", str(ROOT), str(self.origin))
        run("git", "clone", "-q", str(self.origin), str(self.clone))

    def push(self) -> dict[str, float]:
        """Push a change, run Jenkins' steps, and return the seconds since the push by step."""
        before = run("git", "rev-parse", "HEAD", folder=self.clone).strip()
        mark, started = self._pushed(), time.perf_counter()
        workspace = self.folder / f"workspace-{self.number}"
        environment = {**self._environment(), "GIT_PREVIOUS_SUCCESSFUL_COMMIT": before}
        took: dict[str, float] = {}

        def step(command: str) -> None:
            began = time.perf_counter()
            run("sh", "-c", command, folder=workspace, **environment)
            took[command.split("/")[-1].split(" --image")[0].split(' "')[0]] = (
                time.perf_counter() - began
            )

        with Watch(self.port, mark) as watch, ThreadPoolExecutor(1) as beside:
            run("git", "clone", "-q", str(self.origin), str(workspace))
            preflight, checks, *candidate, deploy, tidy = steps_of(
                (workspace / "Jenkinsfile").read_text(encoding="utf-8"), f"bench-{self.number}"
            )
            step(preflight)
            checked = beside.submit(step, checks)
            for command in candidate:
                step(command)
            checked.result()
            step(deploy)
            step(tidy)
        return {**took, "answering": watch.seen_at - started}

    def push_plainly(self) -> float:
        """Push a change, build and run it, and return the seconds until it answers."""
        mark, started = self._pushed(), time.perf_counter()
        workspace, name = self.folder / f"plain-{self.number}", f"{NAME}-plain"
        with Watch(self.plain_port, mark) as watch:
            run("git", "clone", "-q", str(self.origin), str(workspace))
            run("docker", "build", "-q", "-t", name, ".", folder=workspace)
            subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
            run("docker", "run", "-d", "--name", name, "-p", f"{self.plain_port}:5001", name)
        return watch.seen_at - started

    def end(self) -> None:
        """Remove the services and images of the benchmark."""
        remove(NAME)
        subprocess.run(["docker", "rm", "-f", f"{NAME}-plain"], capture_output=True, check=False)
        subprocess.run(["docker", "volume", "rm", STORE], capture_output=True, check=False)
        for name in ("light-model", "light-model-pipeline", "light-model-packed"):
            for number in range(1, self.number + 1):
                tag = f"{name}:bench-{number}"
                subprocess.run(["docker", "rmi", tag], capture_output=True, check=False)

    def _pushed(self) -> str:
        self.number += 1
        mark = f"push number {self.number}"
        page = self.clone / PAGE
        text = re.sub(r"<!-- push number \d+ -->", "", page.read_text(encoding="utf-8"))
        page.write_text(text.replace("</body>", f"<!-- {mark} --></body>"), encoding="utf-8")
        author = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        run("git", *author, "commit", "-qam", mark, folder=self.clone)
        run("git", "push", "-q", folder=self.clone)
        return mark

    def _environment(self) -> dict[str, str]:
        return {
            **deploy_settings(NAME, self.port),
            "STORE_VOLUME": STORE,
            "JOB_BASE_NAME": NAME,
            "BUILD_NUMBER": str(self.number),
            "TAG": f"bench-{self.number}",
        }


def steps_of(jenkinsfile: str, tag: str) -> list[str]:
    """Return the shell steps of a Jenkinsfile that a good push to a Docker host runs, in their order."""
    steps = [
        step for step in _STEP.findall(jenkinsfile) if not any(word in step for word in _LEFT_OUT)
    ]
    return [step.replace("$TAG", tag) for step in steps]


class Watch:
    """Requests the page until the pushed one is answered; `seen_at` is the time of that answer."""

    def __init__(self, port: int, mark: str) -> None:
        self.url, self.mark, self.seen_at = f"http://127.0.0.1:{port}/", mark, 0.0
        self._seen = Event()

    def __enter__(self) -> "Watch":
        Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        if not any(error) and not self._seen.wait(60):
            raise SystemExit(f"{self.mark} never answered")
        self._seen.set()

    def _look(self) -> None:
        while not self._seen.is_set():
            try:
                if self.mark in requests.get(self.url, timeout=5).text:
                    self.seen_at = time.perf_counter()
                    self._seen.set()
            except requests.RequestException:
                pass
            time.sleep(0.1)


if __name__ == "__main__":
    main()
