"""A workflow of GitHub Actions, run as its runner does it: the shell steps, their environment and outputs.

Actions are left out. An expression that this does not know is an error, never an empty value.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What needs no step here: the workspace is there, and nothing is kept or signed in to.
ACTIONS = {
    "actions/checkout",
    "actions/cache",
    "actions/upload-artifact",
    "actions/download-artifact",
    "aws-actions/configure-aws-credentials",
}
_EXPRESSION = re.compile(r"\$\{\{\s*([\w.]+)\s*\}\}")
_COMPARED = re.compile(r"([\w.]+) (==|!=) '([^']*)'")


@dataclass
class WorkflowRun:
    """A run of a workflow in a workspace.

    Attributes:
        file: the workflow.
        workspace: a clone of the repository.
        known: the values that expressions may name, such as "vars.DELIVER".
        environment: of all steps, before the workflow's own.
    """

    file: Path
    workspace: Path
    known: dict[str, str]
    environment: Mapping[str, str]

    def job(self, name: str) -> list[str]:
        """Run the steps of a job whose condition holds, and return their names.

        Raises:
            AssertionError: a step failed; its output is the message.
        """
        workflow: dict[Any, Any] = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        job = workflow["jobs"][name]
        assert self._holds(job["if"]), f"{name} does not run: {job['if']}"
        environment = {**self.environment, **self._env(workflow), **self._env(job)}
        done = []
        for step in job["steps"]:
            if "uses" in step:
                assert step["uses"].partition("@")[0] in ACTIONS, step["uses"]
            elif self._holds(step.get("if", "")):
                self._run(step, {**environment, **self._env(step)})
                done.append(step["name"])
        for key, value in job.get("outputs", {}).items():
            self.known[f"needs.{name}.outputs.{key}"] = self._value(value)
        return done

    def _run(self, step: dict[str, Any], environment: dict[str, str]) -> None:
        output = self.workspace / "var" / "github-output"
        output.parent.mkdir(exist_ok=True)
        output.write_text("", encoding="utf-8")
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=self.workspace,
            env={**environment, "GITHUB_OUTPUT": str(output)},
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == 0, (
            f"{step['name']}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        for line in output.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            self.known[f"steps.{step['id']}.outputs.{key}"] = value

    def _env(self, part: dict[Any, Any]) -> dict[str, str]:
        return {key: self._value(str(value)) for key, value in part.get("env", {}).items()}

    def _value(self, text: str) -> str:
        value = _EXPRESSION.sub(lambda found: self.known[found[1]], text)
        assert "${{" not in value, value
        return value

    def _holds(self, condition: str) -> bool:
        return all(self._part_holds(part.strip()) for part in condition.split("&&") if part)

    def _part_holds(self, part: str) -> bool:
        if part in {"always()", "failure()"}:
            return part == "always()"
        if re.fullmatch(r"!?[\w.]+", part):  # a boolean
            return (self.known[part.lstrip("!")] == "true") != part.startswith("!")
        compared = _COMPARED.fullmatch(part)
        assert compared, part
        return (self.known[compared[1]] == compared[3]) == (compared[2] == "==")


def runner_environment(folder: Path, **more: str) -> dict[str, str]:
    """Return what GitHub's runner gives its steps, with a Docker configuration of their own."""
    config = folder / "docker"
    config.mkdir(parents=True)
    inherited = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    if (inherited / "cli-plugins").exists():
        (config / "cli-plugins").symlink_to(inherited / "cli-plugins")
    kept = {
        name: os.environ[name] for name in ("HOME", "PATH", "DOCKER_HOST") if name in os.environ
    }
    return {**kept, "CI": "true", "DOCKER_CONFIG": str(config), **more}
