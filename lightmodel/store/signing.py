"""Signatures of manifests and verdicts."""

import hmac
from dataclasses import dataclass, field

from lightmodel.errors import ArtefactCorrupt


@dataclass(frozen=True)
class Signer:
    """Signs with a key, and then refuses what is not signed with it; without a key it does neither."""

    key: bytes | None = field(repr=False)

    def sign(self, data: bytes) -> str | None:
        """Give the HMAC-SHA256 of `data`, or None without a key."""
        return hmac.new(self.key, data, "sha256").hexdigest() if self.key else None

    def check(self, data: bytes, signature: str | None, name: str) -> None:
        """Compare in constant time.

        Raises:
            ArtefactCorrupt: there is a key, and the signature is absent or another.
        """
        expected = self.sign(data)
        if expected is None:
            return
        if not isinstance(signature, str):
            raise ArtefactCorrupt(
                f"{name} is not signed", hint="it was made without the signing key"
            )
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise ArtefactCorrupt(f"the signature of {name} does not hold")
