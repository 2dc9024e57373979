"""Records are scored each by itself, exactly as the service scores them."""

import random

import orjson
import pytest

import lightmodel.service
from lightmodel.scoring.model_store import open_version
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from lightmodel.streams.base import Record
from lightmodel.streams.scoring import score_records
from tests.fakes.project import Project
from tests.fakes.streams import GOOD, config_of, records_of, visit


@pytest.fixture(scope="module")
def model(trained_shop: Project) -> LoadedModel:
    config = config_of(trained_shop)
    return open_version(newest_approved(models_of(config)), config)


def test_records_get_the_answers_of_the_service(trained_shop: Project, model: LoadedModel) -> None:
    rows = [visit(number) for number in range(300)]
    client = lightmodel.service.create_app(config_of(trained_shop)).test_client()
    expected = client.post("/predict", json=rows).get_json()
    assert [one.row for one in score_records(model, records_of(*rows)).answers] == expected


BAD = {
    "a text in place of a number": {**GOOD, "age": "old"},
    "a column is absent": {"visit_id": "v", "spent": 1, "where": "web"},
    "no JSON": b"{age:",
    "no object": b"17",
    "empty": b" ",
    "not UTF-8": b'{"age": "\xff"}',
    "no row": b"[]",
    "no column": b"{}",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_record_is_rejected_alone(model: LoadedModel, content: object) -> None:
    scored = score_records(model, records_of(visit(1), content, visit(2), content, visit(3)))
    assert [one.place.at for one in scored.answers] == [0, 2, 4]
    assert [(one.place.at, one.place.name) for one in scored.rejected] == [(1, "0:1"), (3, "0:3")]


def test_every_bad_record_among_many_is_found(model: LoadedModel) -> None:
    bad = set(random.Random(0).sample(range(400), 37))
    rows = [BAD["a text in place of a number"] if at in bad else visit(at) for at in range(400)]
    scored = score_records(model, records_of(*rows))
    assert {one.place.at for one in scored.rejected} == bad
    assert [one.place.at for one in scored.answers] == sorted(set(range(400)) - bad)


def test_an_absent_column_is_no_missing_value_because_of_other_records(model: LoadedModel) -> None:
    short = {"visit_id": "v", "age": 30, "where": "web"}  # spent is missing at times
    for rows in ([short], [GOOD, short]):
        scored = score_records(model, records_of(*rows))
        assert [one.place.at for one in scored.rejected] == [len(rows) - 1]


def test_lines_and_lists_are_rows_of_their_own(model: LoadedModel) -> None:
    lines = b"\n".join(map(orjson.dumps, [visit(1), visit(2)])) + b"\n"
    broken = orjson.dumps(visit(3)) + b"\n{age}\n\n" + orjson.dumps(visit(4))
    pretty = orjson.dumps(visit(5), option=orjson.OPT_INDENT_2)
    listed = [visit(6), visit(7)]
    scored = score_records(model, records_of(lines, broken, pretty, listed))
    assert [(one.place.name, one.row["visit_id"]) for one in scored.answers] == [
        *(("0:0#1", "n1"), ("0:0#2", "n2"), ("0:1#1", "n3"), ("0:1#4", "n4")),
        *(("0:2", "n5"), ("0:3#1", "n6"), ("0:3#2", "n7")),
    ]
    assert [one.place.name for one in scored.rejected] == ["0:1#2"]
    assert "line 2" in scored.rejected[0].error.message


def test_long_ids_keep_all_their_digits(model: LoadedModel) -> None:
    long = 123456789012345678901234567890
    one = f'{{"visit_id": {long}, "age": 40, "spent": 1.5, "where": "web"}}'.encode()
    scored = score_records(
        model, records_of(one, one + b"\n" + one, b"[" + one + b"," + one + b"]")
    )
    assert {str(answer.row["visit_id"]) for answer in scored.answers} == {str(long)}
    assert len(scored.answers) == 5


def test_a_mark_at_the_beginning_is_no_part_of_the_record(model: LoadedModel) -> None:
    scored = score_records(model, [Record(b"\xef\xbb\xbf" + orjson.dumps(GOOD), "", "1")])
    assert [one.row["visit_id"] for one in scored.answers] == ["v1"]
    assert scored.answers[0].place.name == "1"


def test_too_many_columns_are_too_large(model: LoadedModel) -> None:
    wide = {**GOOD, **{f"c{number}": 1 for number in range(6_000)}}
    scored = score_records(model, records_of(wide, GOOD))
    assert [type(one.error).__name__ for one in scored.rejected] == ["TooLarge"]
    assert len(scored.answers) == 1
