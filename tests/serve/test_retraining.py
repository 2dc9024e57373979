"""A retraining over HTTP: one at a time, with its state, and its model served once approved."""

from typing import Any

import pyarrow.csv as arrow_csv
import requests

from tests.fakes.jenkins import jenkins
from tests.fakes.project import Project
from tests.fakes.server import serving
from tests.fakes.tables import shop_table
from tests.fakes.waiting import wait_until

TOKEN = {"X-Train-Token": "let-me"}


def finished(address: str, path: str) -> dict[str, Any]:
    job: dict[str, Any] = {}

    def ended() -> bool:
        job.update(requests.get(address + path, headers=TOKEN, timeout=60).json())
        return job["state"] not in {"queued", "running"}

    wait_until(ended, "the retraining's end", seconds=300, interval_s=0.1)
    return job


def test_a_retraining_runs_once_and_its_model_is_served(approved: Project) -> None:
    before = approved.models()
    arrow_csv.write_csv(shop_table(rows=900, seed=5), approved.folder / "shop.csv")
    with serving(approved, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        started = requests.post(f"{address}/train", headers=TOKEN, timeout=60)
        assert started.status_code == 202
        path = started.headers["Location"]
        again = requests.post(f"{address}/train", headers=TOKEN, timeout=60)
        assert again.status_code == 409
        assert started.json()["id"] in again.json()["detail"]
        job = finished(address, path)
        assert (job["state"], job["exit_code"]) == ("approved", 0), job
        assert any("report:" in line for line in job["last_lines"])
        (fresh,) = set(approved.models()) - set(before)
        wait_until(
            lambda: requests.get(f"{address}/ready", timeout=60).json()["version"] == fresh.name,
            "the new model's loading",
        )
    with serving(approved, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        assert requests.get(address + path, headers=TOKEN, timeout=60).json() == job


def test_a_failed_retraining_says_why(project: Project) -> None:
    (project.folder / "shop.csv").unlink()
    with serving(project, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        path = requests.post(f"{address}/train", headers=TOKEN, timeout=60).headers["Location"]
        job = finished(address, path)
    assert job["state"] == "failed"
    assert job["exit_code"] not in {0, None}
    assert any("shop.csv" in line for line in job["last_lines"])


def test_without_the_token_nothing_is_started(project: Project) -> None:
    with serving(project) as address:
        assert requests.post(f"{address}/train", headers=TOKEN, timeout=60).status_code == 403
    with serving(project, LIGHTMODEL__SERVE__TRAIN_TOKEN="let-me") as address:
        for headers in ({}, {"X-Train-Token": "let-m"}, {"Authorization": "Bearer x"}):
            answer = requests.post(f"{address}/train", headers=headers, timeout=60)
            assert answer.status_code == 401
        known = requests.get(f"{address}/train/../../etc", headers=TOKEN, timeout=60)
        assert known.status_code == 404
    assert not (project.folder / "var" / "train").exists()


def test_jenkins_trains_if_its_job_is_configured(project: Project) -> None:
    with jenkins() as fake:
        fake.parameters = ("REASON",)
        settings = {
            "LIGHTMODEL__SERVE__TRAIN_TOKEN": "let-me",
            "LIGHTMODEL__SERVE__JENKINS_URL": fake.url,
            "LIGHTMODEL__SERVE__JENKINS_USER": "bot",
            "LIGHTMODEL__SERVE__JENKINS_TOKEN": "token",
        }
        with serving(project, **settings) as address:
            start = f"{address}/train?reason=new%20prices"
            started = requests.post(start, headers=TOKEN, timeout=60)
            assert (started.status_code, started.json()["state"]) == (202, "queued")
            assert fake.given == {"REASON": "POST /train: new prices"}
            misspelt = requests.post(f"{address}/train?why=x", headers=TOKEN, timeout=60)
            assert (misspelt.status_code, "`reason`" in misspelt.json()["detail"]) == (400, True)
            path = address + started.headers["Location"]
            assert requests.get(path, headers=TOKEN, timeout=60).json()["state"] == "queued"
            fake.started = True
            assert requests.get(path, headers=TOKEN, timeout=60).json()["state"] == "running"
            fake.result = "UNSTABLE"
            assert requests.get(path, headers=TOKEN, timeout=60).json()["state"] == "rejected"
            assert requests.get(f"{address}/train/99", headers=TOKEN, timeout=60).status_code == 404
            fake.building = True
            busy = requests.post(f"{address}/train", headers=TOKEN, timeout=60)
            assert busy.status_code == 409
            fake.user = "somebody else"
            refused = requests.post(f"{address}/train", headers=TOKEN, timeout=60)
            assert refused.status_code == 503
            assert "Jenkins refused" in refused.json()["detail"]
            assert "token" not in refused.json()["detail"]
        assert "POST /job/train/buildWithParameters" in fake.asked
