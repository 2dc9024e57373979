"""Signatures of images as cosign makes them: ECDSA over a document that names the digest of an image.

A signature is a line of JSON, as `cosign download signature` prints it. An image that was never pushed has
no digest in a registry. What is signed then is its id, which is a hash of its content as well.
"""

import base64
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightmodel.config import DeploySection
from lightmodel.delivery import engine
from lightmodel.errors import ArtefactCorrupt, ConfigError

if TYPE_CHECKING:  # imported when something is signed or checked
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from docker import DockerClient
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_TYPE = "cosign container image signature"
_COSIGN_KEYS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_KEY_BYTES = 32
_PEM = re.compile(r"\s*(-----BEGIN [A-Z ]+-----)([\w+/=\s]*)(-----END [A-Z ]+-----)\s*")
_MAX_COST = 2**20  # of scrypt: cosign takes 2**16, and more memory than this must not be asked for
_KEY_HINT = "`cosign generate-key-pair` or docs/guide/supply-chain.md makes a pair of keys"


def sign(image: "Image", name: str, settings: DeploySection) -> list[str]:
    """Return a signature for each digest of an image, which was called by this name.

    Raises:
        ConfigError: there is no key, or it is not one, or the password is wrong.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _private_key(settings)
    signatures = []
    for digest in digests_of(image):
        document = {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": digest},
                "type": _TYPE,
            },
            "optional": None,
        }
        payload = json.dumps(document, separators=(",", ":")).encode()
        signature = {
            "Base64Signature": _base64(key.sign(payload, ECDSA(SHA256()))),
            "Payload": _base64(payload),
        }
        signatures.append(json.dumps(signature))
    return signatures


def check_signature(client: "DockerClient", name: str, settings: DeploySection) -> str:
    """Return the id of an image that has a valid signature among `deploy.signatures`.

    Raises:
        ArtefactCorrupt: it has none.
        ConfigError: there is no such image, or the file of the public key is missing or invalid.
    """
    image = engine.image_of(client, name, "`docker images` lists what there is")
    signed = _signed_digests(settings.signatures, _public_key(settings.require_signature))
    if not signed.intersection(digests_of(image)):
        raise ArtefactCorrupt(
            f"{name} ({image.id}) has no valid signature by {settings.require_signature}; "
            "it is not deployed",
            hint="sign it (`python -m lightmodel sign`, stage `sign` of a build), and set "
            "LIGHTMODEL__DEPLOY__SIGNATURES to what that prints; docs/guide/supply-chain.md",
        )
    logger.info("%s is signed by %s", name, settings.require_signature)
    return str(image.id)


def digests_of(image: "Image") -> list[str]:
    """Return the id of an image, and its digests in registries, as far as the engine knows them."""
    references = image.attrs.get("RepoDigests") or []
    return list(dict.fromkeys([str(image.id), *(one.rpartition("@")[2] for one in references)]))


def _signed_digests(signatures: str, key: "EllipticCurvePublicKey") -> set[str]:
    """Return the digests for which there is a valid signature; others are left out."""
    digests = set()
    for line in signatures.splitlines():
        try:
            signature = json.loads(line)
            payload = base64.b64decode(signature["Payload"], validate=True)
            raw = base64.b64decode(signature["Base64Signature"], validate=True)
            if _is_valid(raw, payload, key):
                digests.add(_digest_in(json.loads(payload)))
        except (ValueError, TypeError, LookupError):
            logger.warning("a line of deploy.signatures is no signature")
    return digests


def _digest_in(document: dict[str, Any]) -> str:
    critical = document["critical"]
    if critical["type"] != _TYPE:
        raise ValueError("signed, but no image")
    return str(critical["image"]["docker-manifest-digest"])


def _is_valid(signature: bytes, payload: bytes, key: "EllipticCurvePublicKey") -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, payload, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _public_key(file: Path | None) -> "EllipticCurvePublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(Path(file or "").read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        reason = getattr(error, "strerror", None) or "is no public key"
        raise ConfigError(f"deploy.require_signature: {file}: {reason}", hint=_KEY_HINT) from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ConfigError(
            f"deploy.require_signature: {file} is no key of an elliptic curve", hint=_KEY_HINT
        )
    return key


def _private_key(settings: DeploySection) -> "EllipticCurvePrivateKey":
    """Return the private key: one of cosign's, or any that OpenSSL writes."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
    )

    if settings.signing_key is None:
        raise ConfigError(
            "no image can be signed without a private key",
            hint="set LIGHTMODEL__DEPLOY__SIGNING_KEY, or …_FILE to the path of the key",
        )
    text = _PEM.sub(_wrapped, settings.signing_key.get_secret_value())
    secret = settings.signing_password
    password = secret.get_secret_value().encode() if secret else b""
    try:
        if any(f"BEGIN {name}" in text for name in _COSIGN_KEYS):
            key = load_der_private_key(_decrypted(text, password), None)
        else:
            key = load_pem_private_key(text.encode(), password or None)
    except (ValueError, TypeError, LookupError, UnsupportedAlgorithm):
        # The library's own words may quote the key.
        raise ConfigError(
            "deploy.signing_key is no private key, or deploy.signing_password is not its password",
            hint=_KEY_HINT,
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ConfigError("deploy.signing_key is no key of an elliptic curve", hint=_KEY_HINT)
    return key


def _decrypted(text: str, password: bytes) -> bytes:
    """Return the content of cosign's own container of keys: scrypt, then NaCl's secret box.

    Raises:
        ValueError, LookupError: it is another one, or the password is wrong.
    """
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    content = json.loads(_pem_body(text))
    kdf, cipher = content["kdf"], content["cipher"]
    if (kdf["name"], cipher["name"]) != ("scrypt", "nacl/secretbox"):
        raise ValueError("another encryption")
    cost = kdf["params"]
    if cost["N"] > _MAX_COST:
        raise ValueError("more memory than is reasonable")
    salt = base64.b64decode(kdf["salt"])
    derived = Scrypt(salt, _KEY_BYTES, cost["N"], cost["r"], cost["p"]).derive(password)
    nonce, sealed = base64.b64decode(cipher["nonce"]), base64.b64decode(content["ciphertext"])
    try:
        return bytes(SecretBox(derived).decrypt(sealed, nonce))
    except CryptoError as error:
        raise ValueError("the password is wrong") from error


def _pem_body(text: str) -> bytes:
    """Return what stands between the first and the last line of a PEM file."""
    return base64.b64decode("".join(text.splitlines()[1:-1]), validate=True)


def _wrapped(pem: re.Match[str]) -> str:
    """Return a PEM file with its lines: a form on a page, such as Jenkins', takes none."""
    body = "".join(pem[2].split())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([pem[1], *lines, pem[3], ""])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
