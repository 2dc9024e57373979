"""The scripts of CI: every part is run by default and by the workflow."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PARTS = sorted(path.name for path in (ROOT / ".ci" / "parts").iterdir())
SCRIPTS = [
    *(ROOT / ".ci" / "parts").iterdir(),
    *(ROOT / ".ci").glob("*.sh"),
    ROOT / ".ci" / "run",
    ROOT / "deploy" / "healthy.sh",
]


def test_every_part_is_run_by_default() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    default = re.search(r"set -- (.+)$", text, re.MULTILINE)
    assert default
    assert sorted(re.split("[ ,+]", default[1])) == PARTS


def test_the_workflow_runs_the_parts_as_jobs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    jobs = workflow["jobs"]["parts"]["strategy"]["matrix"]["parts"]
    # The Jenkinsfile needs a runner that GitHub's machines do not have.
    assert sorted(re.split("[ ,+]", " ".join(jobs))) == [
        part for part in PARTS if part != "jenkinsfile"
    ]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [('tests="3" skipped="0"', 0), ('tests="3" skipped="1"', 1), ('tests="0" skipped="0"', 1)],
)
def test_a_skipped_test_and_no_test_are_errors(tmp_path: Path, attributes: str, code: int) -> None:
    (tmp_path / "a.xml").write_text(f"<testsuites><testsuite {attributes}/></testsuites>")
    script = [sys.executable, str(ROOT / ".ci" / "nothing_skipped.py")]
    done = subprocess.run([*script, "a.xml"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == code


TRACED = """
import sys
sys.path.append(sys.argv[1])
import untraced_imports

traced = set()

def trace(frame, event, argument):
    traced.add(frame.f_globals["__name__"])
    return trace

sys.settrace(trace)
import mine
sys.settrace(None)
print(traced & {"mine", "mine.after", "wave", "this"})
"""


def test_coverage_traces_own_modules_and_what_they_call_but_not_imports_of_libraries(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").mkdir()
    own = "import wave\nimport mine.after\n"
    (tmp_path / "mine" / "__init__.py").write_text(own)
    (tmp_path / "mine" / "after.py").write_text("import this\n")
    script = [sys.executable, "-c", TRACED, str(ROOT / ".ci")]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert eval(done.stdout.splitlines()[-1]) == {"mine", "mine.after"}


@pytest.mark.shell
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_pass_shellcheck(path: Path) -> None:
    command = ["shellcheck", "-x", "-P", "SCRIPTDIR", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
