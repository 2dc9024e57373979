"""Take the secrets out of an address before anybody sees it."""

import re

_USER = re.compile(r"(?<=://)[^/?#\s]+@")
_QUERY = re.compile(
    r"(?i)([?&](?:[\w-]*(?:sig|signature|token|key|secret|password|credential)[\w-]*)=)[^&\s'\"]+"
)


def redacted(text: str) -> str:
    """Give `text` with the user part and the signing parameters of every URL in it masked."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text))
