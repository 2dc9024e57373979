"""The Jenkins of deploy/jenkins, as far as its files can be checked without running it."""

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[2]
JENKINS = ROOT / "deploy" / "jenkins"
CHAIN = ["1-pull", "2-choose-runtime", "3-train", "4-tweak", "5-publish", "6-monitor"]
WATCH = "7-watch"
JOBS = ["light-model", *CHAIN, WATCH]
JENKINSFILES = [
    path for path in (ROOT / "Jenkinsfile", *sorted(JENKINS.glob("chain/*"))) if path.exists()
]
SCRIPTS = sorted(JENKINS.glob("*.sh"))

# The plugin that each step, section or option of a Jenkinsfile comes from.
PIPELINE = {
    "archiveArtifacts, booleanParam, buildDiscarder, choice, cron, disableConcurrentBuilds, echo, error",
    "expression, input, logRotator, pollSCM, script, sh, string, timeout, unstable, upstream",
}
DECLARATIVE = {
    "agent, allOf, always, anyOf, cleanup, environment, failure, not, options, parallel",
    "parallelsAlwaysFailFast, parameters, pipeline, post, stage, stages, steps, success, triggers",
    "unsuccessful, when",
}
PLUGIN_OF = {
    **dict.fromkeys(", ".join(PIPELINE).split(", "), "workflow-aggregator"),
    **dict.fromkeys(", ".join(DECLARATIVE).split(", "), "pipeline-model-definition"),
    **dict.fromkeys(["withCredentials", "usernamePassword", "credentials"], "credentials-binding"),
    "githubPush": "github",
    "junit": "junit",
    "timestamps": "timestamper",
    "cleanWs": "ws-cleanup",
}
# Plugins without a step: the jobs' SCM, and those that read casc.yaml and store its values.
BESIDE = {"git", "configuration-as-code", "plain-credentials"}
GROOVY = {"if", "else", "try", "catch", "for", "while", "switch"}


def groovy_of(path: Path) -> str:
    """Return a Jenkinsfile without its comments and the insides of its strings."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"'''.*?'''", "''", text, flags=re.DOTALL)
    text = re.sub(r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", "''", text)
    return re.sub(r"//.*", "", text)


def words_of(path: Path) -> set[str]:
    """Return the names that a Jenkinsfile calls, with round or curly brackets or a string behind them."""
    called = re.findall(r"(?<![\w.])([a-zA-Z]+) *(?:\(|\{|'')", groovy_of(path))
    named = re.findall(r"^ *([a-zA-Z]+) +[a-zA-Z]+:", groovy_of(path), re.MULTILINE)
    return {*called, *named} - GROOVY


def plugins() -> dict[str, str]:
    lines = (JENKINS / "plugins.txt").read_text(encoding="utf-8").splitlines()
    return {
        line.partition(":")[0]: line.partition(":")[2]
        for line in lines
        if line and not line.startswith("#")
    }


def names_in_braces(text: str) -> dict[str, bool]:
    """Return the variables that a text refers to, and whether they have a default."""
    variables = re.findall(r"\$\{([A-Z][A-Z0-9_]*)(:-[^}]*)?\}", text)
    return {name: bool(default) for name, default in variables}


def documented() -> dict[str, str]:
    lines = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def given_to_jenkins() -> set[str]:
    return {entry.partition("=")[0] for entry in compose()["services"]["jenkins"]["environment"]}


def casc() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((JENKINS / "casc.yaml").read_text(encoding="utf-8"))
    return loaded


def credential_ids() -> set[str]:
    parts = casc()["credentials"]["system"]["domainCredentials"]
    return {
        fields["id"] for part in parts for one in part["credentials"] for fields in one.values()
    }


def job(name: str) -> ElementTree.Element:
    return ElementTree.parse(JENKINS / "jobs" / name / "config.xml").getroot()


def test_there_is_a_job_for_each_jenkinsfile_and_no_other() -> None:
    assert sorted(path.name for path in (JENKINS / "jobs").iterdir()) == sorted(JOBS)
    wanted = {job(name).findtext("definition/scriptPath") for name in JOBS[1:]}
    assert wanted == {f"deploy/jenkins/chain/{name}.Jenkinsfile" for name in JOBS[1:]}
    assert wanted == {str(path.relative_to(ROOT)) for path in JENKINS.glob("chain/*")}
    assert job("light-model").findtext("definition/scriptPath") == "Jenkinsfile"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_builds_the_repository_and_branch_of_the_environment(name: str) -> None:
    scm = job(name).find("definition/scm")
    assert scm is not None
    assert scm.get("class") == "hudson.plugins.git.GitSCM"
    assert [url.text for url in scm.iter("url")] == ["${REPOSITORY_URL}"]
    assert [spec.text for spec in scm.iter("name")] == ["*/${REPOSITORY_BRANCH:-main}"]
    assert any(one.tag.endswith(".DisableConcurrentBuildsJobProperty") for one in job(name).iter())


@pytest.mark.parametrize("name", JOBS)
def test_what_a_job_wants_from_the_environment_is_given_to_jenkins(name: str) -> None:
    text = (JENKINS / "jobs" / name / "config.xml").read_text(encoding="utf-8")
    assert "REPOSITORY_URL" in names_in_braces(text)
    assert set(names_in_braces(text)) <= given_to_jenkins()


@pytest.mark.parametrize("name", ["light-model", "1-pull"])
def test_the_first_push_starts_a_job_and_polling_stands_in_for_a_lost_one(name: str) -> None:
    triggers = triggers_of(name)
    assert set(triggers) == {
        "com.cloudbees.jenkins.GitHubPushTrigger",
        "hudson.triggers.SCMTrigger",
    }
    text = groovy_of(ROOT / str(job(name).findtext("definition/scriptPath")))
    assert "githubPush()" in text
    assert "pollSCM(" in text


@pytest.mark.parametrize(("before", "name"), list(pairwise(CHAIN)))
def test_a_job_of_the_chain_starts_after_a_stable_one_before_it(before: str, name: str) -> None:
    trigger = triggers_of(name)["jenkins.triggers.ReverseBuildTrigger"]
    assert trigger.findtext("upstreamProjects") == before
    assert trigger.findtext("threshold/name") == "SUCCESS"
    assert trigger.findtext("threshold/ordinal") == "0"
    text = (JENKINS / "chain" / f"{name}.Jenkinsfile").read_text(encoding="utf-8")
    again = f"upstream(upstreamProjects: '{before}', threshold: hudson.model.Result.SUCCESS)"
    assert text.count("upstream(") == text.count(again) == 1
    others = {"hudson.triggers.TimerTrigger"} if name == "6-monitor" else set()
    assert set(triggers_of(name)) == {"jenkins.triggers.ReverseBuildTrigger", *others}
    assert ("cron(" in text) == bool(others)
    assert "githubPush" not in text
    assert "pollSCM" not in text


def triggers_of(name: str) -> dict[str, ElementTree.Element]:
    holders = [one for one in job(name).iter() if one.tag.endswith("PipelineTriggersJobProperty")]
    assert len(holders) == 1
    return {one.tag: one for one in holders[0].find("triggers") or ()}


def test_watching_has_a_schedule_of_its_own_and_is_off_at_first() -> None:
    assert set(triggers_of(WATCH)) == {"hudson.triggers.TimerTrigger"}
    spec = triggers_of(WATCH)["hudson.triggers.TimerTrigger"].findtext("spec")
    text = (JENKINS / "chain" / f"{WATCH}.Jenkinsfile").read_text(encoding="utf-8")
    assert f"cron('{spec}')" in text
    assert job(WATCH).findtext("disabled") == "${WATCH_DISABLED:-true}"


@pytest.mark.parametrize("file", ["Jenkinsfile", "deploy/jenkins/chain/3-train.Jenkinsfile"])
def test_what_can_be_started_from_outside_takes_a_reason(file: str) -> None:
    from lightmodel.watch.jenkins import PARAMETER

    text = (ROOT / file).read_text(encoding="utf-8")
    assert f"string(name: '{PARAMETER}'" in text


def test_one_of_pipeline_and_chain_is_on_at_first() -> None:
    assert job("light-model").findtext("disabled") == "${PIPELINE_DISABLED:-false}"
    assert {job(name).findtext("disabled") for name in CHAIN[:-1]} == {"${CHAIN_DISABLED:-true}"}
    assert job("6-monitor").findtext("disabled") == "false"


@pytest.mark.parametrize("path", JENKINSFILES, ids=lambda path: path.name)
def test_a_jenkinsfile_uses_no_plugin_that_the_image_lacks(path: Path) -> None:
    unknown = words_of(path) - set(PLUGIN_OF)
    assert not unknown, "which plugin are these from?"
    assert {PLUGIN_OF[word] for word in words_of(path)} <= set(plugins())


def test_the_image_has_no_plugin_that_nothing_uses() -> None:
    used = {PLUGIN_OF[word] for path in JENKINSFILES for word in words_of(path)}
    assert set(plugins()) == used | BESIDE


@pytest.mark.parametrize("path", JENKINSFILES, ids=lambda path: path.name)
def test_a_jenkinsfile_asks_for_credentials_that_the_configuration_has(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    asked = re.findall(r"credentialsId: '([^']+)'|credentials\('([^']+)'\)", text)
    assert {one or other for one, other in asked} <= credential_ids()


@pytest.mark.parametrize("path", JENKINSFILES, ids=lambda path: path.name)
def test_a_jenkinsfile_runs_scripts_that_are_there(path: Path) -> None:
    called = set(re.findall(r"deploy/jenkins/[\w-]+\.sh", path.read_text(encoding="utf-8")))
    assert called
    assert all((ROOT / name).is_file() for name in called)


def test_the_configuration_refers_to_documented_variables_that_jenkins_gets() -> None:
    names = names_in_braces((JENKINS / "casc.yaml").read_text(encoding="utf-8"))
    assert names
    assert set(names) <= set(documented()) & given_to_jenkins()


def test_what_has_no_default_is_asked_for_before_jenkins_starts() -> None:
    names = names_in_braces((JENKINS / "casc.yaml").read_text(encoding="utf-8"))
    needed = {name for name, default in names.items() if not default}
    asked = re.findall(
        r"^need (\w+)", (JENKINS / "start.sh").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {*needed, "REPOSITORY_URL"} == set(asked)


def test_nobody_gets_in_without_a_password_and_the_hook_needs_a_signature() -> None:
    settings = casc()
    assert settings["jenkins"]["crumbIssuer"] == "standard"
    assert settings["jenkins"]["securityRealm"]["local"]["allowsSignup"] is False
    strategy = settings["jenkins"]["authorizationStrategy"]
    assert strategy == {"loggedInUsersCanDoAnything": {"allowAnonymousRead": False}}
    hooks = settings["unclassified"]["gitHubPluginConfig"]["hookSecretConfigs"]
    assert [hook["credentialsId"] for hook in hooks] == ["github-hook-secret"]
    assert {hook["credentialsId"] for hook in hooks} <= credential_ids()
    assert "jobs" not in settings  # without Job DSL it would stop the start


START = JENKINS / "start.sh"
GOOD = {
    "REPOSITORY_URL": "https://example.org/a.git",
    "JENKINS_ADMIN_PASSWORD": "p",
    "GITHUB_HOOK_SECRET": "s",
}


def start(tmp_path: Path, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run start.sh with a fake Jenkins that prints its arguments."""
    fake = tmp_path / "jenkins.sh"
    fake.write_text('#!/bin/sh\necho "$CASC_STRICT_SECRET_RESOLUTION $*"\n')
    fake.chmod(0o755)
    script = tmp_path / "start.sh"
    script.write_text(
        START.read_text(encoding="utf-8").replace("/usr/local/bin/jenkins.sh", str(fake))
    )
    return subprocess.run(
        ["sh", str(script), "--httpPort=80"],
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": "tcp://127.0.0.1:9", **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_jenkins_is_not_started_while_something_is_missing_and_all_of_it_is_named(
    tmp_path: Path,
) -> None:
    done = start(tmp_path, {"GITHUB_HOOK_SECRET": "s", "JENKINS_ADMIN_PASSWORD": ""})
    assert done.returncode == 78
    assert done.stdout == ""
    assert "REPOSITORY_URL is not set" in done.stderr
    assert "JENKINS_ADMIN_PASSWORD is not set" in done.stderr
    assert "GITHUB_HOOK_SECRET" not in done.stderr


def test_jenkins_is_started_without_an_engine_but_not_without_a_word(tmp_path: Path) -> None:
    done = start(tmp_path, GOOD)
    assert done.returncode == 0
    assert done.stdout == "true --httpPort=80\n"
    assert "no Docker engine answers" in done.stderr
    assert "DOCKER_GID" in done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_plain_sh(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert not subprocess.run(["sh", "-n", str(path)], capture_output=True, check=True).stderr


@pytest.mark.shell
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_passes_shellcheck(path: Path) -> None:
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.shell
@pytest.mark.parametrize("path", [JENKINS / "Dockerfile"], ids=lambda path: path.parent.name)
def test_a_dockerfile_passes_hadolint(path: Path) -> None:
    tool = shutil.which("hadolint")
    assert tool
    done = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_has_todays_client_and_the_jobs_of_the_repository() -> None:
    text = (JENKINS / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^FROM jenkins/jenkins:lts-jdk21$", text, re.MULTILINE)
    for part in ("bin/docker", "libexec/docker/cli-plugins/docker-buildx"):
        assert f"COPY --from=docker /usr/local/{part} /usr/local/{part}" in text
    for name in re.findall(r"^COPY (?:--\S+ )?([\w.-]+(?: [\w.-]+)*)/? /", text, re.MULTILINE):
        assert all((JENKINS / part).exists() for part in name.split())


@pytest.mark.parametrize(
    "name", ["app", "console", "jenkins", "mlflow", "monitoring", "tune", "tunnel", "watch"]
)
def test_each_profile_is_there_and_every_service_has_one(name: str) -> None:
    services = compose()["services"]
    assert [key for key, service in services.items() if name in service["profiles"]]
    shared = {key for key, service in services.items() if len(service["profiles"]) != 1}
    assert shared == {"server", "proxy"}  # the console stands beside the service


def test_every_variable_of_compose_is_documented_and_no_other() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    passed_on = re.findall(r"^ +(?:- )?([A-Z][A-Z_]+):?(?: #.*)?$", text, re.MULTILINE)
    used = {*re.findall(r"\$\{([A-Z_]+)", text), *passed_on}
    assert used == set(documented())


def test_the_documented_defaults_are_those_of_compose() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]+)\}", text))
    assert len(defaults) > 5
    assert {name: documented()[name] for name in defaults} == defaults


def test_compose_gives_no_secret_a_value() -> None:
    given = documented()
    secret = [name for name in given if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name)]
    assert len(secret) >= 5
    assert not any(given[name] for name in secret)


def test_the_service_is_confined() -> None:
    for name in ("server", "proxy", "watch", "tuner"):
        service = compose()["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"] == ["/tmp"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.docker
@pytest.mark.parametrize("profile", ["app", "jenkins", "monitoring", "tune", "tunnel", "watch"])
@pytest.mark.parametrize("file", ["/dev/null", "deploy/env.example"])
def test_a_profile_is_clean_for_compose(profile: str, file: str) -> None:
    done = subprocess.run(
        ["docker", "compose", "--env-file", file, "--profile", profile, "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
