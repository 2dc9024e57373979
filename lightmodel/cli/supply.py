"""`python -m lightmodel sign` and `sbom`: say who built an image, and what it holds."""

from pathlib import Path

import click

from lightmodel.cli.common import NamedPath, configured
from lightmodel.config import Config
from lightmodel.delivery import engine
from lightmodel.delivery.image_contents import read_image
from lightmodel.delivery.sbom import bill_of_materials
from lightmodel.delivery.signatures import sign as signatures_of
from lightmodel.files import check_writable, write_atomic

_HINT = "`docker images` lists what there is"


@click.command()
@click.argument("image")
@configured
def sign(config: Config, image: str) -> None:
    """Sign an image of the Docker engine.

    Prints a signature for its id, and one for each digest in a registry, in cosign's format. The private
    key is LIGHTMODEL__DEPLOY__SIGNING_KEY; `deploy.require_signature` names the public one.
    """
    client = engine.connect()
    with engine.translate_docker_errors(f"cannot sign {image}"):
        resolved = engine.image_of(client, image, _HINT)
    click.echo("\n".join(signatures_of(resolved, image, config.deploy)))


@click.command()
@click.argument("image")
@click.option(
    "--output",
    type=NamedPath(dir_okay=False, path_type=Path),
    help="File to write; by default it is printed.",
)
@configured
def sbom(config: Config, image: str, output: Path | None) -> None:
    """Write an image's bill of materials (CycloneDX).

    It lists the packages of Python and of Debian, and the model. It is read from the Docker engine without
    running the image, and is the same whenever it is made.
    """
    del config  # it is loaded so that mistakes in it are reported as by every command
    if output:
        check_writable(output)
    client = engine.connect()
    with engine.translate_docker_errors(f"cannot read {image}"):
        contents = read_image(client, engine.image_of(client, image, _HINT))
    bill = bill_of_materials(contents)
    if output:
        write_atomic(output, bill.encode())
        click.echo(
            f"{image}: {len(contents.packages)} packages of Python, {len(contents.debian)} of "
            f"Debian, {len(contents.models)} models: {output}"
        )
    else:
        click.echo(bill, nl=False)
