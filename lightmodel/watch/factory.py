"""Choose what starts trainings, as the configuration says."""

import importlib.util
import sys
from pathlib import Path

from lightmodel.config import Config
from lightmodel.errors import NotPossible
from lightmodel.watch.jenkins import JenkinsJobs
from lightmodel.watch.jobs import TrainingJobs
from lightmodel.watch.process import ProcessJobs


def training_jobs(config: Config) -> TrainingJobs:
    """Return builds of the Jenkins job of serve.jenkins_url, or else processes of this machine.

    Raises:
        NotPossible: this installation lacks the libraries for training.
    """
    serve = config.serve
    if serve.jenkins_url:
        token = serve.jenkins_token.get_secret_value() if serve.jenkins_token else ""
        return JenkinsJobs(serve.jenkins_url, serve.jenkins_user, token)
    return local_jobs(config)


def local_jobs(config: Config, *options: str) -> ProcessJobs:
    """Return trainings as processes of this machine; `options` are those of `run`.

    Raises:
        NotPossible: this installation lacks the libraries for training.
    """
    if any(importlib.util.find_spec(name) is None for name in ("pandas", "sklearn", "matplotlib")):
        raise NotPossible(
            "this installation can serve, but not train",
            hint="set serve.jenkins_url to a Jenkins job that trains",
        )
    command = (sys.executable, "-m", "lightmodel", "run", *options)
    return ProcessJobs(_folder(config), command, config.logs.keep)


def _folder(config: Config) -> Path:
    """Return the folder of the jobs; each store.root has its own."""
    root = config.store.root
    return (config.store.work if root.resolve() == Path.cwd() else root) / "train"
