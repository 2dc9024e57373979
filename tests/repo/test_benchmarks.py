"""The benchmark of a push follows the Jenkinsfile, and changes what a visitor sees."""

from pathlib import Path

from benchmarks.delivery import ROOT
from benchmarks.push import PAGE, steps_of


def test_the_page_that_it_changes_exists() -> None:
    assert "</body>" in (ROOT / PAGE).read_text(encoding="utf-8")


def test_it_runs_the_steps_of_a_good_push_to_a_docker_host() -> None:
    text = Path(ROOT, "Jenkinsfile").read_text(encoding="utf-8")
    assert [step.split(" ")[1:3] for step in steps_of(text, "bench-3")] == [
        ["deploy/jenkins/preflight.sh"],
        ["deploy/jenkins/checks.sh"],
        ["deploy/jenkins/build.sh"],
        *(["deploy/jenkins/stage.sh", "chain"] for _ in range(3)),
        ["deploy/jenkins/stage.sh", "package"],
        ["deploy/jenkins/smoke.sh", '"light-model:bench-3"'],
        ["deploy/jenkins/stage.sh", "tool"],
        ["deploy/jenkins/stage.sh", "forget"],
    ]
