"""A checkout by Git for Windows, which writes CRLF, still has scripts that run."""

import subprocess
from pathlib import Path

from tests.fakes.project import ROOT

SCRIPTS = ["deploy/jenkins/stage.sh", "Dockerfile", "Makefile", "app.py", ".ci/run"]


def test_scripts_have_no_carriage_returns_even_with_autocrlf(tmp_path: Path) -> None:
    command = ["git", "-c", "core.autocrlf=true", "checkout-index", f"--prefix={tmp_path}/"]
    subprocess.run([*command, *SCRIPTS], cwd=ROOT, check=True)
    for name in SCRIPTS:
        content = (tmp_path / name).read_bytes()
        assert b"\n" in content
        assert b"\r" not in content, name
