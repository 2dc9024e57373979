"""The commands of the documentation succeed, its links are valid, its site asks no other host."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.fakes.waiting import running

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SMALL = "sklearn://breast_cancer"
# Pages whose `sh` blocks are executed in a copy of the project that has a model. What needs Docker, a
# terminal or labels that do not exist yet is a `console` block.
EXECUTED = (
    *("start.md", "your-table.md", "guide/training.md", "guide/search.md", "guide/tracking.md"),
    *("guide/serving.md", "guide/models.md"),
)
TRACKED = ("start.md", "guide/tracking.md")  # as for users; logging takes as long as a small run


def commands(page: Path) -> list[str]:
    return re.findall(
        r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"\w+:", target):
            yield target


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the repository with this Python environment and a small model."""
    folder = tmp_path_factory.mktemp("docs") / "light-model"
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in names.decode().split("\0")[:-1]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    command = [sys.executable, "run.py", "--set", f"data.source={SMALL}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def test_every_page_that_shows_commands_is_executed_or_shows_them_as_a_console() -> None:
    known = {DOCS / name for name in EXECUTED}
    assert all(commands(page) for page in known)
    assert {page for page in (DOCS / "guide").glob("*.md") if commands(page)} <= known


def test_links_lead_to_files_of_the_repository_though_only_the_site_has_generated_pages() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("model-development/*.md"), *DOCS.rglob("*.md")]
    found = [(page, target) for page in pages for target in links(page)]
    assert len(found) > 50
    assert [one for one in found if not (one[0].parent / one[1]).exists()] == []


def test_make_help_lines_up_what_the_targets_do() -> None:
    # Within another make, as in `make test`, make says which folder it enters.
    command = ["make", "--no-print-directory", "help"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = listed.stdout.splitlines()
    start = max(len(line.split()[1]) for line in lines) + len("  make   ")
    assert len(lines) > 20
    assert all(line[start - 1] == " " and line[start] != " " for line in lines)


@pytest.mark.docs
@pytest.mark.parametrize("name", EXECUTED)
def test_the_commands_of_a_page_succeed(name: str, clone: Path) -> None:
    port = str(free_port())
    environ = {**os.environ, "LIGHTMODEL__SERVE__PORT": port, "LIGHTMODEL__TRAIN__FOLDS": "2"}
    if name in TRACKED:
        del environ["LIGHTMODEL__TRACKING__URI"]
    if name != "your-table.md":  # which names its own tables
        environ["LIGHTMODEL__DATA__SOURCE"] = SMALL
    script = "\n".join(commands(DOCS / name)).replace("5001", port)
    log = clone.with_name(f"{Path(name).stem}.log")
    with log.open("w") as file:
        shell = ["bash", "-euxo", "pipefail", "-c", script]
        options = {"cwd": clone, "env": environ, "stdout": file, "stderr": file}
        # A session of its own, so that a service started in the background ends with it.
        with running(shell, start_new_session=True, **options) as process:
            code = process.wait(timeout=1200)
    assert code == 0, log.read_text(encoding="utf-8")[-3_000:]


@pytest.mark.docs
def test_the_site_is_built_strictly_and_asks_nothing_of_other_hosts(clone: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"],
        cwd=clone,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((clone / "var" / "site").rglob("*.html"))
    assert len(pages) > 40
    loaded = re.compile(
        r'(?:<script[^>]* src|<img[^>]* src|<link[^>]* rel="?stylesheet"?[^>]* href)="?(\w+:)?//'
    )
    assert [page.name for page in pages if loaded.search(page.read_text(encoding="utf-8"))] == []
