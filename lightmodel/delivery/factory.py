"""From a configuration to where images go."""

from collections.abc import Callable

from lightmodel.config import Config
from lightmodel.delivery.base import Deployment
from lightmodel.notify import open_notifier
from lightmodel.store.versions import models_of


def open_docker_host(config: Config, *, renew_proxy: bool = False) -> Deployment:
    """Return the service on the Docker host that DOCKER_HOST names.

    Raises:
        SourceUnavailable: no engine answers.
    """
    from lightmodel.delivery.docker_host import DockerHost
    from lightmodel.delivery.engine import connect

    return DockerHost(connect(), config.deploy, renew_proxy)


def open_app_service(config: Config) -> Deployment:
    """Return the web app at Azure that the settings name.

    Raises:
        ConfigError: a name is not set, or the SDK is not installed.
        SourceUnavailable: no engine answers, which holds the image.
    """
    from lightmodel.delivery.azure_app_service import AppService
    from lightmodel.delivery.azure_resources import open_account
    from lightmodel.delivery.engine import connect

    account = open_account(config.azure)
    return AppService(account, connect(), config.deploy)


def open_monitor(config: Config) -> Callable[[], str]:
    """Return what looks after the service once: it says what is wrong still, "" for nothing.

    Raises:
        SourceUnavailable: no engine answers.
    """
    from lightmodel.delivery.docker_host import DockerHost
    from lightmodel.delivery.engine import connect
    from lightmodel.delivery.monitor import Monitor

    host = DockerHost(connect(), config.deploy)
    memory = config.store.work / "monitor" / f"{config.deploy.name}.json"
    memory.parent.mkdir(parents=True, exist_ok=True)
    notifier = open_notifier(config.notify.channels, config.notify.timeout_s)
    return Monitor(host, notifier, memory).check


def smoke_test_service(config: Config, url: str, seconds: float) -> str:
    """Ask a service for the sample rows of the newest approved model here; give that model's name.

    Raises:
        DeployFailed: it does not become ready, serves another model, or scores otherwise.
        ArtefactMissing: no model here is approved.
    """
    from lightmodel.delivery.smoke_test import key_of, over_http, smoke_test, wait_until_ready
    from lightmodel.store.verdict import newest_approved

    manifest = newest_approved(models_of(config)).manifest
    ask = over_http(url.rstrip("/"), key_of(config.deploy))
    wait_until_ready(ask, seconds)
    smoke_test(ask, manifest)
    return manifest.version
