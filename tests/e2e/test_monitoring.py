"""Prometheus and Alertmanager watch a running service, and a mail server receives what they find."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
import requests

from benchmarks.ports import free_port
from tests.fakes.mail import MailServer, mail_server
from tests.fakes.monitoring import FILES, Monitoring, alerts_receiver, configure, monitoring
from tests.fakes.project import Project
from tests.fakes.server import post, serving_untraced
from tests.fakes.tables import shop_table
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.prometheus
KEY, TOKEN = "key-of-prometheus", "token-of-alertmanager"
PATIENCE_S = 180.0
# Few rows are enough here, and scores count as drift as features do.
WATCHED = {
    "LIGHTMODEL__LOG__FEATURES": "true",
    "LIGHTMODEL__WATCH__MIN_ROWS": "100",
    "LIGHTMODEL__WATCH__MIN_LABELS": "50",
    "LIGHTMODEL__SERVE__API_KEYS": f"prometheus:{KEY}",
    "LIGHTMODEL__SERVE__WORKERS": "2",
}


@dataclass(frozen=True)
class Watched:
    """A service with all that watches it, and the address of one that does not answer."""

    project: Project
    service: str
    down: str
    prometheus: Monitoring
    mail: MailServer

    def wait_for_mail(self, subject: str) -> None:
        """Return once a message with this subject has arrived."""
        wait_until(lambda: subject in self.mail.subjects(), subject, seconds=PATIENCE_S)

    def text_of(self, subject: str) -> str:
        """Return the decoded parts of the first message with this subject."""
        message = self.mail.received[self.mail.subjects().index(subject)]
        parts = [part.get_payload(decode=True) for part in message.walk()]
        return "\n".join(part.decode() for part in parts if isinstance(part, bytes))

    def tool(self, *words: str) -> int:
        return self.project.tool(*words, **WATCHED).code


@pytest.fixture(scope="module")
def watched(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Run everything once for all tests of this file."""
    folder = tmp_path_factory.mktemp("watched")
    logs = shutil.ignore_patterns("log", "server-*.log")
    shutil.copytree(trained_shop.folder, folder / "shop", ignore=logs)
    project = Project(folder / "shop")
    (folder / "monitoring").mkdir()
    with ExitStack() as stack:
        mail = stack.enter_context(mail_server(folder))
        service = stack.enter_context(serving_untraced(project, **WATCHED))
        notifier = stack.enter_context(alerts_receiver(folder, mail, TOKEN))
        keys = {"metrics-key": KEY, "alert-token": TOKEN}
        down = f"127.0.0.1:{free_port()}"
        services = (service.removeprefix("http://"), down)
        running_it = monitoring(folder / "monitoring", services, notifier, keys)
        yield Watched(project, service, down, stack.enter_context(running_it), mail)


def older(table: pa.Table) -> pa.Table:
    """Return visits of which all are by the old."""
    return table.set_column(1, "age", pa.array(np.full(len(table), 79)))


def sent(watched: Watched, table: pa.Table) -> requests.Response:
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(table.drop_columns(["bought"]), sink)
    return requests.post(
        f"{watched.service}/predict",
        files={"file": ("rows.csv", sink.getvalue().to_pybytes())},
        headers={"X-API-Key": KEY},
        timeout=60,
    )


@pytest.fixture(scope="module")
def busy(watched: Watched) -> Watched:
    """Ask the service for what every panel shows: drifted rows, odd cells, refused requests, labels."""
    table = older(shop_table(600, seed=1))
    assert sent(watched, table).ok
    odd = b"age,spent,where\n,30,fax\n9999,20,web\n"
    headers = {"X-API-Key": KEY, "Content-Type": "text/csv"}
    for body, status in ((odd, 200), (b"age\n1\n", 422)):
        answer = requests.post(f"{watched.service}/predict", body, headers=headers, timeout=60)
        assert answer.status_code == status, answer.text
    assert post(watched.service, odd).status_code == 401
    # The labels are those of buyers of all ages, so the model does badly on them.
    labels = watched.project.folder / "labels.csv"
    arrow_csv.write_csv(table.select(["visit_id", "bought"]), labels)
    logged = 'lightmodel_log_rows_total{what="logged"} >= 602'
    wait_until(lambda: watched.prometheus.query(logged), logged, seconds=PATIENCE_S)
    assert watched.tool("feedback", str(labels)) == 0
    assert watched.tool("live") == 0
    assert watched.tool("drift") == 65
    return watched


def panels() -> Iterator[tuple[str, str, str]]:
    """Yield dashboard, title and query of each target of each panel."""
    for file in sorted(FILES.glob("grafana/dashboards/*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield file.stem, panel["title"], target["expr"]


def without_variables(expression: str) -> str:
    """Return a panel's query as Grafana sends it for all services."""
    values = {"$__rate_interval": "1m", "$__range": "1h", "$instance": ".*"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize("name", ["prometheus.yml", "rules.yml", "rules_test.yml"])
def test_promtool_accepts_the_configuration(name: str, tmp_path: Path) -> None:
    configure(tmp_path, {}, {"metrics-key": ""})
    shutil.copy(FILES / "rules_test.yml", tmp_path)
    shutil.copy(FILES / "rules.yml", tmp_path)
    words = {"prometheus.yml": "check config", "rules.yml": "check rules"}.get(name, "test rules")
    command = ["promtool", *words.split(), name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_accepts_the_configuration() -> None:
    command = ["amtool", "check-config", str(FILES / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_scrapes_the_service_with_its_key_and_everything_else(watched: Watched) -> None:
    jobs = {"light-model", "notifier", "prometheus", "alertmanager"}

    def up() -> set[str]:
        return {one["metric"]["job"] for one in watched.prometheus.query("up == 1")}

    wait_until(lambda: len(up()) == len(jobs), "all targets", seconds=PATIENCE_S)
    assert up() == jobs


@pytest.mark.parametrize(("dashboard", "title", "expression"), list(panels()))
def test_every_query_of_every_panel_returns_series(
    busy: Watched, dashboard: str, title: str, expression: str
) -> None:
    query = without_variables(expression)
    found = f"series of {title!r} of {dashboard}: {query}"
    wait_until(lambda: busy.prometheus.query(query), found, seconds=PATIENCE_S, interval_s=0.5)


def drift_subject(watched: Watched) -> str:
    version = watched.project.models()[-1].name
    return f"light-model: warning: requests have drifted from the training of {version}"


@pytest.fixture(scope="module", autouse=True)
def drift_mails(busy: Watched) -> int:
    """The number of mails about drift before a test withdraws the model, after which it fires anew."""
    busy.wait_for_mail(drift_subject(busy))
    # The same group of Alertmanager, so its mail means that Drift was sent to the receiver again.
    version = busy.project.models()[-1].name
    busy.wait_for_mail(f"light-model: critical: the auc of {version} is below its bound in service")
    return busy.mail.subjects().count(drift_subject(busy))


def test_drift_is_mailed_with_what_to_do_and_only_once(busy: Watched, drift_mails: int) -> None:
    assert "drift.html beside the prediction log" in busy.text_of(drift_subject(busy))
    assert drift_mails == 1


def test_a_service_that_does_not_answer_is_mailed(watched: Watched) -> None:
    subject = "light-model: critical: the service does not answer"
    watched.wait_for_mail(subject)
    assert watched.down in watched.text_of(subject)


def test_the_texts_of_alerts_are_filled_in(busy: Watched) -> None:
    expected = {"ServiceDown", "Drift", "QualityBelowBound"}
    wait_until(lambda: expected <= busy.prometheus.firing().keys(), "alerts", seconds=PATIENCE_S)
    for alert in busy.prometheus.firing().values():
        assert not re.search(r"{{|<no value>|error", json.dumps(alert["annotations"]))


def test_a_withdrawn_model_is_shown_no_more_and_mailed_until_there_is_one(busy: Watched) -> None:
    summary = "a worker of the service has no approved model"
    verdict = busy.project.models()[-1] / "verdict.json"
    approval = verdict.read_bytes()
    wait_until(lambda: busy.prometheus.query("lightmodel_model_info"), "the model")
    try:
        assert busy.tool("models", "rollback", "--force") == 0
        busy.wait_for_mail(f"light-model: critical: {summary}")
        wait_until(lambda: not busy.prometheus.query("lightmodel_model_info"), "no model")
    finally:
        verdict.write_bytes(approval)  # for the other tests
    busy.wait_for_mail(f"light-model: resolved: {summary}")
    wait_until(lambda: busy.prometheus.query("lightmodel_model_info"), "the model")
