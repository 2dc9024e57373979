"""A challenger is compared on the same rows; a canary is withdrawn, promoted or waited for."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lightmodel.config import Config, load
from lightmodel.contract.cells import Vector
from lightmodel.contract.results import Verdict
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import AlreadyRunning
from lightmodel.predictions.base import AnsweredRows, encode
from lightmodel.predictions.shadows import SHADOWS
from lightmodel.predictions.sqlite import SqliteSink
from lightmodel.store.lock import run_lock
from lightmodel.store.verdict import read_verdict, write_verdict
from lightmodel.store.versions import Version, models_of
from lightmodel.watch import canary as canary_module
from lightmodel.watch.canary import CanaryDecision, carry_out, decide
from lightmodel.watch.quality import live_quality
from lightmodel.watch.shadow import ShadowComparison, compare_shadows
from tests.unit.watch.watch_samples import BINARY, NOW, contract_of, log_rows

ROWS = 400


@pytest.fixture
def config(tmp_path: Path) -> Config:
    sets = [f"store.root={tmp_path}", f"log.folder={tmp_path}", "serve.canary=0.1"]
    return load(None, [*sets, "serve.canary_rows=300"], {}).config


def publish(config: Config, task: Task = BINARY, *, passed: bool = True) -> Version:
    store = models_of(config)
    with store.draft() as draft:
        draft.write("model.joblib", b"")
        version = draft.publish(
            inputs={}, parameters={}, rows={}, fingerprint="",
            contract=contract_of(task=task).to_dict(), task=task.to_dict(),
        )  # fmt: skip
    name = "auc" if task.kind is TaskKind.BINARY else "rmse"
    write_verdict(version, Verdict(passed, name, 0.8, ("because",)), b"", store.signer)
    return version


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[SqliteSink]:
    with closing(SqliteSink(tmp_path / "predictions.sqlite")) as sink:
        yield sink


@pytest.fixture
def shadows(tmp_path: Path) -> Iterator[SqliteSink]:
    with closing(SqliteSink(tmp_path / "predictions.sqlite", table=SHADOWS)) as sink:
        yield sink


def scores(quality: float, seed: int = 0) -> Vector:
    """Return probabilities that are the better, the higher the quality; labels are those of `labels`."""
    random = np.random.default_rng(seed + 100)
    return np.clip(0.5 + quality * (labels() - 0.5) + random.normal(0, 0.3, ROWS), 0, 1)


def labels() -> Vector:
    return np.random.default_rng(1).integers(0, 2, ROWS).astype(float)


def send_labels(sink: SqliteSink, request: str = "r") -> None:
    named = {f"{request}-{row}": ("no", "yes")[int(one)] for row, one in enumerate(labels())}
    sink.add_ground_truth(named, NOW)


def compared(config: Config) -> ShadowComparison:
    (found,) = compare_shadows(config, NOW)
    return found


def test_a_better_challenger_is_better_only_by_labels(
    config: Config, answers: SqliteSink, shadows: SqliteSink
) -> None:
    served, challenger = publish(config), publish(config, passed=False)
    assert compare_shadows(config, NOW) == ()
    log_rows(answers, served.name, scores(0.2))
    log_rows(shadows, challenger.name, scores(0.9))
    found = compared(config)
    assert (found.served, found.challenger) == (served.name, challenger.name)
    assert (found.rows, found.failed, found.compared, found.state) == (ROWS, 0, ROWS, "none")
    expected = np.mean((scores(0.2) >= 0.5) != (scores(0.9) >= 0.5))
    assert found.differ == pytest.approx(expected)
    assert found.correlation == pytest.approx(np.corrcoef(scores(0.2), scores(0.9))[0, 1])
    assert found.differences == {}
    send_labels(answers)
    found = compared(config)
    assert (found.labelled, found.metric, found.state) == (ROWS, "auc", "better")
    auc = found.differences["auc"]
    assert auc.value == pytest.approx(found.challenger_metrics["auc"] - found.served_metrics["auc"])
    assert found.to_dict()["differences"]["auc"]["low"] == auc.low > 0


@pytest.mark.parametrize(("quality", "state"), [(0.0, "worse"), (0.2, "unsure")])
def test_a_worse_or_equal_challenger_is_not_better(
    config: Config, answers: SqliteSink, shadows: SqliteSink, quality: float, state: str
) -> None:
    served, challenger = publish(config), publish(config, passed=False)
    log_rows(answers, served.name, scores(0.6 if state == "worse" else quality))
    log_rows(shadows, challenger.name, scores(quality, seed=5 if state == "unsure" else 0))
    send_labels(answers)
    assert compared(config).state == state


def test_scores_that_never_vary_have_no_correlation_and_few_labels_no_verdict(
    config: Config, answers: SqliteSink, shadows: SqliteSink
) -> None:
    served, challenger = publish(config), publish(config, passed=False)
    log_rows(answers, served.name, np.full(5, 0.25))
    log_rows(shadows, challenger.name, np.full(5, 0.75))
    answers.add_ground_truth({"r-0": "yes", "r-1": "no"}, NOW)
    found = compared(config)
    assert (found.differ, found.correlation, found.labelled, found.state) == (1.0, None, 2, "none")


def test_numbers_are_compared_without_decisions(
    config: Config, answers: SqliteSink, shadows: SqliteSink
) -> None:
    task = Task(TaskKind.REGRESSION)
    served, challenger = publish(config, task), publish(config, task, passed=False)
    true = np.random.default_rng(0).normal(size=ROWS)
    ids = [f"r-{row}" for row in range(ROWS)]
    for sink, version, error in ((answers, served, 1.0), (shadows, challenger, 0.1)):
        numbers = (true + error * np.random.default_rng(2).normal(size=ROWS)).tolist()
        for rows in encode(AnsweredRows("r", NOW, version.name, ids, numbers, None)):
            sink.write(rows)
    answers.add_ground_truth(
        {key: repr(one) for key, one in zip(ids, true.tolist(), strict=True)}, NOW
    )
    found = compared(config)
    assert found.differ is None
    assert (found.metric, found.state) == ("rmse", "better")
    assert found.differences["rmse"].high < 0


def decided(config: Config) -> CanaryDecision:
    decision = decide(config, live_quality(config, now=NOW))
    assert decision is not None
    return decision


def test_there_is_nothing_to_decide_without_a_canary(config: Config, answers: SqliteSink) -> None:
    only = publish(config)
    log_rows(answers, only.name, scores(0.5))
    assert decide(config, live_quality(config, now=NOW)) is None


def test_a_canary_is_promoted_after_enough_rows(config: Config, answers: SqliteSink) -> None:
    stable, canary = publish(config), publish(config)
    decision = decided(config)
    assert (decision.canary, decision.stable) == (canary.name, stable.name)
    assert (decision.action, decision.reason) == (
        "wait",
        "it has answered 0 rows, and serve.canary_rows is 300",
    )
    log_rows(answers, canary.name, scores(0.5))
    decision = decided(config)
    assert decision.action == "promote"
    carry_out(config, decision)
    assert decide(config, live_quality(config, now=NOW)) is None
    assert live_quality(config, now=NOW).served is not None


def test_a_canary_that_fails_is_withdrawn_with_the_reason(
    config: Config, answers: SqliteSink, shadows: SqliteSink
) -> None:
    stable, canary = publish(config), publish(config)
    log_rows(answers, canary.name, scores(0.5))
    nothing = [None] * 9
    for rows in encode(AnsweredRows("r9", datetime.now(UTC), canary.name, nothing, nothing, None)):
        shadows.write(rows)
    decision = decided(config)
    assert (decision.action, decision.reason) == ("withdraw", "it could not score 9 of 409 rows")
    carry_out(config, decision)
    verdict = read_verdict(canary, models_of(config).signer)
    assert verdict is not None
    assert (verdict.passed, verdict.reasons[0]) == (
        False,
        "withdrawn as a canary: it could not score 9 of 409 rows",
    )
    assert (canary.folder / "model.joblib").exists()
    assert decide(config, live_quality(config, now=NOW)) is None
    assert stable.name != canary.name


@pytest.mark.parametrize(
    ("quality", "action"), [(0.0, "withdraw"), (0.5, "promote"), (1.0, "promote")]
)
def test_a_canary_whose_labelled_rows_are_surely_worse_is_withdrawn(
    config: Config, answers: SqliteSink, quality: float, action: str
) -> None:
    stable, canary = publish(config), publish(config)
    log_rows(answers, stable.name, scores(0.5), request="s")
    log_rows(answers, canary.name, scores(quality), request="c")
    for request in ("s", "c"):
        send_labels(answers, request)
    decision = decided(config)
    assert decision.action == action
    assert ("its AUC is" in decision.reason) == (action == "withdraw")


def test_a_run_that_holds_the_store_is_waited_for_and_nothing_is_half_done(
    config: Config, answers: SqliteSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(config)
    canary = publish(config)
    log_rows(answers, canary.name, scores(0.5))
    monkeypatch.setattr(canary_module, "_PATIENCE_S", 0.1)
    with run_lock(config.store.root), pytest.raises(AlreadyRunning):
        carry_out(config, decided(config))
    assert decided(config).action == "promote"
