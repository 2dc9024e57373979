"""Objects in S3, and in whatever speaks its protocol, by s3fs.

Endpoint, region and credentials come from where AWS's libraries look: AWS_ENDPOINT_URL, AWS_PROFILE,
AWS_ACCESS_KEY_ID, the machine's role.
"""

import errno
import logging
from typing import Any

from lightmodel.errors import ConfigError
from lightmodel.sources.download import Transient
from lightmodel.sources.object_store import ObjectStore, Refused

_LASTING = frozenset({errno.EINVAL, errno.EPERM, errno.ENAMETOOLONG, errno.ENOSYS})


class S3Store(ObjectStore):
    """Objects in S3; see `ObjectStore`."""

    etag_key, modified_key = "ETag", "LastModified"

    def _connect(self) -> Any:  # noqa: ANN401 — fsspec has no types
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
            "retries": {"max_attempts": 1, "mode": "standard"},  # trying again is our own business
        }
        files = s3fs.S3FileSystem(config_kwargs=config, skip_instance_cache=True)
        files.retries = 1
        return files

    async def _list(self, files: Any, root: str) -> list[str]:  # noqa: ANN401 — fsspec has no types
        return list(await files._find(root))

    def _translated(self, error: Exception) -> Exception:
        from botocore import exceptions as boto

        lasting = isinstance(error, OSError) and error.errno in _LASTING
        if isinstance(error, PermissionError):
            return Refused(
                "S3 refuses access",
                "may these credentials read (s3:GetObject, s3:ListBucket) and, for a mirror, write "
                "(s3:PutObject)? have they expired?",
            )
        if isinstance(
            error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound
        ):
            return ConfigError(
                f"{self.shown}: no credentials for S3 were found",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; a public object "
                "also has an https:// address",
            )
        if isinstance(error, boto.ParamValidationError | boto.InvalidRegionError | ValueError):
            return ConfigError(
                f"{self.shown}: S3's library does not accept this ({type(error).__name__})",
                hint="check the address, AWS_REGION and AWS_ENDPOINT_URL",
            )
        if lasting:
            return Refused("S3 does not accept the request", "check the address and AWS_REGION")
        if isinstance(error, boto.BotoCoreError | boto.ClientError | OSError):
            return Transient(f"S3 did not answer as it should ({type(error).__name__})")
        return error
