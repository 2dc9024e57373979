"""A mirror in Azure Blob Storage."""

import contextlib
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.sources.azure_client import connect, no_credentials
from lightmodel.store.mirrors.base import Mirror
from lightmodel.store.mirrors.objects import Bucket, ObjectMirror

_REFUSED = frozenset({0, 401, 403})
_PASSING = frozenset({408, 429})


def open_azure_blob(uri: str, timeout_s: float) -> Mirror:
    """Give the mirror at az://container/prefix; it connects when it is first asked."""
    shown, root = redacted(uri), uri.partition("://")[2].rstrip("/")
    bucket = Bucket(
        cache(partial(connect, shown, timeout_s)),
        _found,
        partial(_faults, shown),
        partial(_missing, shown),
    )
    return ObjectMirror(shown, root, bucket, timeout_s)


async def _found(files: Any, path: str) -> list[str]:  # noqa: ANN401 — fsspec has no types
    """List blobs; adlfs' own listing takes a container that is not there for an empty one."""
    container, _, prefix = path.partition("/")
    begins = f"{prefix}/" if prefix else None
    async with files.service_client.get_container_client(container) as client:
        return [f"{container}/{blob.name}" async for blob in client.list_blobs(begins)]


def _missing(shown: str) -> ConfigError:
    return ConfigError(
        f"{shown}: there is no such container",
        hint="make it, or check store.mirrors letter by letter",
    )


@contextlib.contextmanager
def _faults(shown: str) -> Iterator[None]:
    """Translate what adlfs and the Azure libraries raise; see `Bucket`."""
    try:
        yield
    except (ConfigError, FileNotFoundError):
        raise
    except Exception as error:
        raise _translated(shown, error) from error


def _translated(shown: str, error: Exception) -> Exception:
    from azure.core import exceptions as azure
    from azure.identity import CredentialUnavailableError

    if isinstance(error, azure.ResourceNotFoundError):
        return FileNotFoundError(shown)
    if isinstance(error, CredentialUnavailableError):
        return no_credentials(shown)
    if isinstance(error, azure.HttpResponseError):
        return _response_error(shown, error.status_code or 0)
    if isinstance(error, TimeoutError):
        return _unavailable(shown, "did not answer in time")
    if isinstance(error, azure.AzureError | OSError):
        return _unavailable(shown, f"did not answer as it should ({type(error).__name__})")
    return error


def _response_error(shown: str, status: int) -> Exception:
    if status in _REFUSED:
        return ConfigError(
            f"{shown}: Azure refuses access",
            hint="mirrors need Storage Blob Data Contributor; has the SAS expired?",
        )
    if status in _PASSING or status >= 500:
        return _unavailable(shown, f"answered {status}")
    return ConfigError(
        f"{shown}: Azure does not accept the request ({status})",
        hint="check store.mirrors: az://container/prefix",
    )


def _unavailable(shown: str, what: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"{shown}: Azure {what}", hint="`python -m lightmodel models push` tries again"
    )
