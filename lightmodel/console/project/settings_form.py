"""The settings as forms: for each one what fits its type, its explanation, default and origin."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import streamlit as st

from lightmodel.config.base import redacted_settings
from lightmodel.config.describe import SettingInfo
from lightmodel.config.load import as_toml, variable_of
from lightmodel.console.formatting import html

_EDITS, _ROUND = "setting_edits", "setting_round"


def edits_of(state: MutableMapping[Any, Any]) -> dict[str, Any]:
    """Return the edits of this session that are not saved, by full name; None removes a setting."""
    edits: dict[str, Any] = state.setdefault(_EDITS, {})
    return edits


def forget_edits(state: MutableMapping[Any, Any]) -> None:
    """Forget all edits, and let the forms show what is in force."""
    state[_EDITS] = {}
    state[_ROUND] = state.get(_ROUND, 0) + 1


def show_setting(
    state: MutableMapping[Any, Any], setting: SettingInfo, mistake: str, *, editable: bool
) -> None:
    """Draw a setting, with its mistake if there is one."""
    with st.container(gap=None):
        if editable and not hides_secret(setting):
            _show_field(state, setting)
        else:
            st.html(_read_only(setting))
        st.html(_about(state, setting, mistake))
        differs = setting.origin.endswith(".toml") and setting.value != setting.default
        if editable and differs and setting.path not in edits_of(state):
            st.button(
                "Use the default",
                key=f"default-{setting.path}",
                type="tertiary",
                on_click=_reset,
                args=(state, setting.path),
            )


def hides_secret(setting: SettingInfo) -> bool:
    """Return whether a setting, or what its value holds in a URL, may not be shown."""
    text = shown_text(setting.value)
    return setting.kind == "secret" or redacted_settings(text) != text


def _read_only(setting: SettingInfo) -> str:
    """Return a setting and its value as HTML; a secret is only said to be set."""
    shown = redacted_settings(shown_text(setting.value)) or "not set"
    if setting.kind == "secret":
        shown = "set" if setting.value else "not set"
    return f'<p class="lm-setting">{html(setting.key)} <b>{html(shown)}</b></p>'


def _show_field(state: MutableMapping[Any, Any], setting: SettingInfo) -> None:
    key = f"set-{setting.path}-{state.get(_ROUND, 0)}"
    value = edits_of(state).get(setting.path, setting.value)
    if value is None and setting.path in edits_of(state):
        value = setting.default
    common: dict[str, Any] = {
        "key": key,
        "on_change": _take,
        "args": (state, setting, key),
    }
    if setting.kind == "boolean":
        st.toggle(setting.key, value=bool(value), **common)
    elif setting.kind == "choice":
        options = list(setting.choices)
        index = options.index(value) if value in options else None
        st.selectbox(setting.key, options, index=index, placeholder="not set", **common)
    else:  # numbers, too: a mistake is shown by the validation of the command line, beside the field
        st.text_input(setting.key, value=shown_text(value), placeholder="not set", **common)


def shown_text(value: object) -> str:
    """Return a value as it is written in a form; "" for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        from lightmodel.config.rewrite import toml_item

        return " ".join(str(toml_item(value).as_string()).split())
    return str(value)


def _take(state: MutableMapping[Any, Any], setting: SettingInfo, key: str) -> None:
    """Keep what the user has entered as an edit; what is in force already is none."""
    value = value_of(setting, state[key])
    edits = edits_of(state)
    edits.pop(setting.path, None)
    if value != setting.value:
        edits[setting.path] = value


def value_of(setting: SettingInfo, entered: Any) -> Any:  # noqa: ANN401 — of any setting
    """Return what a user has entered as a value of TOML's types; what does not fit stays a text."""
    if not isinstance(entered, str) or setting.kind in {"boolean", "choice"}:
        return entered
    text = entered.strip()
    if text == "" and (setting.optional or setting.kind != "text"):
        return None
    return text if setting.kind == "text" else as_toml(text)


def _reset(state: MutableMapping[Any, Any], path: str) -> None:
    edits_of(state)[path] = None
    state[_ROUND] = state.get(_ROUND, 0) + 1


def _about(state: MutableMapping[Any, Any], setting: SettingInfo, mistake: str) -> str:
    """Return explanation, range, default and origin of a setting as HTML, and its mistake."""
    parts = [bounds_text(setting.bounds)]
    if setting.kind == "secret":
        parts.append(f"from the environment: {variable_of(setting.section, setting.key)}")
    else:
        parts.append(f"default {shown_text(setting.default) or 'not set'}")
        if hides_secret(setting):
            parts.append("its secret is not shown, so it is edited in the file")
    if setting.origin != "default":
        parts.append(f"set in {setting.origin}")
    if setting.path in edits_of(state):
        parts.append("edited")
    wrong = f'<p class="lm-error" role="alert">{html(mistake)}</p>' if mistake else ""
    facts = html(", ".join(filter(None, parts)))
    return f'{wrong}<p class="lm-hint">{html(setting.description)} <b>({facts})</b></p>'


def bounds_text(bounds: Mapping[str, float]) -> str:
    """Return the range of a number, such as "2 to 100" or "more than 0"."""
    low = bounds.get("ge", bounds.get("gt"))
    high = bounds.get("le", bounds.get("lt"))
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}" if "ge" in bounds else f"more than {low:g}"
    if high is not None:
        return f"at most {high:g}" if "le" in bounds else f"less than {high:g}"
    return ""
