"""`python -m lightmodel models` and `runtime`: manage model versions, and name their runtime."""

import functools
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lightmodel.cli.common import Command, NamedPath, configured, metric_text, settings
from lightmodel.config import Config, load
from lightmodel.errors import ArtefactMissing, ConfigError, LightModelError
from lightmodel.store.lock import run_lock
from lightmodel.store.versions import Store, Version, models_of, splits_of

if TYPE_CHECKING:  # listing versions needs no more than the store
    from lightmodel.store.verdict import Note


@click.group(invoke_without_command=True)
@click.pass_context
@configured
def models(context: click.Context, config: Config) -> None:
    """List, inspect, promote, roll back or mirror versions.

    Without a command, all versions are listed, newest first; an arrow marks the served one, and a plus sign
    a canary.
    """
    context.obj = config
    if context.invoked_subcommand is None:
        for line in _lines(models_of(config), config.serve.canary):
            click.echo(line)


def _lines(store: Store, canary_share: float) -> Iterator[str]:
    from lightmodel.store.canary import served_versions

    marks = dict[str, str]()
    with suppress(ArtefactMissing):
        served = served_versions(store, canary_share)
        marks = {served.canary.name if served.canary else "": "+", served.stable.name: "→"}
    lines = [
        f"{marks.get(name, ' ')} {name}  {status}"
        for name in store.names()
        if (status := _status_of(name, store))
    ]
    yield from lines or [f"no model in {store.folder}; `python run.py` trains one"]


def _status_of(name: str, store: Store) -> str:
    """Return the status of a version by its name; "" for one that is not finished."""
    try:
        return _status(store.open(name), store)
    except ArtefactMissing:
        return ""
    except LightModelError:
        return "damaged"


def _status(version: Version, store: Store) -> str:
    from lightmodel.store.status import tested

    status, verdict = tested(version, store)
    if verdict is None:
        return status
    return f"{status}  {verdict.metric} {metric_text(verdict.value)}  {verdict.reasons[0]}"


@models.command()
@click.argument("version", required=False)
@click.pass_obj
def show(config: Config, version: str | None) -> None:
    """Print the manifest and the columns of a version.

    VERSION may be a unique prefix of its name; the default is the newest version.
    """
    from lightmodel.contract.columns import Contract
    from lightmodel.contract.describe import describe

    store = models_of(config)
    chosen = store.get(version) if version else store.newest()
    manifest = json.loads(chosen.manifest.to_json())
    contract = manifest.pop("contract", None)
    click.echo(json.dumps(manifest, indent=1, ensure_ascii=False))
    click.echo(f"\nstatus: {_status(chosen, store)}")
    if contract:
        click.echo("\n".join(["", "columns:", *describe(Contract.from_dict(contract))]))


def noted(command: Command) -> Command:
    """Add --by and --why, which the command receives as `note`."""

    @click.option("--by", default="", metavar="NAME", help="Who does it, for the verdict.")
    @click.option("--why", default="", metavar="TEXT", help="Why it is done, for the verdict.")
    @functools.wraps(command)
    def with_note(*context: object, by: str, why: str, **arguments: object) -> object:
        from lightmodel.watch.verdicts import note_of

        return command(*context, note=note_of(by, why), **arguments)

    return with_note


@models.command()
@click.pass_obj
def verify(config: Config) -> None:
    """Check every file of every version against its manifest."""
    store = models_of(config)
    damaged: list[LightModelError] = []
    for version in store.versions():
        try:
            store.verify(version)
            click.echo(f"{version.name}  intact")
        except LightModelError as error:
            click.echo(f"{version.name}  {error.message}")
            damaged.append(error)
    if damaged:
        raise damaged[0]


@models.command()
@click.argument("version", required=False)
@click.option("--force", is_flag=True, help="Do so even if no approved model is left.")
@noted
@click.pass_obj
def rollback(config: Config, note: "Note", version: str | None, force: bool) -> None:
    """Withdraw a version; the one before it is served again.

    The default VERSION is the served one. Nothing is deleted, and `promote VERSION` undoes it.
    """
    from lightmodel.notify.notifier import open_notifier
    from lightmodel.watch.verdicts import roll_back

    notify = open_notifier(config).send_and_wait
    result = roll_back(config, version, notify, note, force=force)
    click.echo(f"withdrawn: {result.withdrawn}")
    click.echo(f"served now: {result.served or 'nothing'}")


@models.command()
@click.argument("version", required=False)
@noted
@click.pass_obj
def promote(config: Config, note: "Note", version: str | None) -> None:
    """Let a canary answer all, or take a rollback back.

    The default VERSION is the newest approved one. Without `serve.canary` it answers all anyway.
    """
    from lightmodel.notify.notifier import open_notifier
    from lightmodel.watch import verdicts

    promoted = verdicts.promote(config, version, open_notifier(config).send_and_wait, note)
    click.echo(f"promoted: {promoted}")


@models.command()
@click.argument("version", required=False)
@noted
@click.pass_obj
def retire(config: Config, note: "Note", version: str | None) -> None:
    """Remove old versions, never the served one.

    Without VERSION, the newest `store.keep` versions are kept. The verdict on VERSION is kept in
    model/retired/.
    """
    from lightmodel.store import admin
    from lightmodel.watch import verdicts

    if version:
        click.echo(f"removed: {verdicts.retire(config, version, note)}")
        return
    store = models_of(config)
    removed = admin.retire(store, config.store.keep)
    click.echo("\n".join(f"removed: {name}" for name in removed) or "nothing to remove")


@models.command()
@click.argument("folder", type=NamedPath(file_okay=False, path_type=Path))
@click.option(
    "--runtime",
    help="Fail if an image with this runtime cannot serve the model, and print it; auto: print the "
    "runtime that the model needs.",
)
@click.pass_obj
def pack(config: Config, folder: Path, runtime: str | None) -> None:
    """Copy the newest approved version into a folder.

    FOLDER then holds this version only, and a serving image is built from it.
    """
    from lightmodel.store import admin
    from lightmodel.store.verdict import newest_approved

    store = models_of(config)
    version = newest_approved(store)
    image = _image_runtime(version, runtime) if runtime else ""
    admin.pack(store, version, folder)
    click.echo(f"packed: {version.name}")
    if image:
        click.echo(f"runtime: {image}")


def _image_runtime(version: Version, asked: str) -> str:
    """Return the runtime of an image that serves a version.

    Raises:
        ConfigError: the runtime that was asked for does not serve it.
    """
    from lightmodel.scoring.model_store import serving_runtime
    from lightmodel.store.provenance import serves

    needed = serving_runtime(version)
    if asked != "auto" and not serves(asked, needed):
        raise ConfigError(
            f"{version.name} needs the runtime {needed}, and the image is built for {asked}",
            hint=f"docker build --build-arg RUNTIME={needed} …",
        )
    return needed if asked == "auto" else asked


@models.command()
@click.argument("file", type=NamedPath(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def adopt(config: Config, file: Path) -> None:
    """Publish a stray model file as a version.

    FILE is a model.joblib of this project whose folder was lost; `run testing` tests it on the newest
    split. Loading FILE runs the code in it: adopt only files that you trust.
    """
    from lightmodel.store import admin

    version = admin.adopt(models_of(config), splits_of(config), file)
    click.echo(f"adopted as {version.name}; `python run.py testing` decides whether it is served")


@models.command()
@click.pass_obj
def push(config: Config) -> None:
    """Copy approved versions to the mirrors.

    Each of store.mirrors receives the approved versions that it lacks, and the verdicts that changed.
    """
    from lightmodel.store import sync
    from lightmodel.store.mirrors import required_mirrors

    failures: list[LightModelError] = []
    for mirror in required_mirrors(config):
        try:
            pushed = sync.push(models_of(config), mirror)
        except LightModelError as error:
            click.echo(f"{mirror.uri}  failed: {error.message}")
            failures.append(error)
            continue
        for action, names in (("sent", pushed.versions), ("verdict sent", pushed.verdicts)):
            click.echo("".join(f"{mirror.uri}  {action}: {name}\n" for name in names), nl=False)
        if not (pushed.versions or pushed.verdicts):
            click.echo(f"{mirror.uri}  nothing to send")
    if failures:
        raise failures[0]


@models.command()
@click.argument("version", required=False)
@click.pass_obj
def pull(config: Config, version: str | None) -> None:
    """Copy a version back from a mirror.

    VERSION (default: the newest approved one) comes from the first of store.mirrors that has it.
    """
    from lightmodel.store.sync import pull_first
    from lightmodel.tracking.uploader import sync_aliases

    with run_lock(config.store.root):
        pulled = pull_first(config, version)
    for name in pulled.verdicts:
        click.echo(f"verdict updated: {name}")
    click.echo(f"{'pulled' if pulled.fetched else 'already here'}: {pulled.version}")
    if pulled.fetched or pulled.verdicts:
        sync_aliases(config)


@click.command()
@click.argument("file", required=False, type=NamedPath(exists=True, dir_okay=False, path_type=Path))
@settings
def runtime(file: Path | None, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Print the runtime that a model needs.

    A runtime is a set of libraries: compiled, lightgbm, sklearn, boosters or neural. It follows from the
    settings or, with a training FILE, from its imports.

    A serving image installs requirements/serve-RUNTIME.txt.
    """
    from lightmodel.pipeline.reuse import needed_runtime
    from lightmodel.store.provenance import runtime_of_source

    if file:
        click.echo(runtime_of_source(file.read_text(encoding="utf-8", errors="replace"), str(file)))
        return
    click.echo(needed_runtime(load(config_file, sets).config.train))
