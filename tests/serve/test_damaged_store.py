"""A store that cannot be read is 503 with the file's name, and is served once it is mended."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

from tests.fakes.project import Project
from tests.fakes.server import log_of, serving
from tests.fakes.waiting import wait_until


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def a_folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_file_instead(path: Path) -> None:
    remove(path)
    path.touch()


def remove(path: Path) -> None:
    if path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path)


DAMAGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("manifest.json", cut, "/manifest.json is not JSON"),
    ("manifest.json", a_folder_instead, "/manifest.json cannot be read: Is a directory"),
    ("manifest.json", Path.unlink, "/manifest.json is missing"),
    ("verdict.json", cut, "/verdict.json is not JSON"),
    ("verdict.json", a_folder_instead, "/verdict.json cannot be read: Is a directory"),
    ("report.html", a_folder_instead, "/report.html cannot be read: Is a directory"),
    ("report.html", Path.unlink, ": report.html is missing"),
    ("contract.json", cut, ": contract.json does not match the manifest"),
    ("contract.json", Path.unlink, ": contract.json is missing"),
    ("", a_file_instead, "/manifest.json is missing"),
    ("..", a_file_instead, "model cannot be read: Not a directory"),
]


def test_readiness_names_what_is_damaged_until_it_is_mended(approved: Project) -> None:
    store, intact = approved.folder / "model", approved.folder / "intact"
    (version,) = (folder.name for folder in approved.models())
    shutil.copytree(store, intact)
    settings = {"LIGHTMODEL__SERVE__WORKERS": "1", "LIGHTMODEL__SERVE__RELOAD_INTERVAL_S": "0.1"}
    shutil.rmtree(store)
    with serving(approved, **settings) as address:

        def names(reason: str) -> bool:
            answer = requests.get(f"{address}/ready", timeout=60)
            assert answer.status_code == 503
            assert answer.json()["hint"]
            assert str(approved.folder) not in answer.text
            told: str = answer.json()["detail"]
            return told.endswith(reason)

        for name, damage, reason in DAMAGES:
            damaged = approved.folder / "damaged"
            shutil.copytree(intact, damaged)
            damage((damaged / version / name).resolve())
            damaged.rename(store)
            where = "" if name == ".." else version  # and its name
            wait_until(partial(names, f"{where}{reason}"), reason)
            remove(store)
        intact.rename(store)
        wait_until(lambda: requests.get(f"{address}/ready", timeout=60).ok, "the mended model")
        assert "raceback" not in log_of(approved, address).read_text()


def test_the_list_of_models_shows_a_damaged_one_with_a_hint(approved: Project) -> None:
    (version,) = approved.models()
    cut(version / "manifest.json")
    listed = approved.tool("models")
    assert (listed.code, listed.out) == (0, f"  {version.name}  damaged\n")
    assert f"{version.name}/manifest.json is not JSON (restore the folder" in listed.err
    a_file_instead(approved.folder / "model")
    refused = approved.tool("models")
    assert (refused.code, refused.out) == (74, "")
    assert "error: model cannot be read: Not a directory" in refused.err
    assert "check who owns it" in refused.err
    assert "Traceback" not in refused.err + listed.err
