"""Helpers of the deployment benchmarks: images, a command that must succeed."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FACTS = {"DOCKER_BUILDKIT": "1", "PYTHONPATH": str(ROOT)}


def run(*words: str, folder: Path = ROOT, stdin: str = "", **environ: str) -> str:
    """Run a command and return its output; if it fails, exit with that output."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **FACTS, **environ},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def deploy_settings(name: str, port: int) -> Mapping[str, str]:
    """Return the environment that names the benchmark's service."""
    prefix = "LIGHTMODEL__DEPLOY__"
    return {f"{prefix}NAME": name, f"{prefix}PORT": str(port), f"{prefix}WATCH_S": "2"}


def remove(name: str) -> None:
    """Remove the service that a benchmark started, by its name."""
    for kind in ("blue", "green", "proxy", "deploying"):
        subprocess.run(["docker", "rm", "-fv", f"{name}-{kind}"], capture_output=True, check=False)
    for part in ("live", "log"):
        subprocess.run(
            ["docker", "volume", "rm", f"{name}-{part}"], capture_output=True, check=False
        )
    subprocess.run(["docker", "network", "rm", name], capture_output=True, check=False)
    for tag in run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", name).split():
        subprocess.run(["docker", "rmi", tag], capture_output=True, check=False)
