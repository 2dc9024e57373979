"""Describe every setting: its type, choices, range, default, present value and origin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from lightmodel.config.load import SECTIONS, TABLES, Loaded, is_secret

Kind = Literal["boolean", "integer", "number", "text", "choice", "toml", "secret"]

_BOUNDS = ("gt", "ge", "lt", "le")
_PLAIN: dict[object, Kind] = {bool: "boolean", int: "integer", float: "number", str: "text"}


@dataclass(frozen=True)
class SettingInfo:
    """One setting, described for a form.

    Attributes:
        section: name of its section.
        key: its name in the section.
        kind: what it takes; "toml" is a list or a table.
        description: what it does, in sentences.
        choices: all values that it takes, if they are few.
        bounds: of a number, by pydantic's names: gt, ge, lt, le.
        optional: whether it may be without a value.
        default: None stands for no value; of a required setting as well.
        value: the one in force; of a secret only whether it is set.
        origin: where that was set, "default" if nowhere.
    """

    section: str
    key: str
    kind: Kind
    description: str
    choices: tuple[Any, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=dict)
    optional: bool = False
    default: Any = None
    value: Any = None
    origin: str = "default"

    @property
    def path(self) -> str:
        """Its full name, such as `train.folds`."""
        return f"{self.section}.{self.key}"


def described(loaded: Loaded) -> Iterator[SettingInfo]:
    """Yield all settings, section by section, but for those that are tables of the file (`[[notify]]`)."""
    for name, section in SECTIONS.items():
        if name in TABLES:
            continue
        for key, info in section.model_fields.items():
            yield _described(name, key, info, loaded)


def title_of(section: str) -> str:
    """Return what a section is about, in a sentence."""
    return (SECTIONS[section].__doc__ or "").strip().partition("\n")[0]


def _described(section: str, key: str, info: FieldInfo, loaded: Loaded) -> SettingInfo:
    choices, optional = choices_of(info), type(None) in _members(info)
    return SettingInfo(
        section,
        key,
        _kind(info, choices),
        info.description or "",
        choices,
        bounds_of(info),
        optional,
        None if info.is_required() else _plain(info.get_default(call_default_factory=True)),
        _plain(getattr(getattr(loaded.config, section), key)),
        loaded.origins.get(f"{section}.{key}", "default"),
    )


def choices_of(info: FieldInfo) -> tuple[Any, ...]:
    """Return the values that a setting may have, if it is a choice; else none."""
    members = [one for one in _members(info) if one is not type(None)]
    if members and all(get_origin(one) is Literal for one in members):
        return tuple(choice for one in members for choice in get_args(one))
    return ()


def bounds_of(info: FieldInfo) -> dict[str, float]:
    """Return the bounds of a number, by pydantic's names."""
    return {
        kind: getattr(rule, kind)
        for rule in info.metadata
        for kind in _BOUNDS
        if hasattr(rule, kind)
    }


def _members(info: FieldInfo) -> tuple[object, ...]:
    """Return the types that a setting may have."""
    annotation: Any = info.annotation
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    is_union = get_origin(annotation) in {Union, UnionType}
    return get_args(annotation) if is_union else (annotation,)


def _kind(info: FieldInfo, choices: tuple[Any, ...]) -> Kind:
    if is_secret(info):
        return "secret"
    if choices:
        return "choice"
    members = [one for one in _members(info) if one is not type(None)]
    kinds = {_PLAIN.get(one, "toml") for one in members if one is not Path}
    if Path in members or all(get_origin(one) is Literal for one in members):
        return "text"
    return next(iter(kinds)) if len(kinds) == 1 else "toml"


def _plain(value: Any) -> Any:  # noqa: ANN401 — whatever a field may hold
    """Return a value in TOML's types; of a secret whether it is set."""
    if isinstance(value, SecretStr):
        return True
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value
