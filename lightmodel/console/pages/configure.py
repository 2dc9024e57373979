"""The page Configure: the settings as forms, the data source on trial, and what a change leads to."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from lightmodel.config.base import redacted_settings
from lightmodel.config.describe import SettingInfo, described, title_of
from lightmodel.config.load import SECTIONS, Loaded
from lightmodel.console.formatting import plain, plural
from lightmodel.console.project import receivers
from lightmodel.console.project.folder import can_train, open_project, sentence
from lightmodel.console.project.plan import show_plan
from lightmodel.console.project.settings_form import edits_of, forget_edits, show_setting
from lightmodel.console.project.source_trial import show_trial
from lightmodel.console.rights import may_change_project
from lightmodel.console.session import ConsoleSession
from lightmodel.errors import ConfigError, LightModelError

if TYPE_CHECKING:
    from lightmodel.config.edit import Edit

_COLUMNS = 2
_SAVED = "settings_saved"
_SHOWN = "settings_shown"  # the text of the file that the difference on the page is one to


def render(console: ConsoleSession) -> None:
    """Draw the page."""
    try:
        loaded = open_project()
    except LightModelError as error:
        st.info(plain(sentence(error)), icon=":material/folder_off:")
        return
    st.caption(plain(f"The settings of {loaded.file}, with what each comes from."))
    if console.state.pop(_SAVED, False):
        st.success("Saved. The page Train starts a run with these settings.")
    editable = may_change_project(console, loaded.config)
    settings, source, text = st.tabs(["Settings", "Data source", "The file"], key="configure")
    with settings:
        mistakes = _mistakes(console, loaded)
        _show_sections(console, loaded, mistakes, editable=editable)
        _show_pending(console, loaded, mistakes)
    with source:
        _show_source(console, loaded, editable=editable)
    with text:
        _show_file(loaded)


def _mistakes(console: ConsoleSession, loaded: Loaded) -> dict[str, str]:
    """Return the mistakes in the edits by setting; "" is one that is about none."""
    from lightmodel.config.edit import edit_values

    try:
        edit_values(loaded, edits_of(console.state))
    except ConfigError as error:
        return dict(error.mistakes) or {"": sentence(error)}
    return {}


def _show_sections(
    console: ConsoleSession, loaded: Loaded, mistakes: Mapping[str, str], *, editable: bool
) -> None:
    """Draw a section, or what a search finds in all of them; first what is mistaken elsewhere."""
    settings = list(described(loaded))
    left, right = st.columns(2)
    section = left.selectbox(
        "Section", [*SECTIONS], format_func=lambda name: f"{name}: {title_of(name)}", key="section"
    )
    words = right.text_input("Find a setting", placeholder="among all sections", key="find-setting")
    found = [one for one in settings if one.section == section]
    has_receivers = section == receivers.SECTION
    if words.strip():
        found = [one for one in settings if _matches(one, words)]
        has_receivers = receivers.matches(words)
        if not (found or has_receivers):
            st.caption("No setting has all of these words in its name or its explanation.")
    elsewhere = [one for one in settings if one.path in mistakes and one not in found]
    with st.container(border=True, key="card-settings"):
        if has_receivers:
            receivers.show_receivers(loaded)
        _show_settings(console, [*elsewhere, *found], section, mistakes, editable=editable)


def _show_settings(
    console: ConsoleSession,
    shown: Sequence[SettingInfo],
    section: str,
    mistakes: Mapping[str, str],
    *,
    editable: bool,
) -> None:
    """Draw settings side by side; those of another section say which."""
    for start in range(0, len(shown), _COLUMNS):
        row = shown[start : start + _COLUMNS]
        for place, one in zip(st.columns(_COLUMNS), row, strict=False):
            with place:
                if one.section != section:
                    st.caption(plain(f"[{one.section}]"))
                show_setting(console.state, one, mistakes.get(one.path, ""), editable=editable)


def _matches(setting: SettingInfo, words: str) -> bool:
    text = f"{setting.path} {setting.description}".lower()
    return all(word in text for word in words.lower().split())


def _show_pending(console: ConsoleSession, loaded: Loaded, mistakes: Mapping[str, str]) -> None:
    """Draw the edits that are not saved: the difference, what it leads to, and the button to save."""
    edits = edits_of(console.state)
    shown = console.state.pop(_SHOWN, None)
    if not edits:
        st.caption("Nothing is changed yet.")
        return
    st.subheader(f"{plural(len(edits), 'change')}, not saved", anchor=False)
    if mistakes:
        if general := mistakes.get(""):
            st.error(plain(general))
        named = [path for path in mistakes if path]
        if named:
            st.error(plain(f"{plural(len(named), 'setting')} to correct: {', '.join(named)}."))
        _show_forgetting(console)
        return
    from lightmodel.config.edit import edit_values

    edit = edit_values(loaded, edits)
    console.state[_SHOWN] = edit.before
    _show_edit(console, loaded, edit, is_known=edit.before == shown)


def _show_edit(console: ConsoleSession, loaded: Loaded, edit: "Edit", *, is_known: bool) -> None:
    """Draw a valid edit; `is_known` says whether the user has seen the file as it is now."""
    for path, origin in edit.overridden.items():
        st.warning(plain(f"{path} stays as it is: {origin} takes precedence over the file."))
    st.code(redacted_settings(edit.diff) or "no difference", language="diff")
    if can_train():
        show_plan(loaded.config, edit.config)
    with st.container(horizontal=True):
        is_pressed = st.button(
            "Save", type="primary", icon=":material/save:", disabled=not edit.diff
        )
        _show_forgetting(console)
    if is_pressed and is_known:
        _save(console, edit)
    elif is_pressed:
        text = (
            f"{edit.file.name} was changed meanwhile, so nothing was written. Above is the difference to "
            "the file as it is now: save it if you still want it."
        )
        st.warning(plain(text))


def _save(console: ConsoleSession, edit: "Edit") -> None:
    try:
        edit.save()
    except LightModelError as error:
        st.error(plain(sentence(error)))
        return
    forget_edits(console.state)
    console.state[_SAVED] = True
    st.rerun()


def _show_forgetting(console: ConsoleSession) -> None:
    st.button("Discard the changes", on_click=forget_edits, args=(console.state,))


def _show_source(console: ConsoleSession, loaded: Loaded, *, editable: bool) -> None:
    """Draw the trial of the source, with the edits that are not saved; it shows rows of the table."""
    from lightmodel.config.edit import edit_values

    if not editable:
        st.caption("Rows of the table are shown only to those who may change something.")
        return
    if not can_train():
        st.info(
            "Tables are read where models are trained: start the console in the project's environment "
            "(`make console`)."
        )
        return
    try:
        config = edit_values(loaded, edits_of(console.state)).config
    except ConfigError:
        st.warning("Correct the settings first.")
        return
    show_trial(console.state, config)


def _show_file(loaded: Loaded) -> None:
    from lightmodel.config.rewrite import read_text

    st.caption("What may be secret in an address is shown as ***.")
    text = redacted_settings(read_text(loaded.file))
    st.code(text or "# empty", language="toml", line_numbers=True)
