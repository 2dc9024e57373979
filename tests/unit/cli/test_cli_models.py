"""The `models` commands list, inspect and change versions."""

import json
from pathlib import Path

import pytest

from lightmodel.contract.results import Verdict
from lightmodel.store import codec
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import write_verdict
from lightmodel.store.versions import Store, Version
from tests.fakes.command_line import CommandLine
from tests.fakes.project import Project
from tests.serve.conftest import trained_shop

__all__ = ["trained_shop"]

UNSIGNED = Signer(None)


def publish(*, passed: bool | None = True) -> Version:
    """Publish a model that was approved, rejected (False) or never tested (None)."""
    with Store(Path("model"), "model", UNSIGNED).draft() as draft:
        draft.write("model.joblib", codec.dump({"format": 1}))
        version = draft.publish(inputs={}, parameters={}, rows={}, fingerprint="")
    if passed is not None:
        verdict = Verdict(passed, "auc", 0.9, ("because",))
        write_verdict(version, verdict, b"<html>", UNSIGNED)
    return version


def test_the_list_marks_the_served_version(call: CommandLine) -> None:
    first, rejected, untested = publish(), publish(passed=False), publish(passed=None)
    ended = call("models")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"  {untested.name}  untested",
        f"  {rejected.name}  rejected  auc 0.9000  because",
        f"→ {first.name}  approved  auc 0.9000  because",
    ]


def test_a_version_is_shown_by_a_prefix_of_its_name(call: CommandLine) -> None:
    version = publish()
    ended = call("models", "show", version.name[:-2])
    manifest, _, status = ended.out.partition("\n\n")
    assert json.loads(manifest)["version"] == version.name
    assert status.startswith("status: approved")


def test_a_damaged_file_is_reported_and_exits_with_74(call: CommandLine) -> None:
    intact, damaged = publish(), publish()
    assert call("models", "verify").code == 0
    (damaged.folder / "model.joblib").write_bytes(b"x")
    ended = call("models", "verify")
    assert ended.code == 74
    assert f"{intact.name}  intact" in ended.out


@pytest.mark.parametrize("words", [(), ("named",)])
def test_rollback_withdraws_and_names_what_is_served_now(
    call: CommandLine, words: tuple[str, ...]
) -> None:
    before, withdrawn = publish(), publish()
    ended = call("models", "rollback", *(withdrawn.name for _ in words))
    assert ended.code == 0
    assert ended.out == f"withdrawn: {withdrawn.name}\nserved now: {before.name}\n"


def test_the_last_approved_model_is_withdrawn_only_with_force(call: CommandLine) -> None:
    publish()
    assert call("models", "rollback").code == 66
    assert call("models", "rollback", "--force").out.endswith("served now: nothing\n")


def test_retire_keeps_as_many_versions_as_store_keep(call: CommandLine) -> None:
    versions = [publish() for _ in range(3)]
    ended = call("models", "--set", "store.keep=2", "retire")
    assert ended.out == f"removed: {versions[0].name}\n"
    assert call("models", "--set", "store.keep=2", "retire").out == "nothing to remove\n"


def test_who_and_why_are_kept_and_a_rollback_is_taken_back(call: CommandLine) -> None:
    before, withdrawn = publish(), publish()
    note = ("--by", "Ada", "--why", "it fails\nfor tablets")
    assert call("models", "rollback", *note).code == 0
    assert "withdrawn by rollback by Ada: it fails for tablets" in call("models").out
    assert f"  {withdrawn.name}  withdrawn" in call("models").out
    assert call("models", "promote", withdrawn.name, "--why", "it was the network").code == 0
    assert f"→ {withdrawn.name}  approved  auc 0.9000  because" in call("models").out
    verdict = json.loads((withdrawn.folder / "verdict.json").read_bytes())
    assert [(one["action"], one["by"], one["why"]) for one in verdict["notes"]] == [
        ("withdrawn", "Ada", "it fails for tablets"),
        ("promoted", "", "it was the network"),
    ]
    assert call("models", "retire", withdrawn.name).code == 66
    assert call("models", "retire", before.name, *note).out == f"removed: {before.name}\n"
    kept = json.loads(Path("model", "retired", f"{before.name}.json").read_bytes())
    assert kept["notes"][-1]["action"] == "retired"
    assert not before.folder.exists()


def test_what_testing_rejected_is_not_promoted(call: CommandLine) -> None:
    publish()
    rejected = publish(passed=False)
    ended = call("models", "promote", rejected.name)
    assert ended.code == 66
    assert "is not approved" in ended.err


def test_a_store_that_cannot_be_written_to_says_so(call: CommandLine) -> None:
    publish()
    publish()
    Path("model", ".writable.part").mkdir()  # as without rights, whoever runs the tests
    ended = call("models", "rollback")
    assert ended.code == 78
    assert "cannot be changed from here" in ended.err


def test_the_runtime_of_a_training_file_follows_from_its_imports(call: CommandLine) -> None:
    Path("training.py").write_text("import sklearn.linear_model\n")
    assert call("runtime", "training.py").out == "sklearn\n"
    assert call("runtime").out == "lightgbm\n"


@pytest.mark.compiler
@pytest.mark.parametrize(
    ("asked", "image"), [("auto", "compiled"), ("lightgbm", "lightgbm"), ("sklearn", "sklearn")]
)
def test_pack_prints_the_runtime_of_the_image(
    trained_shop: Project, tmp_path: Path, asked: str, image: str
) -> None:
    done = trained_shop.tool("models", "pack", "--runtime", asked, str(tmp_path))
    (version,) = tmp_path.iterdir()
    assert done.out == f"packed: {version.name}\nruntime: {image}\n"


@pytest.mark.compiler
def test_pack_refuses_a_runtime_that_does_not_serve_the_model(
    trained_shop: Project, tmp_path: Path
) -> None:
    (tmp_path / "packed").mkdir()
    done = trained_shop.tool("models", "pack", "--runtime", "plain", str(tmp_path / "packed"))
    assert (done.code, done.out) == (78, "")
    assert not list((tmp_path / "packed").iterdir())
    assert "needs the runtime compiled, and the image is built for plain" in done.err
