"""The contract of a study, whatever storage its trials are in."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lightmodel.contract.task import METRICS
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.search.ranges import Range
from lightmodel.search.storages import FolderStorage, PostgresStorage
from lightmodel.search.studies import OptunaStudy, StudyPlan, Trial
from tests.fakes.postgres import Postgres, postgres

RANGES = (Range("leaves", 2, 64, is_int=True, log=True), Range("step", 0.01, 0.5, log=True))
PLAN = StudyPlan(
    "a study",
    RANGES,
    METRICS["auc"],
    seed=3,
    trials=6,
    n_startup_trials=2,
    percentile=25.0,
    first={"leaves": 8, "step": 0.1},
)
Open = Callable[[StudyPlan], OptunaStudy]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["folder", pytest.param("postgres", marks=pytest.mark.postgres)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Yield a function that opens studies in one storage; close them at the end."""
    url = request.getfixturevalue("cluster").url if request.param == "postgres" else ""
    studies: list[OptunaStudy] = []

    def open_study(plan: StudyPlan) -> OptunaStudy:
        plan = replace(plan, name=f"{plan.name} {tmp_path.name}")
        storage = PostgresStorage(url) if url else FolderStorage(tmp_path / "study")
        studies.append(OptunaStudy(plan, storage))
        return studies[-1]

    yield open_study
    for study in studies:
        study.close()


def asked(study: OptunaStudy) -> Trial:
    trial = study.ask()
    assert trial is not None
    return trial


def test_the_first_trial_is_the_one_to_begin_with(opened: Open) -> None:
    assert asked(opened(PLAN)).parameters == PLAN.first


def test_it_asks_within_the_ranges_until_there_are_enough(opened: Open) -> None:
    study = opened(PLAN)
    for at in range(PLAN.trials):
        one = asked(study)
        for bounds in RANGES:
            value = one.parameters[bounds.name]
            assert bounds.low <= value <= bounds.high
            assert not bounds.is_int or value == int(value)
        study.complete(one.number, at / 10)
    assert study.ask() is None


def test_trials_are_read_back_as_they_were_reported(opened: Open) -> None:
    study = opened(PLAN)
    first, second, third = asked(study), asked(study), asked(study)
    study.report(first.number, 0, 0.5)
    study.report(first.number, 1, 0.6)
    study.complete(first.number, 0.7)
    study.report(second.number, 0, 0.2)
    study.prune(second.number)
    trials = {trial.number: trial for trial in study.trials()}
    assert (trials[first.number].state, trials[first.number].value) == ("complete", 0.7)
    assert trials[first.number].folds == (0.5, 0.6)
    assert trials[first.number].parameters == first.parameters
    assert (trials[second.number].state, trials[second.number].value) == ("pruned", 0.2)
    assert trials[third.number].state == "running"
    assert trials[first.number].created <= trials[first.number].ended


@pytest.mark.parametrize("value", [math.nan, None])
def test_a_trial_without_a_value_counts_for_nothing(opened: Open, value: float | None) -> None:
    study = opened(replace(PLAN, trials=1))
    lost = asked(study)
    if value is None:
        study.fail(lost.number)
        study.fail(lost.number)  # nothing more happens
    else:
        study.complete(lost.number, value)
    again = asked(study)
    study.complete(again.number, 0.5)
    assert study.ask() is None
    assert [trial.state for trial in study.trials()] == ["failed", "complete"]


def test_a_trial_behind_the_finished_ones_is_pruned(opened: Open) -> None:
    study = opened(replace(PLAN, n_startup_trials=4))
    for at in range(4):
        one = asked(study)
        for fold in range(2):
            assert not study.report(one.number, fold, 0.8 + at / 100)
        study.complete(one.number, 0.8 + at / 100)
    poor, good = asked(study), asked(study)
    assert not study.report(poor.number, 0, 0.4)  # one fold alone says little
    assert study.report(poor.number, 1, 0.4)
    assert not study.report(good.number, 0, 0.95)
    assert not study.report(good.number, 1, 0.95)


def test_nothing_is_pruned_at_a_percentile_of_100(opened: Open) -> None:
    study = opened(replace(PLAN, percentile=100.0))
    for _ in range(5):
        one = asked(study)
        study.report(one.number, 1, 0.9)
        study.complete(one.number, 0.9)
    assert not study.report(asked(study).number, 1, 0.1)


def test_a_reopened_study_resumes(opened: Open) -> None:
    study = opened(PLAN)
    one = asked(study)
    study.complete(one.number, 0.5)
    study.close()
    again = opened(PLAN)
    assert [trial.value for trial in again.trials()] == [0.5]
    assert asked(again).number == one.number + 1


def test_a_trial_that_others_failed_as_stale_is_stopped(opened: Open) -> None:
    study = opened(PLAN)
    one = asked(study)
    study.fail(one.number)
    assert study.report(one.number, 0, 0.5)


def test_the_starting_point_is_tried_again_when_its_process_died(opened: Open) -> None:
    study = opened(PLAN)
    study.fail(asked(study).number)
    study.close()
    assert asked(opened(PLAN)).parameters == PLAN.first


def test_a_study_whose_trials_all_fail_ends(opened: Open) -> None:
    study = opened(PLAN)
    count = 0
    while (one := study.ask()) is not None:
        study.complete(one.number, math.nan)
        count += 1
        assert count < 50
    assert count == 10


def test_two_at_once_share_the_trials(opened: Open) -> None:
    one, other = opened(PLAN), opened(PLAN)
    numbers = []
    for study in (one, other) * (PLAN.trials // 2):
        numbers.append(asked(study).number)
        study.complete(numbers[-1], 0.5)
    assert len(set(numbers)) == PLAN.trials
    assert one.ask() is None
    assert other.ask() is None


def test_the_same_answers_in_another_study_lead_to_other_trials(tmp_path: Path) -> None:
    """Two processes that start together must not try the same parameters."""
    drawn = []
    for name in ("a", "b"):
        study = OptunaStudy(PLAN, FolderStorage(tmp_path / name))
        for _ in range(3):
            one = asked(study)
            study.complete(one.number, 0.5)
        drawn.append(one.parameters)
        study.close()
    assert drawn[0] != drawn[1]


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path: Path) -> None:
    study = OptunaStudy(PLAN, FolderStorage(tmp_path))
    study.complete(asked(study).number, 0.5)
    study.close()
    with (tmp_path / "journal.log").open("a", encoding="utf-8") as journal:
        journal.write('{"op_code": 4, "wor')
    again = OptunaStudy(PLAN, FolderStorage(tmp_path))
    assert [trial.value for trial in again.trials()] == [0.5]
    again.complete(asked(again).number, 0.6)
    again.close()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "url",
    [
        *("mysql://me:secret@host/name", "postgresql://a b:secret@[", "x"),
        *("postgresql://me:p@ss:secret@127.0.0.1:5432/db", "postgresql://me:secret@host:port/db"),
    ],
)
def test_an_invalid_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="not the URL") as caught:
        PostgresStorage(url)
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_an_unreachable_database_is_reported_without_its_password() -> None:
    with pytest.raises(SourceUnavailable, match="does not answer") as caught:
        PostgresStorage("postgresql://app:secret-word@127.0.0.1:9/none")
    assert "secret-word" not in str(caught.value)
