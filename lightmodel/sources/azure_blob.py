"""Blobs in Azure Storage, by adlfs.

Account and credentials come from where adlfs looks: AZURE_STORAGE_CONNECTION_STRING, or
AZURE_STORAGE_ACCOUNT_NAME with a key, a SAS token, a service principal or the machine's identity.
"""

import logging
from typing import Any

from lightmodel.errors import ConfigError
from lightmodel.sources.download import Transient
from lightmodel.sources.object_store import ObjectStore, Refused

_RETRIED = frozenset({408, 429})


class AzureStore(ObjectStore):
    """Blobs in Azure Storage; see `ObjectStore`."""

    etag_key, modified_key = "etag", "last_modified"

    def _connect(self) -> Any:  # noqa: ANN401 — fsspec has no types
        try:
            import adlfs
        except ImportError as error:
            raise ConfigError(
                "az:// addresses need adlfs, which is not installed",
                hint="pip install -r requirements/azure.txt",
            ) from error
        for name in ("azure", "adlfs"):  # they log every header of every request
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            return adlfs.AzureBlobFileSystem(
                connection_timeout=self.timeout_s,
                read_timeout=self.timeout_s,
                skip_instance_cache=True,
            )
        except ValueError as error:
            raise self._no_credentials() from error

    def _no_credentials(self) -> ConfigError:
        return ConfigError(
            f"{self.shown}: no account or no credentials for Azure Storage were found",
            hint="set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and a key, a SAS "
            "token or a service principal; AZURE_STORAGE_ANON=true for a public container",
        )

    async def _list(self, files: Any, root: str) -> list[str]:  # noqa: ANN401 — fsspec has no types
        """List blobs; adlfs' own listing takes a container that is not there for an empty one."""
        container, _, prefix = root.partition("/")
        begins = f"{prefix}/" if prefix else None
        async with files.service_client.get_container_client(container) as client:
            return [f"{container}/{blob.name}" async for blob in client.list_blobs(begins)]

    def _translated(self, error: Exception) -> Exception:
        from azure.core import exceptions as azure
        from azure.identity import CredentialUnavailableError

        if isinstance(error, azure.ResourceNotFoundError):
            return FileNotFoundError(self.shown)
        if isinstance(error, CredentialUnavailableError):
            return self._no_credentials()
        if isinstance(error, azure.HttpResponseError):
            return _translated_status(error.status_code or 0)
        if isinstance(error, TimeoutError):
            return Transient("Azure did not answer in time")
        if isinstance(error, azure.AzureError | OSError):
            return Transient(f"Azure did not answer as it should ({type(error).__name__})")
        return error


def _translated_status(status: int) -> Exception:
    if status in _RETRIED or status >= 500:
        return Transient(f"Azure answered {status}")
    if status in {0, 401, 403, 409}:
        return Refused(
            "Azure refuses access",
            "may these credentials read (Storage Blob Data Reader) and, for a mirror, write (… "
            "Contributor)? has the SAS expired?",
        )
    return Refused(
        f"Azure does not accept the request ({status})",
        "check the names of container and blob: az://container/folder/table.csv",
    )
