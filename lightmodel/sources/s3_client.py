"""Reaching S3, and whatever speaks its protocol, by s3fs.

Endpoint, region and credentials come from where AWS's libraries look: AWS_ENDPOINT_URL, AWS_PROFILE,
AWS_ACCESS_KEY_ID, the machine's role.
"""

import logging
from typing import Any

from lightmodel.errors import ConfigError


def connect(timeout_s: float) -> Any:  # noqa: ANN401 — fsspec has no types
    """Give s3fs' file system, which asks once and waits `timeout_s` for an answer."""
    try:
        import s3fs
    except ImportError as error:
        raise ConfigError(
            "s3:// addresses need s3fs, which is not installed",
            hint="pip install -r requirements/s3.txt",
        ) from error
    for name in ("botocore", "aiobotocore"):  # they tell where they found each setting
        logging.getLogger(name).setLevel(logging.WARNING)
    once = {"max_attempts": 1, "mode": "standard"}  # trying again is this project's own business
    timeouts = {"connect_timeout": timeout_s, "read_timeout": timeout_s, "retries": once}
    files = s3fs.S3FileSystem(config_kwargs=timeouts, skip_instance_cache=True)
    files.retries = 1
    return files
