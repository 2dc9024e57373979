"""From a configuration to the places where copies of models are kept."""

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from lightmodel.config import Config
from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, LightModelError
from lightmodel.sources.object_store import ObjectStore
from lightmodel.store.factory import models_of
from lightmodel.store.mirrors.base import Mirror, ObjectMirror
from lightmodel.store.mirrors.sync import Pulled, pull, push

logger = logging.getLogger(__name__)

IN_THE_CHAIN_S, ASKED_FOR_S = 5.0, 30.0  # a login by Azure's command line takes several seconds
LATER = "`python -m lightmodel models push` sends it later"


def mirrors_of(config: Config, timeout_s: float) -> list[Mirror]:
    """Return the mirrors that store.mirrors names; none is asked anything yet."""
    return [
        ObjectMirror(_store(uri, timeout_s), uri.partition("://")[2].rstrip("/"))
        for uri in config.store.mirrors
    ]


def _store(uri: str, timeout_s: float) -> ObjectStore:
    if uri.startswith("s3://"):
        from lightmodel.sources.s3 import S3Store

        return S3Store(redacted(uri), timeout_s)
    from lightmodel.sources.azure_blob import AzureStore

    return AzureStore(redacted(uri), timeout_s)


def named_mirrors(config: Config) -> list[Mirror]:
    """Return the mirrors, for who needs one.

    Raises:
        ConfigError: store.mirrors is empty.
    """
    if not config.store.mirrors:
        raise ConfigError(
            "no mirror is set",
            hint='[store] mirrors = ["s3://bucket/prefix"], or az://container/prefix',
        )
    return mirrors_of(config, ASKED_FOR_S)


def send(config: Config) -> None:
    """Send every mirror what it lacks; one that fails is a warning, for the work itself is done."""
    mirrors = mirrors_of(config, IN_THE_CHAIN_S)
    if not mirrors:
        return
    with ThreadPoolExecutor(len(mirrors), thread_name_prefix="mirror") as pool:
        for _ in pool.map(partial(_send, config), mirrors):
            pass


def _send(config: Config, mirror: Mirror) -> None:
    try:
        pushed = push(models_of(config), mirror)
    except LightModelError as error:
        logger.warning("not copied: %s; %s", error.message, error.hint or LATER)
    except Exception as error:  # noqa: BLE001 — whatever a cloud's library raises, the model is made
        logger.warning("not copied to %s: %s; %s", mirror.uri, type(error).__name__, LATER)
    else:
        for name in (*pushed.versions, *pushed.verdicts):
            logger.info("copied to %s: %s", mirror.uri, name)


def pull_first(config: Config, name: str | None) -> Pulled:
    """Bring a model here from the first mirror that has it.

    Raises:
        LightModelError: none does; the first one's reason.
    """
    failures: list[LightModelError] = []
    for mirror in named_mirrors(config):
        try:
            return pull(models_of(config), mirror, name)
        except LightModelError as error:
            logger.warning("%s", error.message)
            failures.append(error)
    raise failures[0]
