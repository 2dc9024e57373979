"""A retraining over HTTP: one at a time, with its state, and its model served once approved."""

import time
from typing import Any

import pyarrow.csv as arrow_csv
import requests

from tests.fakes.jenkins import jenkins
from tests.fakes.project import Project, shop_table
from tests.fakes.server import serving

TOKEN = {"X-Train-Token": "let-me"}


def finished(address: str, path: str) -> dict[str, Any]:
    for _ in range(600):
        job: dict[str, Any] = requests.get(address + path, headers=TOKEN, timeout=10).json()
        if job["state"] not in {"queued", "running"}:
            return job
        time.sleep(0.1)
    raise AssertionError("it never ended")


def test_a_retraining_runs_once_and_its_model_is_served(project: Project) -> None:
    assert project.run().code == 0
    before = project.models()
    arrow_csv.write_csv(shop_table(rows=900, seed=5), project.folder / "shop.csv")
    with serving(project, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        started = requests.post(f"{address}/train", headers=TOKEN, timeout=10)
        assert started.status_code == 202
        path = started.headers["Location"]
        again = requests.post(f"{address}/train", headers=TOKEN, timeout=10)
        assert again.status_code == 409
        assert started.json()["id"] in again.json()["detail"]
        job = finished(address, path)
        assert (job["state"], job["exit_code"]) == ("approved", 0), job
        assert any("report:" in line for line in job["last_lines"])
        (fresh,) = set(project.models()) - set(before)
        for _ in range(100):
            ready = requests.get(f"{address}/ready", timeout=10).json()
            if ready["version"] == fresh.name:
                break
            time.sleep(0.05)
        assert ready["version"] == fresh.name
    with serving(project, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        assert requests.get(address + path, headers=TOKEN, timeout=10).json() == job


def test_a_failed_retraining_says_why(project: Project) -> None:
    (project.folder / "shop.csv").unlink()
    with serving(project, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        path = requests.post(f"{address}/train", headers=TOKEN, timeout=10).headers["Location"]
        job = finished(address, path)
    assert job["state"] == "failed"
    assert job["exit_code"] not in {0, None}
    assert any("shop.csv" in line for line in job["last_lines"])


def test_without_the_token_nothing_is_started(project: Project) -> None:
    with serving(project) as address:
        assert requests.post(f"{address}/train", headers=TOKEN, timeout=10).status_code == 403
    with serving(project, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        for headers in ({}, {"X-Train-Token": "let-m"}, {"Authorization": "Bearer x"}):
            answer = requests.post(f"{address}/train", headers=headers, timeout=10)
            assert answer.status_code == 401
        known = requests.get(f"{address}/train/../../etc", headers=TOKEN, timeout=10)
        assert known.status_code == 404
    assert not (project.folder / "var" / "train").exists()


def test_jenkins_trains_if_its_job_is_configured(project: Project) -> None:
    with jenkins() as fake:
        settings = {
            "LIGHTMODEL__SERVE__TRAIN_TOKEN": "let-me",
            "LIGHTMODEL__SERVE__JENKINS_URL": fake.url,
            "LIGHTMODEL__SERVE__JENKINS_USER": "bot",
            "LIGHTMODEL__SERVE__JENKINS_TOKEN": "token",
        }
        with serving(project, **settings) as address:
            started = requests.post(f"{address}/train", headers=TOKEN, timeout=10)
            assert (started.status_code, started.json()["state"]) == (202, "queued")
            path = address + started.headers["Location"]
            assert requests.get(path, headers=TOKEN, timeout=10).json()["state"] == "queued"
            fake.started = True
            assert requests.get(path, headers=TOKEN, timeout=10).json()["state"] == "running"
            fake.result = "UNSTABLE"
            assert requests.get(path, headers=TOKEN, timeout=10).json()["state"] == "rejected"
            assert requests.get(f"{address}/train/99", headers=TOKEN, timeout=9).status_code == 404
            fake.building = True
            busy = requests.post(f"{address}/train", headers=TOKEN, timeout=10)
            assert busy.status_code == 409
            fake.user = "somebody else"
            refused = requests.post(f"{address}/train", headers=TOKEN, timeout=10)
            assert refused.status_code == 503
            assert "Jenkins refused" in refused.json()["detail"]
            assert "token" not in refused.json()["detail"]
        assert "POST /job/train/build" in fake.asked
