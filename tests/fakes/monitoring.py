"""Prometheus and Alertmanager as they run, with the project's own configuration on other ports."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.ports import free_port
from tests.fakes.mail import MailServer
from tests.fakes.project import ROOT
from tests.fakes.server import wait_until_it_answers
from tests.fakes.waiting import running, untraced

FILES = ROOT / "deploy" / "monitoring"
# Debian names its packages' programs so; elsewhere Alertmanager's is called alertmanager.
ALERTMANAGER = "prometheus-alertmanager"


@dataclass(frozen=True)
class Monitoring:
    """A running Prometheus, with an Alertmanager."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query.

        Raises:
            AssertionError: Prometheus does not understand it.
        """
        answer = requests.get(
            f"{self.address}/api/v1/query", params={"query": expression}, timeout=60
        ).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def query_range(self, expression: str, start: float, end: float) -> list[tuple[float, float]]:
        """Return time and value of the only series of a query, at each second between two times."""
        span: dict[str, Any] = {"query": expression, "start": start, "end": end, "step": 1}
        answer = requests.get(f"{self.address}/api/v1/query_range", params=span, timeout=60).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result = answer["data"]["result"]
        return [(at, float(value)) for at, value in result[0]["values"]] if result else []

    def firing(self) -> dict[str, dict[str, Any]]:
        """Return the alerts that fire, by name, as Prometheus lists them."""
        listed = requests.get(f"{self.address}/api/v1/alerts", timeout=60).json()["data"]["alerts"]
        return {one["labels"]["alertname"]: one for one in listed if one["state"] == "firing"}


@contextmanager
def monitoring(
    folder: Path, services: Sequence[str], notifier: str, keys: Mapping[str, str]
) -> Iterator[Monitoring]:
    """Run both in a folder, and yield Prometheus; all intervals of the configuration are seconds.

    Args:
        folder: an empty one, for configuration and data.
        services: host and port of each.
        notifier: those of `python -m lightmodel alerts`.
        keys: the files with keys by name.
    """
    ports = {"prometheus": free_port(), "alertmanager": free_port()}
    own = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    places = {
        "server:5001": '", "'.join(services),
        "notifier:9095": notifier,
        "localhost:9090": own["prometheus"],
        "alertmanager:9093": own["alertmanager"],
    }
    configure(folder, places, keys)
    commands = {
        "alertmanager": (ALERTMANAGER, "--storage.path=alerts", "--cluster.listen-address="),
        "prometheus": ("prometheus", "--storage.tsdb.path=data"),
    }
    with ExitStack() as stack:
        for name, command in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            address = f"--web.listen-address={own[name]}"
            process = stack.enter_context(
                running(
                    [*command, f"--config.file={name}.yml", address],
                    cwd=folder,
                    env=untraced(),
                    stdout=log,
                    stderr=log,
                )
            )
            wait_until_it_answers(f"http://{own[name]}/-/ready", process)
        yield Monitoring(f"http://{own['prometheus']}")


def configure(folder: Path, places: Mapping[str, str], keys: Mapping[str, str]) -> None:
    """Copy the configuration into a folder, with other addresses, and all intervals cut to a second."""
    for name in ("prometheus.yml", "alertmanager.yml", "rules.yml"):
        text = (FILES / name).read_text(encoding="utf-8")
        for place, other in places.items():
            text = text.replace(place, other)
        pattern = r"^( +)((?:scrape|evaluation|group)_(?:interval|wait)|for): \d+[smh]$"
        text = re.sub(pattern, r"\1\2: 1s", text, flags=re.MULTILINE)
        (folder / name).write_text(text, encoding="utf-8")
    for name, key in keys.items():
        (folder / name).write_text(f"{key}\n", encoding="utf-8")


@contextmanager
def alerts_receiver(folder: Path, mail: MailServer, token: str = "") -> Iterator[str]:
    """Run `python -m lightmodel alerts`, and yield its host and port."""
    (folder / "notifier").mkdir()
    (folder / "notifier" / "config.toml").write_text(
        f'{mail.settings}events = ["alert", "alert_resolved"]\ntimeout_s = 60\n', encoding="utf-8"
    )
    port = free_port()
    environ = {**untraced(), **mail.environ, "PYTHONPATH": str(ROOT)}
    if token:
        environ["LIGHTMODEL__WATCH__ALERT_TOKEN"] = token
    command = [sys.executable, "-m", "lightmodel", "alerts", "--port", str(port)]
    with (folder / "notifier.log").open("wb") as log:
        options = {"cwd": folder / "notifier", "env": environ, "stdout": log, "stderr": log}
        with running(command, **options) as process:
            wait_until_it_answers(f"http://127.0.0.1:{port}/health", process)
            yield f"127.0.0.1:{port}"
