"""A challenger scores what was answered: all of it, or what there is time and room for."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest

from lightmodel.config import load
from lightmodel.contract.cells import Matrix
from lightmodel.predictions.base import AnsweredRows
from lightmodel.predictions.log import PredictionLog
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.predictor import LoadedModel, reads_alike
from lightmodel.service import shadow as shadow_module
from lightmodel.service.load_meter import LoadMeter
from lightmodel.service.shadow import MOST_ROWS, Shadow, ShadowRequest
from tests.fakes.answers import answered
from tests.fakes.project import Project
from tests.fakes.waiting import wait_until

IDS = ["a", "b"]
ROWS: list[dict[str, Any]] = [
    {"age": 30, "spent": 3.5, "where": "web"},
    {"age": 70, "spent": None, "where": "moon"},
]


class FakeLog:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.rows: list[AnsweredRows] = []

    def record(self, rows: AnsweredRows) -> None:
        self.rows.append(rows)


@dataclass
class FakeMeter:
    """Measures always the same load."""

    value: float

    def start(self) -> None:
        """Do nothing."""

    def load(self) -> float:
        return self.value


class Run:
    """A challenger's thread under test, and what it has done."""

    def __init__(self, load: float = 0.0) -> None:
        self.log, self.counts = FakeLog(), Counter[str]()
        log, meter = cast("PredictionLog", self.log), cast("LoadMeter", FakeMeter(load))
        self.shadow = Shadow(log, self._count, meter)

    def _count(self, result: str, rows: int) -> None:
        self.counts[result] += rows

    def wait(self, **expected: int) -> None:
        wait_until(lambda: self.counts == Counter(expected), f"the counts {expected}")


@pytest.fixture(scope="module")
def served(trained_shop: Project) -> LoadedModel:
    file, folder = trained_shop.folder / "config.toml", trained_shop.folder
    return ModelStoreView(load(file, [f"store.root={folder}"], {}).config).newest(None)


@pytest.fixture
def start() -> Iterator[Callable[..., Run]]:
    """Return a function that starts a run; all are ended."""
    runs: list[Run] = []

    def start(model: LoadedModel, challenger: LoadedModel | None, load: float = 0.0) -> Run:
        runs.append(Run(load))
        runs[-1].shadow.use(challenger, model)
        return runs[-1]

    yield start
    for run in runs:
        run.shadow.close()


def named(model: LoadedModel, version: str, score: Callable[..., Any] | None = None) -> LoadedModel:
    """Return a model with another name and perhaps another function for its scores."""
    predictor = replace(model.predictor, score=score or model.predictor.score)
    return replace(model, predictor=predictor, manifest=replace(model.manifest, version=version))


def asked(model: LoadedModel, request: str = "r1", **more: Any) -> ShadowRequest:
    """Return the answered request of ROWS."""
    block = model.body_reader.json_blocks.block(ROWS)
    answers = model.predictor.answer(block)
    rows = answered(request, IDS, answers.scores.tolist(), version=model.version)
    return ShadowRequest(rows, model.version, [block.features], **more)


def test_requests_are_scored_together_each_row_as_by_the_model_itself(
    served: LoadedModel, start: Callable[..., Run]
) -> None:
    calls: list[int] = []

    def score(features: Matrix) -> Any:
        calls.append(len(features))
        return 1 - served.predictor.score(features)

    run = start(served, named(served, "challenger", score))
    assert (run.shadow.wanted_rows, run.shadow.wants_body) == (MOST_ROWS, False)
    requests = [asked(served, f"r{number}") for number in range(20)]
    for request in requests:
        run.shadow.offer(request)
    run.wait(scored=40)
    assert len(calls) < 20
    expected = [1 - one for one in requests[0].rows.probabilities or ()]
    for request, rows in zip(requests, run.log.rows, strict=True):
        assert (rows.request, rows.time) == (request.rows.request, request.rows.time)
        assert (rows.version, list(rows.ids or ()), list(rows.numbers or ())) == (
            "challenger",
            IDS,
            [1, 2],
        )
        assert rows.probabilities == pytest.approx(expected)


def test_a_busy_worker_sheds_its_challengers_rows_first(
    served: LoadedModel, start: Callable[..., Run]
) -> None:
    run = start(served, named(served, "challenger"), 0.9)
    run.shadow.offer(asked(served))
    run.wait(shed=2)
    assert run.log.rows == []


def test_a_full_queue_sheds(
    served: LoadedModel, start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_module, "_MOST_WAITING_BYTES", 1)
    monkeypatch.setattr(shadow_module, "_GATHER_S", 3600.0)
    run = start(served, named(served, "challenger"))
    for number in range(3):
        run.shadow.offer(asked(served, f"r{number}"))
    assert run.counts == Counter(shed=4)  # the first one waits
    run.shadow.close()
    assert run.counts == Counter(shed=6)
    run.shadow.offer(asked(served))
    assert run.counts == Counter(shed=8)


def test_a_challenger_that_fails_on_a_request_costs_only_that_one(
    served: LoadedModel, start: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    def score(features: Matrix) -> Any:
        if (features[:, 0] == 99).any():
            raise ValueError("about 99")
        scores = served.predictor.score(features)
        return np.where(features[:, 0] == 70, np.nan, scores)

    run = start(served, named(served, "challenger", score))
    good, bad = asked(served, "good"), asked(served, "bad")
    changed = bad.features[0].copy()
    changed[0, 0] = 99
    for request in (good, bad._replace(features=[changed]), good):
        run.shadow.offer(request)
    run.wait(scored=2, failed=4)
    logged = {rows.request: list(rows.predictions) for rows in run.log.rows}
    assert logged["bad"] == [None, None]
    assert logged["good"][0] in {"yes", "no"}
    assert logged["good"][1] is None
    assert caplog.text.count("could not score rows as a challenger: ValueError") == 1
    assert "99" not in caplog.text


def test_another_contract_is_read_from_the_body(
    served: LoadedModel, start: Callable[..., Run]
) -> None:
    columns = tuple(
        replace(column, categories=(*column.categories, "moon")) if column.categories else column
        for column in served.contract.columns
    )
    wider = replace(
        served,
        predictor=replace(served.predictor, contract=replace(served.contract, columns=columns)),
        manifest=replace(served.manifest, version="wider"),
    )
    assert reads_alike(served, named(served, "same"))
    assert not reads_alike(served, wider)
    run = start(served, wider)
    assert (run.shadow.wanted_rows, run.shadow.wants_body) == (0, True)
    body = b'[{"age": 30, "spent": 3.5, "where": "web"}, {"age": 70, "where": "moon"}]'
    read = asked(served)._replace(features=[], body=body, form="json")
    cut = read._replace(body=b'[{"age": 30, "spent": 3.5, "where": "web"}]')
    broken = read._replace(body=b'[{"age": "?!", "spent": 3.5, "where": "web"}]')
    for request in (read, cut, broken, read._replace(body=b"")):
        run.shadow.offer(request)
    run.wait(scored=2, skipped=4, failed=2)
    assert [list(rows.numbers or ()) for rows in run.log.rows] == [[1, 2], [1, 2]]


def test_what_an_earlier_version_has_answered_is_skipped(
    served: LoadedModel, start: Callable[..., Run]
) -> None:
    run = start(served, named(served, "challenger"))
    run.shadow.offer(asked(served)._replace(served="earlier"))
    run.wait(skipped=2)
    assert not run.log.rows


def test_without_a_challenger_nothing_is_kept_or_queued(
    served: LoadedModel, start: Callable[..., Run]
) -> None:
    run = start(served, None)
    assert (run.shadow.wanted_rows, run.shadow.wants_body) == (0, False)
    run.shadow.offer(asked(served))
    run.shadow.close()
    assert run.counts == Counter()


def test_a_request_is_as_large_as_what_is_kept_of_it() -> None:
    rows: Sequence[str] = [f"v{number}" for number in range(3 * MOST_ROWS)]
    request = ShadowRequest(answered("r", list(rows), [0.5] * len(rows)), "v", [np.zeros((9, 3))])
    assert request.size == MOST_ROWS
    assert request.bytes >= 9 * 3 * 8
