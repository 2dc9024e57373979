"""From a configuration to what retrains."""

import importlib.util
import sys
from pathlib import Path

from lightmodel.config import Config
from lightmodel.errors import NotPossible
from lightmodel.service.retraining.base import Retraining


def retraining_of(config: Config) -> Retraining:
    """Give the Jenkins job that is named, or else a process of this machine.

    Raises:
        NotPossible: this installation can only serve.
    """
    serve = config.serve
    if serve.jenkins_url:
        from lightmodel.service.retraining.jenkins import JenkinsRetraining

        token = serve.jenkins_token.get_secret_value() if serve.jenkins_token else ""
        return JenkinsRetraining(serve.jenkins_url, serve.jenkins_user, token)
    if any(importlib.util.find_spec(name) is None for name in ("pandas", "sklearn", "matplotlib")):
        raise NotPossible(
            "this installation serves and does not train",
            hint="set serve.jenkins_url to the job that trains",
        )
    from lightmodel.service.retraining.process import ProcessRetraining

    command = (sys.executable, "-m", "lightmodel", "run")
    return ProcessRetraining(Path(config.store.work) / "train", command)
