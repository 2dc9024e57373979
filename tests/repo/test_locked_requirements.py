"""Everything is installed from exact pins, each with the hashes of its files."""

import hashlib
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.fakes.project import ROOT
from tests.fakes.requirements import locked_files, pins_of


@pytest.mark.parametrize("file", locked_files(), ids=lambda file: file.stem)
def test_each_requirement_is_one_version_with_the_hashes_of_its_files(file: Path) -> None:
    pins = list(pins_of(file))
    assert pins
    for text, hashes in pins:
        assert [one.operator for one in Requirement(text).specifier] == ["=="], text
        assert hashes, text
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), text


def test_each_file_of_unlocked_requirements_is_locked_by_make() -> None:
    compiled = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nLOCKED :=")[2]
    names = {file.stem for file in (ROOT / "requirements").glob("*.in")} - {"core", "serve"}
    assert names <= set(re.findall(r"[\w-]+", compiled.splitlines()[0]))
    assert names == {file.stem for file in (ROOT / "requirements").glob("*.txt")}


def test_versions_agree_wherever_a_package_is_pinned_for_the_same_environment() -> None:
    core = {Requirement(text).name: text for text, _ in pins_of(ROOT / "requirements.txt")}
    apart = {
        "audit",
        "bench",
        "checkov",
        "evidently",
        "prefect",
        "quality",
    }  # in environments of their own
    for file in locked_files():
        for text, _ in pins_of(file):
            name = Requirement(text).name
            if file.stem not in apart and name in core:
                assert Requirement(text).specifier == Requirement(core[name]).specifier, file


@pytest.mark.parametrize("name", ["requirements.txt", "requirements/dev.txt"])
def test_a_package_is_locked_with_the_extras_that_others_ask_for(name: str) -> None:
    """Else pip, when it requires hashes, says of `package[extra]>=1` that it has no version.

    The package alone is another requirement for pip.
    """
    pins = [Requirement(text) for text, _ in pins_of(ROOT / name)]
    locked = {one.name: one for one in pins if one.extras}
    assert locked.keys() == {one.name for one in pins if not one.extras} & locked.keys()
    here = {one.metadata["Name"].lower(): one for one in metadata.distributions()}
    asked = [
        wanted
        for package in {one.name for one in pins} & here.keys()
        for text in here[package].requires or ()
        if (wanted := Requirement(text)).extras
        and wanted.name in {one.name for one in pins}
        and (wanted.marker is None or wanted.marker.evaluate({"extra": ""}))
    ]
    assert asked
    for wanted in asked:
        assert wanted.extras <= locked[wanted.name].extras, wanted


@pytest.mark.parametrize("name", ["Dockerfile", "Makefile", ".ci/common.sh", ".ci/parts/services"])
def test_what_installs_a_file_of_requirements_says_that_hashes_are_required(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in re.split(r"\n|&&", text) if re.search(r"pip\b.*\binstall ", line)]
    assert installs
    for line in installs:
        assert "--require-hashes" in line, line


def wheel(folder: Path) -> Path:
    """Write an empty package as a wheel."""
    file = folder / "lm_tried-1.0-py3-none-any.whl"
    facts = "lm_tried-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            f"{facts}/METADATA", "Metadata-Version: 2.1\nName: lm-tried\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{facts}/RECORD", "")
    return file


def pip_takes(folder: Path, digest: str) -> tuple[bool, str]:
    """Let pip install the wheel of a folder by a locked file that holds this hash."""
    (folder / "locked.txt").write_text(f"lm-tried==1.0 --hash=sha256:{digest}\n", encoding="ascii")
    words = ["install", "--require-hashes", "--no-index", "--no-deps", "--no-cache-dir"]
    words += ["--find-links", str(folder), "--target", str(folder / "to"), "-r", "locked.txt"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode == 0, done.stderr


def test_a_file_whose_bytes_differ_is_not_installed(tmp_path: Path) -> None:
    file = wheel(tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert pip_takes(tmp_path, digest) == (True, "")
    file.write_bytes(file.read_bytes() + b"\0")
    taken, said = pip_takes(tmp_path, digest)
    assert not taken
    assert "DO NOT MATCH THE HASHES" in said
