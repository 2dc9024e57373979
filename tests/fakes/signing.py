"""Pairs of keys that sign images, and the settings that use them."""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from nacl.secret import SecretBox

from lightmodel.config import DeploySection


@dataclass(frozen=True)
class Keys:
    """A pair of keys.

    Attributes:
        private: the private key as PEM.
        public: file of the public one.
        password: of the private one; "" if it has none.
    """

    private: str
    public: Path
    password: str = ""

    def settings(self, *signatures: str) -> DeploySection:
        """Return settings that sign with this pair, and ask for its signature."""
        return DeploySection.model_validate(
            {
                "signing_key": self.private,
                "signing_password": self.password or None,
                "require_signature": self.public,
                "signatures": "\n".join(signatures),
            }
        )


def make_keys(folder: Path, kind: str = "plain", password: str = "") -> Keys:
    """Make a pair of keys: "plain" and "locked" as OpenSSL writes them, "cosign" as cosign does."""
    key = generate_private_key(SECP256R1())
    public = folder / "cosign.pub"
    folder.mkdir(exist_ok=True)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    private = _private_pem(key, kind, password)
    return Keys(private, public, password)


def _private_pem(key: EllipticCurvePrivateKey, kind: str, password: str) -> str:
    if kind == "cosign":
        return _cosign_pem(key, password)
    locked = BestAvailableEncryption(password.encode()) if kind == "locked" else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()


def _cosign_pem(key: EllipticCurvePrivateKey, password: str) -> str:
    content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, nonce = os.urandom(32), os.urandom(24)
    cost = {"N": 2**14, "r": 8, "p": 1}
    derived = Scrypt(salt, 32, cost["N"], cost["r"], cost["p"]).derive(password.encode())
    document = {
        "kdf": {"name": "scrypt", "params": cost, "salt": _base64(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _base64(nonce)},
        "ciphertext": _base64(SecretBox(derived).encrypt(content, nonce).ciphertext),
    }
    body = _base64(json.dumps(document).encode())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    name = "ENCRYPTED SIGSTORE PRIVATE KEY"
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
