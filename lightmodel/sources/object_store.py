"""Objects in S3 and in Azure Storage: for tables to fetch, and for copies of models.

Endpoint, region and credentials come from where s3fs and AWS's libraries look (AWS_ENDPOINT_URL,
AWS_PROFILE, AWS_ACCESS_KEY_ID, the machine's role), and where adlfs looks:
AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with a key, a SAS token, a service
principal or the machine's identity.
"""

import contextlib
import errno
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError
from lightmodel.sources.cache import FileState, PartialFile, safe_name
from lightmodel.sources.download import Answer, TransientFailure

BLOCK_BYTES = 4 << 20
SLOW_BYTES_PER_S = 1 << 16
_PERMANENT = frozenset({errno.EINVAL, errno.EPERM, errno.ENAMETOOLONG, errno.ENOSYS})
_RETRIED_STATUS = frozenset({408, 429})

FileSystem = Any
"""One of fsspec's, which has no types."""


def open_store(uri: str, timeout_s: float) -> "ObjectStore":
    """Return the store of an address, s3:// or az://, without connecting to it."""
    kind = S3Store if uri.lower().startswith("s3:") else AzureStore
    return kind(redacted(uri), timeout_s)


class RequestRefused(Exception):
    """The store refuses a request, as not permitted or not valid; a retry will not help."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@dataclass
class ObjectStore(ABC):
    """Objects by path, such as `bucket/folder/table.csv`; the first call connects.

    Every call ends within `timeout_s` plus the time of the transfer. All but `open` raise
    FileNotFoundError where there is no such object or bucket, RequestRefused, TransientFailure, and
    ConfigError where credentials, settings or a library are missing. No message contains a secret.

    Attributes:
        safe_uri: the address, without secrets, for messages.
        timeout_s: seconds to wait for an answer.
    """

    safe_uri: str
    timeout_s: float
    _files: FileSystem = field(default=None, init=False)
    example: ClassVar[str]
    etag_key: ClassVar[str]
    modified_key: ClassVar[str]

    @contextlib.contextmanager
    def open(self, path: str, _: FileState | None, partial: PartialFile | None) -> Iterator[Answer]:
        """Request an object, or its rest; see `Remote`."""
        state = self._state(path)
        start = 0
        if partial is not None and state.is_same_as(partial.state):
            start = min(partial.size, state.size or 0)
        yield Answer(state, self._blocks(path, state, start), start)

    def _state(self, path: str) -> FileState:
        with self._translate_to_data_errors():
            return self.info(path)

    def _blocks(self, path: str, state: FileState, start: int) -> Iterator[bytes]:
        size = state.size or 0
        for offset in range(start, size, BLOCK_BYTES):
            with self._translate_to_data_errors():
                block = self.read(path, offset, min(offset + BLOCK_BYTES, size))
            yield block
        # each block was a separate request: were all of the same object?
        if not self._state(path).is_same_as(state):
            raise TransientFailure("the object was replaced while it was read")

    def listing(self, root: str) -> list[str]:
        """Return the paths of all objects below `root`, for a table; see `Remote`."""
        with self._translate_to_data_errors():
            return self.paths(root)

    @contextlib.contextmanager
    def _translate_to_data_errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise DataError(
                f"{self.safe_uri}: there is no such object", hint="check the spelling"
            ) from error
        except IsADirectoryError as error:
            raise DataError(
                f"{self.safe_uri} is a folder, not an object", hint="name the object in it"
            ) from error
        except RequestRefused as error:
            raise DataError(f"{self.safe_uri}: {error.reason}", hint=error.hint) from error

    def info(self, path: str) -> FileState:
        """Return the state of an object; raise IsADirectoryError for a folder."""
        info = self._call(lambda files: files._info(path, refresh=True))
        if info["type"] == "directory":
            raise IsADirectoryError(path)
        name = safe_name(PurePosixPath(path).name)
        etag, modified = str(info[self.etag_key]), str(info[self.modified_key])
        return FileState(name, int(info["size"]), etag, modified)

    def read(self, path: str, start: int, end: int) -> bytes:
        """Return an object's bytes from `start` to `end`."""
        return bytes(
            self._call(lambda files: files._cat_file(path, start=start, end=end), end - start)
        )

    def read_whole(self, path: str, size: int) -> bytes:
        """Return a whole object; its approximate `size` in bytes sets the time limit."""
        return bytes(self._call(lambda files: files._cat_file(path), size))

    def write(self, path: str, data: bytes) -> None:
        """Write an object, replacing any of the same path."""
        self._call(lambda files: files._pipe_file(path, data), len(data))

    def upload(self, path: str, file: Path) -> None:
        """Write an object of the content of a file, in parts; it appears when it is complete."""
        size = file.stat().st_size
        self._call(lambda files: files._put_file(str(file), path), size)

    def remove(self, path: str) -> None:
        """Remove an object."""
        self._call(lambda files: files._rm_file(path))

    def paths(self, root: str) -> list[str]:
        """Return the paths of all objects below `root`."""
        return list(self._call(lambda files: self._list(files, root)))

    def _call(self, operation: Callable[[FileSystem], Awaitable[Any]], size: int = 0) -> Any:  # noqa: ANN401 — what it returns
        """Run a coroutine with a time limit: those of the libraries are minutes, with retries."""
        try:
            if self._files is None:
                self._files = self._connect()
            from fsspec.asyn import sync

            limit_s = self.timeout_s + size / SLOW_BYTES_PER_S
            return sync(self._files.loop, operation, self._files, timeout=limit_s)
        except (FileNotFoundError, ConfigError):
            raise
        except Exception as error:
            raise self._translate(error) from error

    @abstractmethod
    def _connect(self) -> FileSystem:
        """Return fsspec's file system."""

    @abstractmethod
    async def _list(self, files: FileSystem, root: str) -> list[str]:
        """Return the paths below `root`."""

    @abstractmethod
    def _translate(self, error: Exception) -> Exception:
        """Translate an error of the store's library."""


class S3Store(ObjectStore):
    """Objects in S3 or a store with its protocol, by s3fs."""

    example = "s3://bucket/folder/table.csv"
    etag_key, modified_key = "ETag", "LastModified"

    def _connect(self) -> FileSystem:
        try:
            import s3fs
        except ImportError as error:
            raise ConfigError(
                "s3:// addresses need s3fs, which is not installed",
                hint="pip install -r requirements/s3.txt",
            ) from error
        for name in ("botocore", "aiobotocore"):  # they log where they found each setting
            logging.getLogger(name).setLevel(logging.WARNING)
        config = {
            "connect_timeout": self.timeout_s,
            "read_timeout": self.timeout_s,
            "retries": {"max_attempts": 1, "mode": "standard"},  # retries are the caller's
        }
        files = s3fs.S3FileSystem(config_kwargs=config, skip_instance_cache=True)
        files.retries = 1
        return files

    async def _list(self, files: FileSystem, root: str) -> list[str]:
        return list(await files._find(root))

    def _translate(self, error: Exception) -> Exception:
        from botocore import exceptions as boto

        if isinstance(error, PermissionError):
            return RequestRefused(
                "S3 refuses access",
                "may these credentials read (s3:GetObject, s3:ListBucket) and, for a mirror, write "
                "(s3:PutObject)? have they expired?",
            )
        if isinstance(
            error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound
        ):
            return ConfigError(
                f"{self.safe_uri}: no credentials for S3 were found",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; a public object "
                "also has an https:// address",
            )
        if isinstance(error, boto.ParamValidationError | boto.InvalidRegionError | ValueError):
            return ConfigError(
                f"{self.safe_uri}: the S3 library does not accept this ({type(error).__name__})",
                hint="check the address, AWS_REGION and AWS_ENDPOINT_URL",
            )
        if isinstance(error, OSError) and error.errno in _PERMANENT:
            return RequestRefused("S3 rejects the request", "check the address and AWS_REGION")
        if isinstance(error, boto.BotoCoreError | boto.ClientError | OSError):
            return TransientFailure(f"S3 did not answer as expected ({type(error).__name__})")
        return error


class AzureStore(ObjectStore):
    """Blobs in Azure Storage, by adlfs."""

    example = "az://container/folder/table.csv"
    etag_key, modified_key = "etag", "last_modified"

    def _connect(self) -> FileSystem:
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
            f"{self.safe_uri}: no account or no credentials for Azure Storage were found",
            hint="set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and a key, a SAS "
            "token or a service principal; AZURE_STORAGE_ANON=true for a public container",
        )

    async def _list(self, files: FileSystem, root: str) -> list[str]:
        """List blobs; the listing of adlfs takes a missing container for an empty one."""
        container, _, prefix = root.partition("/")
        begins = f"{prefix}/" if prefix else None
        async with files.service_client.get_container_client(container) as client:
            return [f"{container}/{blob.name}" async for blob in client.list_blobs(begins)]

    def _translate(self, error: Exception) -> Exception:
        from azure.core import exceptions as azure
        from azure.identity import CredentialUnavailableError

        if isinstance(error, azure.ResourceNotFoundError):
            return FileNotFoundError(self.safe_uri)
        if isinstance(error, CredentialUnavailableError):
            return self._no_credentials()
        if isinstance(error, azure.HttpResponseError):
            return _translate_status(error.status_code or 0)
        if isinstance(error, TimeoutError):
            return TransientFailure("Azure did not answer in time")
        if isinstance(error, azure.AzureError | OSError):
            return TransientFailure(f"Azure did not answer as expected ({type(error).__name__})")
        return error


def _translate_status(status: int) -> Exception:
    if status in _RETRIED_STATUS or status >= 500:
        return TransientFailure(f"Azure answered {status}")
    if status in {0, 401, 403, 409}:
        return RequestRefused(
            "Azure refuses access",
            "may these credentials read (Storage Blob Data Reader) and, for a mirror, write (… "
            "Contributor)? has the SAS expired?",
        )
    return RequestRefused(
        f"Azure rejects the request ({status})",
        "check the names of container and blob: az://container/folder/table.csv",
    )
