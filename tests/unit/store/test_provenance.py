"""What an artefact was made of, and what is said where that cannot be found out."""

from pathlib import Path

import pytest

from lightmodel.store.provenance import commit, fingerprint, what_changed


def test_a_fingerprint_names_the_part_that_changed() -> None:
    modules, libraries = ["lightmodel.store.provenance"], ["numpy"]
    one = fingerprint({"split": "a"}, {"folds": 3}, modules, libraries)
    assert fingerprint({"split": "a"}, {"folds": 3}, modules, libraries) == one
    other = fingerprint({"split": "a"}, {"folds": 4}, ["lightmodel.files"], libraries)
    assert what_changed(one, one) == "nothing"
    assert what_changed(one, other) == "parameters, code"


def test_what_a_module_imports_counts_as_its_code() -> None:
    importing = fingerprint({}, {}, ["lightmodel.store.versions"], [])
    with_imported = fingerprint({}, {}, ["lightmodel.store.versions", "lightmodel.files"], [])
    assert what_changed(importing, with_imported) == "nothing"


def git_that_says(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    git = Path("bin/git")
    git.parent.mkdir()
    git.write_text(f'#!/bin/sh\necho "{message}" >&2\nexit 128\n', encoding="utf-8")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent.absolute()}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("message", "warned"),
    [
        ("fatal: detected dubious ownership in repository at '/x'", True),
        ("fatal: not a git repository", False),
    ],
)
def test_where_git_refuses_a_folder_the_log_says_what_allows_it(
    message: str, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    git_that_says(message, monkeypatch)
    assert commit() is None
    assert ("safe.directory" in caplog.text) == warned
