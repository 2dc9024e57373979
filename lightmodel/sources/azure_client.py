"""Reaching Azure Storage by adlfs.

Account and credentials come from where adlfs looks: AZURE_STORAGE_CONNECTION_STRING, or
AZURE_STORAGE_ACCOUNT_NAME with a key, a SAS token, a service principal or the machine's identity.
"""

import logging
from typing import Any

from lightmodel.errors import ConfigError


def connect(shown: str, timeout_s: float) -> Any:  # noqa: ANN401 — fsspec has no types
    """Give adlfs' file system for an address that is `shown` in errors."""
    try:
        import adlfs
    except ImportError as error:
        raise ConfigError(
            "az:// addresses need adlfs, which is not installed",
            hint="pip install -r requirements/azure.txt",
        ) from error
    for name in ("azure", "adlfs"):  # they tell of every header of every request
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return adlfs.AzureBlobFileSystem(
            connection_timeout=timeout_s, read_timeout=timeout_s, skip_instance_cache=True
        )
    except ValueError as error:
        raise no_credentials(shown) from error


def no_credentials(shown: str) -> ConfigError:
    """Give the error for an address without an account or credentials."""
    return ConfigError(
        f"{shown}: no account or no credentials for Azure Storage were found",
        hint="set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and a key, a SAS token "
        "or a service principal; AZURE_STORAGE_ANON=true for a public container",
    )
