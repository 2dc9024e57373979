"""Trainings as builds of a Jenkins job."""

from collections.abc import Iterator

import pytest

from lightmodel.errors import AlreadyRunning, SourceUnavailable
from lightmodel.watch.jenkins import JenkinsJobs
from tests.fakes.jenkins import FakeJenkins, jenkins


@pytest.fixture
def fake() -> Iterator[FakeJenkins]:
    with jenkins() as server:
        yield server


def jobs_of(fake: FakeJenkins, token: str = "token") -> JenkinsJobs:
    return JenkinsJobs(fake.url, "bot", token)


def test_a_job_with_parameters_receives_the_reason(fake: FakeJenkins) -> None:
    fake.parameters = ("FORCE", "REASON")
    job = jobs_of(fake).start("drift: age & more=x")
    assert (job.id, job.state, job.url) == ("7", "queued", fake.url)
    assert fake.given == {"REASON": "drift: age & more=x"}


@pytest.mark.parametrize("parameters", [(), ("FORCE",)])
def test_a_job_without_that_parameter_is_started_all_the_same(
    fake: FakeJenkins, parameters: tuple[str, ...]
) -> None:
    fake.parameters = parameters
    assert jobs_of(fake).start("drift").state == "queued"
    assert fake.given == {}


def test_the_last_build_is_the_latest_training(fake: FakeJenkins) -> None:
    jobs = jobs_of(fake)
    assert jobs.latest() is None
    fake.started = fake.building = True
    running = jobs.latest()
    assert running
    assert (running.state, running.is_under_way, running.ended) == ("running", True, None)
    with pytest.raises(AlreadyRunning, match="already running"):
        jobs.start("again")
    fake.building, fake.result = False, "FAILURE"
    failed = jobs.latest()
    assert failed
    assert (failed.state, failed.was_interrupted) == ("failed", False)
    assert (failed.last_time - failed.last_time.fromisoformat(failed.started)).seconds == 60


def test_a_jenkins_that_refuses_or_is_away_is_named_without_the_token(fake: FakeJenkins) -> None:
    with pytest.raises(
        SourceUnavailable, match="refused or did not answer: HTTPError 401"
    ) as refused:
        jobs_of(fake, "wr0ng").latest()
    assert "wr0ng" not in f"{refused.value}{refused.value.hint}"
    with pytest.raises(SourceUnavailable, match="ConnectionError"):
        JenkinsJobs("http://127.0.0.1:1/job/train", "bot", "token").start("")


@pytest.mark.parametrize("answer", [[], "a proxy's page", {"lastBuild": {"number": 1}}])
def test_an_answer_that_is_not_jenkins_is_an_error_with_a_hint(
    fake: FakeJenkins, answer: object
) -> None:
    fake.instead = answer
    with pytest.raises(SourceUnavailable, match="not one of Jenkins' API") as caught:
        jobs_of(fake).latest()
    assert "serve.jenkins_url" in caught.value.hint
    if not isinstance(answer, dict):
        with pytest.raises(SourceUnavailable):
            jobs_of(fake).find("7")
