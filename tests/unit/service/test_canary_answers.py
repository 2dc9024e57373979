"""A canary answers its share of the ids, and the stable version whatever it cannot."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lightmodel.config import load
from lightmodel.contract.cells import Matrix
from lightmodel.scoring.answer_writers import JsonWriter
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.canary import Canaries, Canary
from lightmodel.service.request_scorer import RequestScorer
from lightmodel.store.canary import is_canarys
from lightmodel.tables.blocks import Block
from tests.fakes.project import Project
from tests.fakes.tables import shop_table

RECORDS = shop_table(rows=60, seed=5).drop_columns(["bought"]).to_pylist()
Score = Callable[[Matrix], Any]


@pytest.fixture(scope="module")
def stable(trained_shop: Project) -> LoadedModel:
    file, folder = trained_shop.folder / "config.toml", trained_shop.folder
    return ModelStoreView(load(file, [f"store.root={folder}"], {}).config).newest(None)


def other(stable: LoadedModel, score: Score | None = None) -> LoadedModel:
    """Return a canary that scores by this function, by default the complement of the stable version."""
    opposite: Score = lambda features: 1 - stable.predictor.score(features)  # noqa: E731
    predictor = replace(stable.predictor, score=score or opposite)
    return replace(stable, predictor=predictor, manifest=replace(stable.manifest, version="new"))


def canary_of(
    stable: LoadedModel, model: LoadedModel, share: float = 0.4
) -> tuple[Canary, Counter[str]]:
    counts = Counter[str]()

    def count(result: str, rows: int) -> None:
        counts[result] += rows

    canaries = Canaries(share, count)
    canaries.use(model, stable)
    canary = canaries.of(stable)
    assert canary is not None
    assert canaries.of(model) is None
    return canary, counts


def block_of(stable: LoadedModel, records: list[dict[str, Any]] = RECORDS) -> Block:
    return stable.body_reader.json_blocks.block(records)


def scorer_of(stable: LoadedModel, canary: Canary, request: str = "r") -> RequestScorer:
    writer = JsonWriter()
    return RequestScorer(
        stable, writer, None, 10_000, keep_features=False, canary=canary, request_id=request
    )


def test_each_row_is_answered_by_its_sides_model_in_order(stable: LoadedModel) -> None:
    canary, counts = canary_of(stable, other(stable))
    block = block_of(stable)
    shared = canary.answer(block, "r", threshold=0.3, explain=2)
    sides = [is_canarys(row["visit_id"], "new", 0.4) for row in RECORDS]
    assert shared.asked.tolist() == sides
    assert 0 < sum(sides) < len(sides)
    scores = stable.predictor.score(block.features)
    expected = np.where(sides, 1 - scores, scores)
    assert shared.answers.scores.tolist() == pytest.approx(expected.tolist())
    decided = ["yes" if one >= 0.3 else "no" for one in expected]
    assert shared.answers.predictions == decided
    whole = stable.predictor.answer(block, threshold=0.3, explain=2)
    assert shared.answers.ids == whole.ids
    assert shared.answers.contributions == whole.contributions
    assert counts == Counter(answered=sum(sides))


def test_the_log_and_the_header_name_both_versions(stable: LoadedModel) -> None:
    canary, _ = canary_of(stable, other(stable))
    scorer = scorer_of(stable, canary)
    for start in (0, 30):
        scorer.add(block_of(stable, RECORDS[start : start + 30]))
    sides = [is_canarys(row["visit_id"], "new", 0.4) for row in RECORDS]
    logged = scorer.rows_to_log("r")
    assert list(logged.version) == ["new" if one else stable.version for one in sides]
    assert scorer.headers()["X-Model-Version"] == f"{stable.version}, new"
    assert scorer.failed_rows("r") is None


def test_rows_without_an_id_are_on_the_side_of_their_request(stable: LoadedModel) -> None:
    canary, _ = canary_of(stable, other(stable))
    records = [{**row, "visit_id": None} for row in RECORDS]
    absent = [{key: row[key] for key in ("age", "spent", "where")} for row in RECORDS]
    requests = [f"request-{number}" for number in range(40)]
    for several in (records, absent):
        block = block_of(stable, several)
        sides = [set(canary.asked(block.ids, len(several), one).tolist()) for one in requests]
        assert sides == [{is_canarys(one, "new", 0.4)} for one in requests]
    assert {True} in sides
    assert {False} in sides


def boom(_: Matrix) -> Any:
    raise ValueError("cell 4711")


def infinite(features: Matrix) -> Any:
    return np.full(len(features), np.inf)


@pytest.mark.parametrize("score", [boom, infinite])
def test_what_a_canary_cannot_score_the_stable_version_answers(
    stable: LoadedModel, score: Score, caplog: pytest.LogCaptureFixture
) -> None:
    canary, counts = canary_of(stable, other(stable, score))
    scorer = scorer_of(stable, canary)
    block = block_of(stable)
    scorer.add(block)
    assert scorer.answered[0].predictions == stable.predictor.answer(block).predictions
    sides = [is_canarys(row["visit_id"], "new", 0.4) for row in RECORDS]
    assert counts == Counter(failed=sum(sides))
    assert set(scorer.rows_to_log("r").version) == {stable.version}
    failed = scorer.failed_rows("r")
    assert failed is not None
    assert (failed.version, set(failed.predictions)) == ("new", {None})
    assert list(failed.numbers or ()) == [at + 1 for at, one in enumerate(sides) if one]
    assert list(failed.ids or ()) == [
        row["visit_id"] for row, one in zip(RECORDS, sides, strict=True) if one
    ]
    assert canary.is_stopped  # 5 rows and more than 1 %
    assert not canary.asked(block.ids, len(RECORDS), "r").any()
    assert "live --check` withdraws it" in caplog.text
    assert "4711" not in caplog.text


def test_few_failures_among_many_rows_do_not_stop_a_canary(stable: LoadedModel) -> None:
    canary, _ = canary_of(stable, other(stable), share=0.999)
    for _ in range(12):
        canary.answer(block_of(stable), "r")
    canary.fail(6, ValueError())
    assert not canary.is_stopped
    canary.fail(2, ValueError())
    assert canary.is_stopped


def test_a_canary_without_contributions_is_not_asked_for_them(stable: LoadedModel) -> None:
    model = other(stable)
    mute = replace(model, predictor=replace(model.predictor, contribute=None))
    canary, counts = canary_of(stable, mute)
    block = block_of(stable)
    shared = canary.answer(block, "r", explain=1)
    assert shared.answers.predictions == stable.predictor.answer(block).predictions
    assert (shared.answers.contributions is not None, counts) == (True, Counter())
