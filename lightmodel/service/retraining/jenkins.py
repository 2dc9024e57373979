"""Retraining by a Jenkins job: its queue and its builds are the state."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from lightmodel.errors import AlreadyRunning, SourceUnavailable
from lightmodel.service.retraining import Job, State

_STATES: dict[str | None, State] = {None: "running", "SUCCESS": "approved", "UNSTABLE": "rejected"}
_TIMEOUT_S = 10


@dataclass(frozen=True)
class JenkinsRetraining:
    """Starts builds of one job, by its address, with a user's API token."""

    url: str
    user: str
    token: str

    def start(self) -> Job:
        """Start one; see `Retraining`."""
        status = self._request("GET", f"{self.url.rstrip('/')}/api/json").json()
        if status.get("inQueue") or (status.get("lastBuild") or {}).get("building"):
            raise AlreadyRunning("the Jenkins job is at work already", hint=f"see {self.url}")
        answer = self._request("POST", f"{self.url.rstrip('/')}/build")
        queued = answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        return Job(queued or "queued", "queued", datetime.now(UTC).isoformat(), url=self.url)

    def find(self, job_id: str) -> Job | None:
        """Return a job by the number of its queue item; see `Retraining`."""
        if not job_id.isdigit():
            return None
        top = self.url.partition("/job/")[0]
        answer = self._request("GET", f"{top}/queue/item/{job_id}/api/json", missing=True)
        if answer.status_code == requests.codes.not_found:
            return None
        item: dict[str, Any] = answer.json()
        started = datetime.fromtimestamp(item.get("inQueueSince", 0) / 1000, UTC).isoformat()
        build = item.get("executable")
        if not build:
            return Job(
                job_id, "failed" if item.get("cancelled") else "queued", started, url=self.url
            )
        details: dict[str, Any] = self._request(
            "GET", f"{build['url'].rstrip('/')}/api/json"
        ).json()
        return Job(job_id, _STATES.get(details.get("result"), "failed"), started, url=build["url"])

    def _request(self, method: str, url: str, *, missing: bool = False) -> requests.Response:
        try:
            answer = requests.request(
                method, url, auth=(self.user, self.token), timeout=_TIMEOUT_S, allow_redirects=False
            )
            if not (missing and answer.status_code == requests.codes.not_found):
                answer.raise_for_status()
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else ""
            raise SourceUnavailable(
                f"Jenkins refuses or does not answer: {type(error).__name__} {status}".strip(),
                hint="look at serve.jenkins_url, serve.jenkins_user and its token",
            ) from None
        return answer
