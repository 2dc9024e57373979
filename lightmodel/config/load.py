"""Read the settings: default < file < LIGHTMODEL__SECTION__KEY < --set section.key=value."""

import difflib
import json
import logging
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from lightmodel.config.base import RENAMED_SETTINGS, REPLACED_SETTINGS, Section, redacted
from lightmodel.config.console import ConsoleSection
from lightmodel.config.dask import DaskSection
from lightmodel.config.data import DataSection, SplitSection
from lightmodel.config.deployment import AwsSection, AzureSection, DeploySection, WebhookSection
from lightmodel.config.flows import FlowsSection
from lightmodel.config.mistakes import Mistake, Setting, config_error
from lightmodel.config.notification import NotifySection, Receiver
from lightmodel.config.serving import ServeSection
from lightmodel.config.storage import LogSection, LogsSection, StoreSection, TrackingSection
from lightmodel.config.streaming import StreamsSection
from lightmodel.config.training import GateSection, TrainSection, TuneSection
from lightmodel.config.watching import WatchSection

logger = logging.getLogger(__name__)

PREFIX = "LIGHTMODEL__"
FILE_VARIABLE = "LIGHTMODEL_CONFIG"  # names the settings file, like --config
FILE_SUFFIX = "_FILE"
BOM = "\ufeff"


class Config(Section):
    """The whole of config.toml; an empty file is valid."""

    data: DataSection = DataSection()
    split: SplitSection = SplitSection()
    train: TrainSection = TrainSection()
    tune: TuneSection = TuneSection()
    gate: GateSection = GateSection()
    dask: DaskSection = DaskSection()
    serve: ServeSection = ServeSection()
    console: ConsoleSection = ConsoleSection()
    log: LogSection = LogSection()
    logs: LogsSection = LogsSection()
    watch: WatchSection = WatchSection()
    flows: FlowsSection = FlowsSection()
    streams: StreamsSection = StreamsSection()
    store: StoreSection = StoreSection()
    tracking: TrackingSection = TrackingSection()
    deploy: DeploySection = DeploySection()
    azure: AzureSection = AzureSection()
    aws: AwsSection = AwsSection()
    notify: NotifySection = NotifySection()
    webhook: WebhookSection = WebhookSection()


SECTIONS = {
    name: cast("type[Section]", field.annotation) for name, field in Config.model_fields.items()
}
# section → the table [[section]] that stands for its setting "receivers" in a settings file
TABLES: dict[str, type[Section]] = {"notify": Receiver}


@dataclass(frozen=True)
class Loaded:
    """A valid configuration, the origin of each set value (`section.key` → origin), and its file."""

    config: Config
    origins: Mapping[str, str]
    file: Path

    def lines(self) -> Iterator[str]:
        """Yield each setting with its origin, as `--print-config` shows it; secrets are masked."""
        for name, section in self.config:
            yield f"[{name}]"
            for key, value in section:
                origin = self.origins.get(f"{name}.{key}", "default")
                yield f"{f'{key} = {_display(value)}':<48} # {origin}"
            yield ""


def _display(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if value is None:
        return "(not set)"
    if isinstance(value, tuple):
        return "[" + ", ".join(_display(item) for item in value) + "]"
    return f'"{redacted(str(value))}"' if isinstance(value, str | Path) else str(value)


def load(
    path: Path | None = None,
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    text: str | None = None,
) -> Loaded:
    """Return the configuration, merged from all origins.

    Args:
        path: the TOML file; None means the one that LIGHTMODEL_CONFIG names, else `config.toml` if it
            exists.
        sets: `section.key=value` strings of the command line; the last one wins.
        environ: replaces the environment of the process.
        text: replaces the content of the file.

    Raises:
        ConfigError: lists all mistakes together, with origin, key, value and what is allowed.
    """
    mistakes: list[Mistake] = []
    environment = os.environ if environ is None else environ
    given = path or environment.get(FILE_VARIABLE)
    file = Path(given or "config.toml")
    settings = [
        *(_from_file(file, text, mistakes) if given or text is not None or file.exists() else ()),
        *_from_environment(environment, mistakes),
        *_from_command_line(sets, mistakes),
    ]
    known = [setting for setting in settings if _is_known(setting, mistakes)]
    config = _validated(known, mistakes)
    if config is None or mistakes:
        raise config_error(mistakes)
    return Loaded(config, {setting.path: setting.origin for setting in known}, file)


def _from_file(file: Path, text: str | None, mistakes: list[Mistake]) -> Iterator[Setting]:
    try:
        if text is None:
            text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text.removeprefix(BOM))
    except OSError as error:
        mistakes.append(Mistake(str(file), f"cannot be read: {error.strerror or error}"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(Mistake(str(file), f"is not valid TOML: {error}"))
    else:
        yield from _from_tables(content, str(file), mistakes)


def _from_tables(
    content: dict[str, Any], origin: str, mistakes: list[Mistake]
) -> Iterator[Setting]:
    for section, content_of in content.items():
        is_list = section in TABLES and isinstance(content_of, list)
        table = {"receivers": content_of} if is_list else content_of
        if not isinstance(table, dict):
            problem = "must be in a section, such as [data]"
            mistakes.append(Mistake(f"{origin}: {section}", problem))
            continue
        for name, raw in table.items():
            key, value = _renamed(section, name, raw, origin)
            if is_secret(_field(section, key)):
                variable = variable_of(section, key)
                allowed = f"set {variable} or {variable}{FILE_SUFFIX}"
                problem = f"secrets are not allowed in a settings file; {allowed}"
                mistakes.append(_about(origin, section, key, problem))
            else:
                yield Setting(section, key, value, origin)
        if not table and section not in SECTIONS:
            problem = f"unknown section{_suggestion(section, Config)}"
            mistakes.append(Mistake(f"{origin}: [{section}]", problem))


def _from_environment(environ: Mapping[str, str], mistakes: list[Mistake]) -> Iterator[Setting]:
    if (port := environ.get("PORT", "")).isdecimal():  # as App Service, Cloud Run and Heroku set it
        yield Setting("serve", "port", port, "PORT")
    if environ.get("TEST_RUN", "").lower() in {
        "1",
        "true",
    }:  # as test beds of Lambda functions set it
        yield Setting("streams", "test_run", "true", "TEST_RUN")
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        key, value = _renamed(section, key, environ[name], name)
        secret_key = key.removesuffix(FILE_SUFFIX.lower())
        if secret_key != key and is_secret(_field(section, secret_key)):
            key = secret_key
            try:
                value = Path(value).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8 text"
                problem = f"the file that it names cannot be read: {reason}"
                mistakes.append(Mistake(name, problem, f"{section}.{key}"))
                continue
        yield Setting(section, key, _parsed(section, key, value), name)


def _from_command_line(sets: Sequence[str], mistakes: list[Mistake]) -> Iterator[Setting]:
    for item in sets:
        path, equals, value = item.partition("=")
        section, dot, key = path.strip().partition(".")
        key, value = _renamed(section, key, value, f"--set {path}")
        if not (equals and dot and key):
            mistakes.append(Mistake(f"--set {item}", "must be section.key=value"))
        elif is_secret(_field(section, key)):
            problem = (
                "secrets are not allowed on the command line, where others can read them; set "
                f"{variable_of(section, key)}"
            )
            mistakes.append(Mistake(f"--set {path}", problem, f"{section}.{key}"))
        else:
            yield Setting(section, key, _parsed(section, key, value), f"--set {path}")


def _renamed(section: str, key: str, value: Any, origin: str) -> tuple[str, Any]:  # noqa: ANN401 — as written
    """Return the current name of a setting, and its value in the current unit."""
    path = f"{section}.{key}"
    name = RENAMED_SETTINGS.get(path, "")
    if new := name or REPLACED_SETTINGS.get(path.removesuffix(FILE_SUFFIX.lower())):
        logger.warning(
            "%s: %s was renamed to %s; the old name is valid until release 0.2", origin, path, new
        )
    if not name:
        return key, value
    if path == "tune.keep_share":  # a share became a percentage
        with suppress(TypeError, ValueError):
            value = str(100 * float(value)) if isinstance(value, str) else 100 * value
    return name.removeprefix(f"{section}."), value


def _about(origin: str, section: str, key: str, problem: str) -> Mistake:
    path = f"{section}.{key}"
    return Mistake(f"{origin}: {path}", problem, path)


def variable_of(section: str, key: str) -> str:
    """Return the name of the environment's variable for a setting."""
    return f"{PREFIX}{section}__{key}".upper()


def _field(section: str, key: str) -> FieldInfo | None:
    return SECTIONS[section].model_fields.get(key) if section in SECTIONS else None


def is_secret(field: FieldInfo | None) -> bool:
    """Return whether a setting holds a secret, which no settings file may hold and no output shows."""
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _parsed(section: str, key: str, text: str) -> object:
    """Return a text of the environment or command line as a value for its field."""
    field = _field(section, key)
    if field is None or field.annotation is None:
        return text
    if text == "" and type(None) in get_args(field.annotation):
        return None
    if text[:1] in {'"', "'"}:  # quotes are TOML's, not part of the value
        return as_toml(text)
    try:
        TypeAdapter(field.annotation).validate_python(text)
    except ValidationError:
        return as_toml(text)
    return text


def as_toml(text: str) -> object:
    """Return a text parsed as TOML, else as JSON, else unchanged."""
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(f"value = {text}")["value"]
    with suppress(json.JSONDecodeError):
        return json.loads(text)
    return text


def _suggestion(word: str, model: type[BaseModel]) -> str:
    close = difflib.get_close_matches(word, model.model_fields, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(model.model_fields)}"


def _is_known(setting: Setting, mistakes: list[Mistake]) -> bool:
    model = SECTIONS.get(setting.section)
    if model is None:
        problem = f"unknown section {setting.section!r}{_suggestion(setting.section, Config)}"
    elif setting.key not in model.model_fields:
        problem = f"unknown key{_suggestion(setting.key, model)}"
    else:
        return True
    mistakes.append(Mistake(setting.place, problem, setting.path))
    return False


def _validated(settings: Sequence[Setting], mistakes: list[Mistake]) -> Config | None:
    tables: dict[str, dict[str, Any]] = {}
    for setting in settings:
        tables.setdefault(setting.section, {})[setting.key] = setting.value
    by_path = {setting.path: setting for setting in settings}
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        for detail in error.errors():
            path = ".".join(str(part) for part in detail["loc"][:2])
            message = detail["msg"].removeprefix("Value error, ")
            setting = by_path[path]
            field = _field(setting.section, setting.key)
            is_shown = field is not None and field.repr and not is_secret(field)
            value = f"found {redacted(repr(setting.value))}; " if is_shown else ""
            if setting.section in TABLES:
                places = (part + 1 if isinstance(part, int) else part for part in detail["loc"][2:])
                value += "".join(f"{place}: " for place in places)
            hint = ""
            if isinstance(setting.value, str) and detail["type"].endswith("_type"):
                hint = '; write it as TOML ({num_leaves = 31}, ["a", "b"]) or as JSON'
            problem = f"{value}{message[:1].lower()}{message[1:]}{hint}"
            mistakes.append(Mistake(setting.place, problem, setting.path))
    return None
