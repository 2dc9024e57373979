"""Trainings as builds of a Jenkins job, which holds their state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from lightmodel.errors import AlreadyRunning, SourceUnavailable
from lightmodel.watch.jobs import Job, State

if TYPE_CHECKING:  # it is only imported to call Jenkins
    import requests

PARAMETER = "REASON"

_STATE_OF_BUILD: dict[str | None, State] = {
    None: "running",
    "SUCCESS": "approved",
    "UNSTABLE": "rejected",
}
_TIMEOUT_S = 10
_BUILD = "number,url,timestamp,duration,building,result"
# By default Jenkins shows only number and URL of a build.
_JOB = f"inQueue,property[parameterDefinitions[name]],lastBuild[{_BUILD}]"


@contextmanager
def _understood() -> Iterator[None]:
    """Turn what an answer has that is not of Jenkins' API, as a proxy's page, into SourceUnavailable."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SourceUnavailable(
            f"an answer is not one of Jenkins' API: {type(error).__name__}",
            hint="check serve.jenkins_url, and what is between here and Jenkins",
        ) from error


@dataclass(frozen=True)
class JenkinsJobs:
    """Starts builds of the Jenkins job at `url` with a user's API token.

    A job that has the parameter REASON receives the reason in it.
    """

    url: str
    user: str
    token: str

    @_understood()
    def start(self, reason: str) -> Job:
        """Start a build; see `TrainingJobs`."""
        status = self._job()
        if status.get("inQueue") or (status.get("lastBuild") or {}).get("building"):
            raise AlreadyRunning("the Jenkins job is already running", hint=f"see {self.url}")
        names = _parameters(status)
        # A job with parameters refuses /build, and one without refuses /buildWithParameters.
        form = {PARAMETER: reason} if PARAMETER in names else {}
        path = "buildWithParameters" if names else "build"
        answer = self._request("POST", f"{self.url.rstrip('/')}/{path}", form)
        queued = answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        now = datetime.now(UTC).isoformat()
        return Job(queued or "queued", "queued", now, url=self.url, reason=reason)

    @_understood()
    def find(self, job_id: str) -> Job | None:
        """Return a build by the number of its queue item; see `TrainingJobs`."""
        if not job_id.isdigit():
            return None
        top = self.url.partition("/job/")[0]
        answer = self._request("GET", f"{top}/queue/item/{job_id}/api/json", missing=True)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        item: dict[str, Any] = answer.json()
        if build := item.get("executable"):
            details = self._request("GET", f"{build['url'].rstrip('/')}/api/json").json()
            return _job_of(job_id, {**details, "url": build["url"]}, item.get("inQueueSince", 0))
        state: State = "failed" if item.get("cancelled") else "queued"
        return Job(job_id, state, _time(item.get("inQueueSince", 0)), url=self.url)

    @_understood()
    def latest(self) -> Job | None:
        """Return what is queued, or else the last build; see `TrainingJobs`."""
        status = self._job()
        if status.get("inQueue"):
            return Job("queued", "queued", datetime.now(UTC).isoformat(), url=self.url)
        build = status.get("lastBuild")
        return _job_of(str(build["number"]), build, build["timestamp"]) if build else None

    def _job(self) -> dict[str, Any]:
        answer = self._request("GET", f"{self.url.rstrip('/')}/api/json?tree={_JOB}")
        status: dict[str, Any] = answer.json()
        return status

    def _request(
        self, method: str, url: str, form: dict[str, str] | None = None, *, missing: bool = False
    ) -> "requests.Response":
        import requests

        try:
            answer = requests.request(
                method,
                url,
                data=form,
                auth=(self.user, self.token),
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
            if not (missing and answer.status_code == HTTPStatus.NOT_FOUND):
                answer.raise_for_status()
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else ""
            raise SourceUnavailable(
                f"Jenkins refused or did not answer: {type(error).__name__} {status}".strip(),
                hint="check serve.jenkins_url, serve.jenkins_user and serve.jenkins_token",
            ) from None
        return answer


def _parameters(status: dict[str, Any]) -> set[str]:
    return {
        definition["name"]
        for one in status.get("property") or ()
        for definition in one.get("parameterDefinitions") or ()
    }


def _job_of(name: str, build: dict[str, Any], since: int) -> Job:
    """Return a build as a job; `since` is when it was queued, in milliseconds."""
    state = _STATE_OF_BUILD.get(build.get("result"), "failed")
    begun, took = build.get("timestamp"), build.get("duration")
    ended = _time(begun + took) if begun and took and state != "running" else None
    return Job(name, state, _time(since), ended, url=build["url"])


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
