"""A mirror in S3, and in whatever speaks its protocol."""

import contextlib
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.sources.s3_client import connect
from lightmodel.store.mirrors.base import Mirror
from lightmodel.store.mirrors.objects import Bucket, ObjectMirror


def open_s3(uri: str, timeout_s: float) -> Mirror:
    """Give the mirror at s3://bucket/prefix; it connects when it is first asked."""
    shown, root = redacted(uri), uri.partition("://")[2].rstrip("/")
    bucket = Bucket(
        cache(partial(connect, timeout_s)),
        _found,
        partial(_faults, shown),
        partial(_missing, shown),
    )
    return ObjectMirror(shown, root, bucket, timeout_s)


async def _found(files: Any, path: str) -> list[str]:  # noqa: ANN401 — fsspec has no types
    return list(await files._find(path))


def _missing(shown: str) -> ConfigError:
    return ConfigError(
        f"{shown}: there is no such bucket", hint="make it, or check store.mirrors letter by letter"
    )


@contextlib.contextmanager
def _faults(shown: str) -> Iterator[None]:
    """Translate what s3fs and botocore raise; see `Bucket`."""
    try:
        yield
    except (ConfigError, FileNotFoundError):
        raise
    except PermissionError as error:
        raise ConfigError(
            f"{shown}: S3 refuses access",
            hint="mirrors need s3:ListBucket, s3:GetObject and s3:PutObject; have the credentials "
            "expired?",
        ) from error
    except Exception as error:
        raise _translated(shown, error) from error


def _translated(shown: str, error: Exception) -> Exception:
    from botocore import exceptions as boto

    if isinstance(
        error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound
    ):
        return ConfigError(
            f"{shown}: no credentials for S3 were found",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        )
    if isinstance(error, boto.ParamValidationError | boto.InvalidRegionError | ValueError):
        return ConfigError(
            f"{shown}: S3's library does not accept this ({type(error).__name__})",
            hint="check store.mirrors, AWS_REGION and AWS_ENDPOINT_URL",
        )
    if isinstance(error, TimeoutError):
        return _unavailable(shown, "did not answer in time")
    if isinstance(error, boto.BotoCoreError | boto.ClientError | OSError):
        return _unavailable(shown, f"did not answer as it should ({type(error).__name__})")
    return error


def _unavailable(shown: str, what: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"{shown}: S3 {what}", hint="`python -m lightmodel models push` tries again"
    )
