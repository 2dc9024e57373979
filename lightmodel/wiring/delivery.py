"""From a configuration to where images go."""

from lightmodel.config import Config
from lightmodel.ports.deployment import Deployment


def docker_host_of(config: Config, *, renew_proxy: bool = False) -> Deployment:
    """Give the service on the Docker host that DOCKER_HOST names.

    Raises:
        SourceUnavailable: no engine answers.
    """
    from lightmodel.adapters.deploy.docker_host import DockerHost
    from lightmodel.adapters.deploy.engine import connect

    key = config.deploy.api_key.get_secret_value() if config.deploy.api_key else ""
    return DockerHost(connect(), config.deploy, key, renew_proxy)
