"""`python -m lightmodel deploy`: bring an image into service."""

import click


@click.group()
def deploy() -> None:
    """Bring an image into service, or take it back."""
