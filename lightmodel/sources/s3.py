"""Objects in S3, and in whatever speaks its protocol."""

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError, DataError
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import State
from lightmodel.sources.download import Backoff, Transient, bring
from lightmodel.sources.names import safe_name
from lightmodel.sources.object_store import (
    StoredObject,
    Unopened,
    path_in_store,
)
from lightmodel.sources.s3_client import connect

_LASTING = frozenset({errno.EINVAL, errno.EPERM, errno.ENAMETOOLONG, errno.ENOSYS})


@dataclass(frozen=True)
class S3:
    """The source of s3:// addresses."""

    backoff: Backoff = field(default_factory=Backoff)

    def fetch(self, uri: str, options: FetchOptions) -> Fetched:
        """Bring the object at `uri` here."""
        path = path_in_store(uri, "s3://bucket/folder/table.csv")
        remote = Unopened(partial(_stored_object, uri, path, options.timeout_s))
        return bring(remote, uri, options, self.backoff)


def _stored_object(uri: str, path: str, timeout_s: float) -> StoredObject:
    files = connect(timeout_s)

    def describe() -> State:
        with _faults(uri):
            info = files.info(path, refresh=True)
        if info["type"] == "directory":
            raise DataError(
                f"{redacted(uri)} is a folder, and a table is one object",
                hint="name the object in it",
            )
        name = safe_name(PurePosixPath(path).name)
        return State(name, int(info["size"]), str(info["ETag"]), str(info["LastModified"]))

    def read(start: int, end: int) -> bytes:
        with _faults(uri):
            return bytes(files.cat_file(path, start=start, end=end))

    return StoredObject(describe, read)


@contextlib.contextmanager
def _faults(uri: str) -> Iterator[None]:
    """Translate what s3fs and botocore raise; see `Remote`."""
    from botocore import exceptions as boto

    shown = redacted(uri)
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"{shown}: there is no such object", hint="check bucket and key letter by letter"
        ) from error
    except PermissionError as error:
        raise DataError(
            f"{shown}: S3 refuses access",
            hint="may these credentials read the object (s3:GetObject, s3:ListBucket)? have they expired?",
        ) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound) as error:
        raise ConfigError(
            f"{shown}: no credentials for S3 were found",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; a public object also "
            "has an https:// address",
        ) from error
    except (boto.ParamValidationError, boto.InvalidRegionError, ValueError) as error:
        raise ConfigError(
            f"{shown}: S3's library does not accept this ({type(error).__name__})",
            hint="check the address and AWS_REGION, AWS_ENDPOINT_URL",
        ) from error
    except (boto.BotoCoreError, boto.ClientError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _LASTING:
            raise DataError(
                f"{shown}: S3 does not accept the request", hint="check the address and AWS_REGION"
            ) from error
        raise Transient(f"S3 did not answer as it should ({type(error).__name__})") from error
