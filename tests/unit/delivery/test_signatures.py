"""Signatures of images: who may make them, and which are accepted."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from lightmodel.delivery.signatures import check_signature, sign
from lightmodel.errors import ArtefactCorrupt, ConfigError
from tests.fakes.engine import Engine, Image
from tests.fakes.signing import Keys, make_keys

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as DockersImage

DIGEST = f"sha256:{'1' * 64}"
PUSHED = {"RepoDigests": [f"registry.example/shop@{DIGEST}"]}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return make_keys(tmp_path)


def signed(image: Image, keys: Keys) -> list[str]:
    return sign(cast("DockersImage", image), "shop", keys.settings())


def checked(image: Image, keys: Keys, *signatures: str) -> str:
    engine = cast("DockerClient", Engine({"shop": image}))
    return check_signature(engine, "shop", keys.settings(*signatures))


def test_a_signed_image_is_accepted_and_known_by_its_id(keys: Keys) -> None:
    image = Image(b"{}", {})
    assert checked(image, keys, *signed(image, keys)) == image.id


def test_a_pushed_image_is_signed_by_its_digest_too_and_accepted_by_either(keys: Keys) -> None:
    image = Image(b"{}", {}, PUSHED)
    by_id, by_digest = signed(image, keys)
    for one in (by_id, by_digest):
        assert checked(image, keys, one) == image.id
    # Another engine may call the same image by another id, and knows the digest that it pulled.
    elsewhere = Image(b"{}", {}, PUSHED, content="stored otherwise")
    assert checked(elsewhere, keys, by_digest) == elsewhere.id


def test_one_valid_signature_among_others_is_enough(keys: Keys, tmp_path: Path) -> None:
    image, other = Image(b"{}", {}), Image(b"{}", {}, content="another")
    strangers = make_keys(tmp_path / "strangers")
    mixed = (*signed(other, keys), *signed(image, strangers), "no JSON", "3", *signed(image, keys))
    assert checked(image, keys, *mixed) == image.id


def changed(line: str, change: Callable[[dict[str, Any]], None]) -> str:
    """Return a signature whose document was changed after it had been signed."""
    signature = json.loads(line)
    document = json.loads(base64.b64decode(signature["Payload"]))
    change(document)
    signature["Payload"] = base64.b64encode(json.dumps(document).encode()).decode()
    return json.dumps(signature)


def test_no_other_signature_is_accepted(keys: Keys, tmp_path: Path) -> None:
    image, other = Image(b"{}", {}), Image(b"{}", {}, content="another")
    (line,) = signed(image, keys)
    (of_other,) = signed(other, keys)

    def name_this_image(document: dict[str, Any]) -> None:
        document["critical"]["image"]["docker-manifest-digest"] = image.id

    refused = {
        "none": [],
        "of another image": [of_other],
        "changed to name this one": [changed(of_other, name_this_image)],
        "by another key": signed(image, make_keys(tmp_path / "strangers")),
        "cut off": [line[:-20]],
        "no signature": ["{}"],
        "empty": [json.dumps({**json.loads(line), "Base64Signature": ""})],
    }
    for what, lines in refused.items():
        with pytest.raises(ArtefactCorrupt, match="no valid signature") as caught:
            checked(image, keys, *lines)
        assert "lightmodel sign" in caught.value.hint, what


@pytest.mark.parametrize(
    ("kind", "password"),
    [("plain", ""), ("locked", "secret"), ("cosign", "secret"), ("cosign", "")],
)
def test_keys_of_openssl_and_of_cosign_sign(tmp_path: Path, kind: str, password: str) -> None:
    keys, image = make_keys(tmp_path, kind, password), Image(b"{}", {})
    assert checked(image, keys, *signed(image, keys)) == image.id


@pytest.mark.parametrize("kind", ["plain", "locked", "cosign"])
@pytest.mark.parametrize("between", ["", " ", "\r\n"])
def test_a_key_that_has_lost_its_line_breaks_signs(tmp_path: Path, kind: str, between: str) -> None:
    keys, image = make_keys(tmp_path, kind, "secret" if kind != "plain" else ""), Image(b"{}", {})
    pasted = Keys(between.join(keys.private.splitlines()), keys.public, keys.password)
    assert checked(image, keys, *signed(image, pasted)) == image.id


@pytest.mark.parametrize("kind", ["locked", "cosign"])
def test_a_wrong_password_is_an_error_that_shows_nothing_of_the_key(
    tmp_path: Path, kind: str
) -> None:
    keys = make_keys(tmp_path, kind, "secret")
    for password in ("", "another"):
        with pytest.raises(ConfigError, match="signing_password is not its password") as caught:
            signed(Image(b"{}", {}), Keys(keys.private, keys.public, password))
        assert keys.private.splitlines()[1] not in f"{caught.value.message}{caught.value.hint}"
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----"])
def test_what_is_no_private_key_is_an_error(keys: Keys, text: str) -> None:
    with pytest.raises(ConfigError, match=r"deploy\.signing_key is no private key"):
        signed(Image(b"{}", {}), Keys(text, keys.public))


def test_without_a_private_key_nothing_is_signed(keys: Keys) -> None:
    settings = keys.settings().model_copy(update={"signing_key": None})
    with pytest.raises(ConfigError, match="without a private key") as caught:
        sign(cast("DockersImage", Image(b"{}", {})), "shop", settings)
    assert "LIGHTMODEL__DEPLOY__SIGNING_KEY" in caught.value.hint


def test_a_public_key_that_is_missing_or_none_is_an_error(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key", encoding="ascii")
    for name, problem in (("nowhere", "No such file"), ("text", "is no public key")):
        with pytest.raises(ConfigError, match=f"{name}: {problem}"):
            checked(Image(b"{}", {}), Keys(keys.private, tmp_path / name))


def test_a_missing_image_is_an_error(keys: Keys) -> None:
    with pytest.raises(ConfigError, match="there is no image"):
        check_signature(cast("DockerClient", Engine()), "shop", keys.settings())


def test_openssl_verifies_the_signature_as_well(keys: Keys, tmp_path: Path) -> None:
    program = shutil.which("openssl")
    assert program, "openssl is a part of every Linux that the tests run on"
    signature = json.loads(signed(Image(b"{}", {}), keys)[0])
    (tmp_path / "payload").write_bytes(base64.b64decode(signature["Payload"]))
    (tmp_path / "signature").write_bytes(base64.b64decode(signature["Base64Signature"]))
    words = ["dgst", "-sha256", "-verify", str(keys.public), "-signature", "signature", "payload"]
    done = subprocess.run(
        [program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "Verified OK\n")
