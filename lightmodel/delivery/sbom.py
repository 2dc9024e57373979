"""A bill of materials (SBOM) of an image, in the format of CycloneDX."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from typing import TYPE_CHECKING

import lightmodel
from lightmodel.delivery.image_contents import ImageContents
from lightmodel.errors import ConfigError

if TYPE_CHECKING:  # imported when a bill is made
    from cyclonedx.model import HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

_LONGEST_LICENCE = 64  # a longer text is the licence itself, not its name
_OSI = "License :: OSI Approved :: "


def bill_of_materials(contents: ImageContents) -> str:
    """Return the bill of an image as JSON, always the same for the same image.

    Raises:
        ConfigError: the library that makes it is not installed.
    """
    try:
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    except ModuleNotFoundError:
        raise ConfigError(
            "a bill of materials needs cyclonedx-python-lib, which is not installed",
            hint="pip install -r requirements/sbom.txt",
        ) from None
    bill = make_outputter(_bill(contents), OutputFormat.JSON, SchemaVersion.V1_6)
    return bill.output_as_string(indent=1) + "\n"


def _bill(contents: ImageContents) -> "Bom":
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.tool import ToolRepository

    subject = _image(contents)
    components = {
        one.bom_ref.value: one
        for one in (
            *_python_packages(contents),
            *_debian_packages(contents),
            *_models(contents),
        )
    }
    metadata = BomMetaData(
        component=subject,
        tools=ToolRepository(components=[_tool()]),
        # The builder's time: a bill made tomorrow is the same.
        timestamp=datetime.fromisoformat(contents.created).astimezone(UTC),
    )
    bill = Bom(
        components=components.values(),
        metadata=metadata,
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, contents.id),
    )
    bill.register_dependency(subject, components.values())
    return bill


def _image(contents: ImageContents) -> "Component":
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    labels = contents.labels
    title = labels.get("org.opencontainers.image.title", "image")
    service = labels.get("light-model.service", "serve")
    return Component(
        name=title if service == "serve" else f"{title}-{service}",
        type=ComponentType.CONTAINER,
        version=labels.get("org.opencontainers.image.version") or contents.id,
        bom_ref=contents.id,
        hashes=[_sha256(contents.id.removeprefix("sha256:"))],
        properties=[
            Property(name="docker:image:id", value=contents.id),
            *(Property(name=f"docker:label:{key}", value=text) for key, text in labels.items()),
        ],
    )


def _tool() -> "Component":
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name="light-model",
        version=lightmodel.__version__,
        type=ComponentType.APPLICATION,
        bom_ref="tool:light-model",
    )


def _sha256(content: str) -> "HashType":
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=content)


def _python_packages(contents: ImageContents) -> Iterator["Component"]:
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    for package in contents.packages:
        name, version = str(package["Name"]), str(package["Version"])
        url = PackageURL("pypi", None, name.lower().replace("_", "-"), version)
        yield Component(
            name=name,
            version=version,
            bom_ref=url.to_string(),
            purl=url,
            description=package["Summary"],
            licenses=_licences(package),
        )


def _licences(package: Message) -> list["License"]:
    """Return the licence that a package declares: an expression, or the name that it gives."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.license import LicenseAcknowledgement

    classifiers = [str(one) for one in package.get_all("Classifier", [])]
    named = [one.removeprefix(_OSI) for one in classifiers if one.startswith(_OSI)]
    declared = [package["License-Expression"], package["License"], *named]
    for text in declared:
        if text and len(text) <= _LONGEST_LICENCE and "\n" not in text:
            factory = LicenseFactory()
            how = LicenseAcknowledgement.DECLARED
            return [factory.make_from_string(text, license_acknowledgement=how)]
    return []


def _debian_packages(contents: ImageContents) -> Iterator["Component"]:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    system, version = contents.system.get("ID", "debian"), contents.system.get("VERSION_ID", "")
    if contents.system:
        reference = f"operating-system:{system}-{version}"
        kind = ComponentType.OPERATING_SYSTEM
        yield Component(name=system, version=version, type=kind, bom_ref=reference)
    for package in contents.debian:
        name, release = str(package["Package"]), str(package["Version"])
        qualifiers = {"arch": str(package["Architecture"]), "distro": f"{system}-{version}"}
        url = PackageURL("deb", system, name, release, qualifiers)
        source = str(package["Source"] or name)
        yield Component(
            name=name,
            version=release,
            bom_ref=url.to_string(),
            purl=url,
            properties=[Property(name="debian:source", value=source)],
        )


def _models(contents: ImageContents) -> Iterator["Component"]:
    from cyclonedx.model.component import Component, ComponentType

    for version, digest in contents.models.items():
        yield Component(
            name="model",
            version=version,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f"model:{version}",
            hashes=[_sha256(digest)],
        )
