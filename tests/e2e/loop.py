"""The whole loop by itself: requests drift, somebody is told, a model is trained, judged and swapped in.

A ride service opens in a second city. Its rides differ from those that the model knows, the export that
the model is trained on holds them soon after, and nobody does anything. `python -m tests.e2e.loop FILE`
draws what happened.
"""

import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import requests

from tests.fakes.mail import MailServer, mail_server
from tests.fakes.monitoring import Monitoring, alerts_receiver, monitoring
from tests.fakes.project import ROOT, Project
from tests.fakes.server import serving_untraced, wait_until_it_answers
from tests.fakes.waiting import running, untraced, wait_until

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATIENCE_S = 300.0
_ROWS_A_REQUEST, _PAUSE_S = 20, 0.1
SETTINGS = """
[data]
source = "rides.csv"
target = "late"
[train]
folds = 4
threads = 1
parameters = {num_leaves = 8, max_rounds = 80}
compile = "never"
[gate]
bootstrap = 100
[log]
features = true
[watch]
train_on = ["drift"]
measure_every = "0s"
min_rows = 500
"""


def rides(rows: int, seed: int, share_in_south: float = 0.0) -> pa.Table:
    """Return rides with their outcome; in the second city they are longer, and roads are faster."""
    random = np.random.default_rng(seed)
    in_south = random.random(rows) < share_in_south
    distance = random.gamma(2.0, np.where(in_south, 9.0, 3.0)).round(1)
    hour = random.integers(6, 24, rows)
    rush = (np.abs(hour - 8) < 2) | (np.abs(hour - 18) < 2)
    pull = 0.5 * distance / np.where(in_south, 3, 1) + 1.5 * rush - 4
    late = random.random(rows) < 1 / (1 + np.exp(-pull))
    return pa.table(
        {
            "ride_id": [f"r{seed}-{row:05d}" for row in range(rows)],
            "distance_km": distance,
            "hour": hour,
            "city": np.where(in_south, "south", "north"),
            "late": np.where(late, "yes", "no"),
        }
    )


@dataclass
class Traffic:
    """Requests that do not end, and what they were answered.

    Attributes:
        share_in_south: of the rides that are asked about from now on.
        answers: seconds since the start, HTTP status and model version of each request.
    """

    address: str
    share_in_south: float = 0.0
    answers: list[tuple[float, int, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _end: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.started

    @property
    def version(self) -> str:
        """The version that answered last."""
        return self.answers[-1][2] if self.answers else ""

    def run(self) -> None:
        """Ask until it is to end."""
        with requests.Session() as session:
            while not self._end.wait(_PAUSE_S):
                table = rides(_ROWS_A_REQUEST, 1_000 + len(self.answers), self.share_in_south)
                answer = session.post(
                    f"{self.address}/predict",
                    data=csv_of(table.drop_columns(["late"])),
                    headers={"Content-Type": "text/csv"},
                    timeout=60,
                )
                version = answer.headers.get("X-Model-Version", "")
                self.answers.append((self.seconds, answer.status_code, version))

    def go_on(self, more: int = 50) -> None:
        """Return after so many more requests."""
        enough = len(self.answers) + more
        wait_until(lambda: len(self.answers) >= enough, "more requests", seconds=PATIENCE_S)

    @contextmanager
    def flowing(self) -> "Iterator[Traffic]":
        """Ask in the background."""
        thread = threading.Thread(target=self.run, name="traffic")
        thread.start()
        try:
            yield self
        finally:
            self._end.set()
            thread.join()


@dataclass(frozen=True)
class Loop:
    """What happened.

    Attributes:
        project: with the models, logs and notifications that are left.
        traffic: all requests.
        versions: the model before and after.
        moments: the seconds at which each thing had happened, by its name.
        effects: the largest drift that Prometheus recorded, by version: seconds and KS distance or PSI.
        mails: the subjects of all messages.
    """

    project: Project
    traffic: Traffic
    versions: tuple[str, str]
    moments: Mapping[str, float]
    effects: Mapping[str, Sequence[tuple[float, float]]]
    mails: Sequence[str]


def csv_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    arrow_csv.write_csv(table, sink)
    return sink.getvalue()


def run_loop(folder: Path) -> Loop:
    """Run the loop in an empty folder."""
    project = Project(folder / "rides")
    project.folder.mkdir()
    arrow_csv.write_csv(rides(2_000, seed=1), project.folder / "rides.csv")
    with ExitStack() as stack:
        mail = stack.enter_context(mail_server(folder))
        project.settings(f'{SETTINGS}{mail.settings}events = ["published"]\n')
        first = project.run(**mail.environ)
        assert first.code == 0, first.err
        service = stack.enter_context(serving_untraced(project, LIGHTMODEL__SERVE__WORKERS="2"))
        wait_until_it_answers(f"{service}/ready")
        notifier = stack.enter_context(alerts_receiver(folder, mail))
        (folder / "monitoring").mkdir()
        services, keys = [service.removeprefix("http://")], {"metrics-key": "", "alert-token": ""}
        prometheus = stack.enter_context(
            monitoring(folder / "monitoring", services, notifier, keys)
        )
        stack.enter_context(_watching(project, mail))
        traffic = stack.enter_context(Traffic(service).flowing())
        return _observe(project, traffic, prometheus, mail)


@contextmanager
def _watching(project: Project, mail: MailServer) -> Iterator[None]:
    """Run `python -m lightmodel watch` in the project's folder."""
    command = [sys.executable, "-m", "lightmodel", "watch", "--every", "2s"]
    environ = {**untraced(), **mail.environ, "PYTHONPATH": str(ROOT)}
    with (project.folder / "watch.log").open("wb") as log:
        options = {"cwd": project.folder, "env": environ, "stdout": log, "stderr": log}
        with running(command, **options):
            yield


def _observe(project: Project, traffic: Traffic, prometheus: Monitoring, mail: MailServer) -> Loop:
    """Open the second city once the model is known to be stable, and wait for what comes of it."""
    before = project.models()[-1].name
    stable = f'lightmodel_drift_detected{{version="{before}"}} == 0'
    wait_until(lambda: prometheus.query(stable), "a verdict: stable", seconds=PATIENCE_S)
    traffic.go_on()
    moments = {"the second city opens": traffic.seconds}
    traffic.share_in_south = 0.8
    _export(project, rides(4_000, 2, traffic.share_in_south))

    def approved() -> bool:
        return len(list(project.folder.glob("model/*/verdict.json"))) == 2

    moments |= _moments(
        traffic,
        {
            "drift is measured": lambda: _drifted(project),
            "the alert fires": lambda: "Drift" in prometheus.firing(),
            "it is mailed": lambda: _mails(mail, "requests have drifted") >= 1,
            "a training starts": lambda: len(project.splits()) == 2,
            "its model is approved": approved,
            "its approval is mailed": lambda: _mails(mail, "is approved") == 2,
            "it answers": lambda: traffic.version not in {"", before},
            "the alert is resolved": lambda: _mails(mail, "resolved: requests have drifted") == 1,
        },
    )
    after = traffic.version
    calm = f'lightmodel_drift_detected{{version="{after}"}} == 0'
    moments |= _moments(traffic, {"no drift is left": lambda: prometheus.query(calm)})
    traffic.go_on()
    effects = {version: _effects(prometheus, traffic, version) for version in (before, after)}
    return Loop(project, traffic, (before, after), moments, effects, mail.subjects())


def _mails(mail: MailServer, words: str) -> int:
    """Return the number of messages so far whose subject has these words."""
    return sum(words in subject for subject in mail.subjects())


def _export(project: Project, table: pa.Table) -> None:
    """Replace the table at the source in one step, as an export does."""
    arrow_csv.write_csv(table, project.folder / "export.part")
    (project.folder / "export.part").replace(project.folder / "rides.csv")


def _drifted(project: Project) -> bool:
    report = json.loads((project.folder / "var/log/drift.json").read_bytes())
    return bool(report["verdict"] == "drift")


def _moments(traffic: Traffic, conditions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return when each of the conditions held first, once all of them have."""
    moments: dict[str, float] = {}

    def all_held() -> bool:
        for name, condition in conditions.items():
            if name not in moments and condition():
                moments[name] = traffic.seconds
        return len(moments) == len(conditions)

    try:
        wait_until(all_held, "the loop", seconds=PATIENCE_S, interval_s=0.1)
    except AssertionError:
        missing = [name for name in conditions if name not in moments]
        raise AssertionError(f"not within {PATIENCE_S:g} s: {', '.join(missing)}") from None
    return moments


def _effects(prometheus: Monitoring, traffic: Traffic, version: str) -> list[tuple[float, float]]:
    """Return the largest drift of a version at each second, as Prometheus recorded it."""
    now, seconds = time.time(), traffic.seconds
    query = f'max(lightmodel_drift_effect{{version="{version}"}})'
    series = prometheus.query_range(query, now - seconds, now)
    return [(at - (now - seconds), value) for at, value in series]


def draw(loop: Loop) -> bytes:
    """Return a PNG: the rows that each version answered, and the drift, with what happened when."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.4), layout="constrained")
    rows, drift, words = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2, 2.2])
    colours = dict(zip(loop.versions, ("#4269d0", "#3ca951"), strict=True))
    names = dict(zip(loop.versions, ("first model", "its successor"), strict=True))
    last = loop.traffic.answers[-1][0]
    rows.set_xlim(0, 1.2 * last)  # the last lines of text need room
    for version, colour in colours.items():
        seconds = [at for at, _, answered_by in loop.traffic.answers if answered_by == version]
        counts, _ = np.histogram(seconds, bins=np.arange(0, last + 1))
        per_second = counts * _ROWS_A_REQUEST
        rows.fill_between(
            np.arange(len(counts)) + 0.5, per_second, color=colour, alpha=0.6, step="mid"
        )
        at, effect = np.array(loop.effects[version]).T
        drift.plot(at, effect, ".-", color=colour, label=names[version])
    drift.axhline(0.1, color="#888888", linestyle="--", linewidth=1)
    drift.legend(frameon=False, loc="lower right")
    rows.set_ylabel("rows answered\na second")
    drift.set_ylabel("largest drift\n(bound 0.1)")
    _write_moments(words, loop.moments, [rows, drift])
    words.set_xlabel("seconds since the first request")
    for axes in (rows, drift, words):
        axes.spines[["top", "right"]].set_visible(False)
    sink = io.BytesIO()
    figure.savefig(sink, dpi=110, metadata={"Software": None})
    return sink.getvalue()


def _write_moments(axes: "Axes", moments: Mapping[str, float], above: Sequence["Axes"]) -> None:
    """Write what happened, a line each, with a hairline through the other pictures."""
    axes.set_ylim(len(moments) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for line, (what, at) in enumerate(sorted(moments.items(), key=lambda one: one[1])):
        axes.plot([at], [line], "o", color="#ff725c", markersize=4)
        axes.annotate(
            f"{at:.0f} s  {what}",
            (at, line),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
        for other in above:
            other.axvline(at, color="#ff725c", linewidth=0.5, alpha=0.6)


def main() -> None:
    """Run the loop, and draw it into the file that is named."""
    with tempfile.TemporaryDirectory() as folder:
        loop = run_loop(Path(folder))
    Path(sys.argv[1]).write_bytes(draw(loop))
    for what, at in sorted(loop.moments.items(), key=lambda one: one[1]):
        print(f"{at:6.1f} s  {what}")


if __name__ == "__main__":
    main()
