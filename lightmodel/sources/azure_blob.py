"""Blobs in Azure Storage."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from lightmodel.config.redact import redacted
from lightmodel.errors import DataError
from lightmodel.sources.azure_client import connect, no_credentials
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import State
from lightmodel.sources.download import Backoff, Transient, bring
from lightmodel.sources.names import safe_name
from lightmodel.sources.object_store import (
    BLOCK_BYTES,
    StoredObject,
    Unopened,
    path_in_store,
)

_RETRIED = frozenset({408, 429})


@dataclass(frozen=True)
class AzureBlob:
    """The source of az:// addresses."""

    backoff: Backoff = field(default_factory=Backoff)

    def fetch(self, uri: str, options: FetchOptions) -> Fetched:
        """Bring the blob at `uri` here."""
        path = path_in_store(uri, "az://container/folder/table.csv")
        remote = Unopened(partial(_stored_object, uri, path, options.timeout_s))
        return bring(remote, uri, options, self.backoff)


def _stored_object(uri: str, path: str, timeout_s: float) -> StoredObject:
    files = connect(redacted(uri), timeout_s)

    def describe() -> State:
        with _faults(uri, timeout_s):
            info = _within(timeout_s, files, files._info, path, refresh=True)
        if info["type"] == "directory":
            raise DataError(
                f"{redacted(uri)} is a folder, and a table is one blob", hint="name the blob in it"
            )
        name = safe_name(PurePosixPath(path).name)
        return State(name, int(info["size"]), str(info["etag"]), str(info["last_modified"]))

    def read(start: int, end: int) -> bytes:
        with _faults(uri, timeout_s):
            limit_s = timeout_s * BLOCK_BYTES / (1 << 20)
            return bytes(_within(limit_s, files, files._cat_file, path, start=start, end=end))

    return StoredObject(describe, read)


def _within(limit_s: float, files: Any, call: Any, path: str, **arguments: Any) -> Any:  # noqa: ANN401 — fsspec has no types
    """Call adlfs with a limit: its own for one question is five minutes, retries included."""
    from fsspec.asyn import sync

    return sync(files.loop, call, path, timeout=limit_s, **arguments)


@contextlib.contextmanager
def _faults(uri: str, timeout_s: float) -> Iterator[None]:
    """Translate what adlfs and the Azure libraries raise; see `Remote`."""
    from azure.core import exceptions as azure
    from azure.identity import CredentialUnavailableError

    shown = redacted(uri)
    try:
        yield
    except (FileNotFoundError, azure.ResourceNotFoundError) as error:
        raise DataError(
            f"{shown}: there is no such blob", hint="check container and blob letter by letter"
        ) from error
    except CredentialUnavailableError as error:
        raise no_credentials(shown) from error
    except TimeoutError as error:
        raise Transient(f"Azure did not answer within {timeout_s:g} s") from error
    except azure.HttpResponseError as error:
        raise _response_error(shown, error.status_code or 0) from error
    except (azure.AzureError, OSError) as error:
        raise Transient(f"Azure did not answer as it should ({type(error).__name__})") from error


def _response_error(shown: str, status: int) -> Exception:
    if status in _RETRIED or status >= 500:
        return Transient(f"Azure answered {status}")
    if status in {0, 401, 403, 409}:
        return DataError(
            f"{shown}: Azure refuses access",
            hint="may these credentials read the blob (Storage Blob Data Reader)? has the SAS expired?",
        )
    return DataError(
        f"{shown}: Azure does not accept the request ({status})",
        hint="check the names of container and blob: az://container/folder/table.csv",
    )
