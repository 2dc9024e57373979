"""Regression tests of cells that were read differently in a request than in training.

`test_round_trip.py` covers most; here are the cases that posting a table back does not show.
"""

import gzip
import io
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flask.testing import FlaskClient
from mlflow.exceptions import MlflowException
from werkzeug.test import TestResponse

from lightmodel.cli import exit_code
from lightmodel.contract.columns import Contract
from lightmodel.errors import DataError, LightModelError
from lightmodel.store.versions import splits_of
from tests.fakes.reading import arrow_rows, features_of, read_request
from tests.fakes.trained import Trained, run_chain, scores_in, settings_for, train
from tests.serve.tables.base import lines, rows
from tests.serve.tables.models import Models, case_of

HUGE = 2**64 + 1


def post(client: FlaskClient, body: bytes | str, kind: str = "text/csv") -> TestResponse:
    return client.post("/predict", data=body, content_type=kind)


def table(folder: Path, text: str | bytes, **settings: object) -> list[str]:
    """Write a table, and return the settings of a run on it."""
    path = folder / "rows.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    keys = {name.replace("__", "."): value for name, value in settings.items()}
    return settings_for(folder, {"data.source": path, "data.target": "y", **keys}.items())


def error_of_run(sets: list[str]) -> LightModelError:
    """Return the error that a run ends in; it is the table's, and exits with 65."""
    with pytest.raises(DataError) as caught:
        run_chain(sets)
    assert exit_code(caught.value) == 65
    return caught.value


def trained_on(folder: Path, text: str | bytes, **settings: object) -> Trained:
    path = folder / "rows.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    keys = {name.replace("__", "."): value for name, value in settings.items()}
    return train(folder, {"data.source": path, "data.target": "y", **keys}.items())


# ---- encodings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("charset", ["iso-8859-1", "ISO-8859-1", "latin1", '"windows-1252"'])
def test_the_charset_of_a_request_is_used(models: Models, charset: str) -> None:
    client = models.client("decomposed", compiled=False)  # trained on UTF-8
    text = "a,c\n0.5,Zürich\n0.5,Besançon\n"
    expected = post(client, text.encode()).get_json()
    for body in (text.encode("latin-1"), gzip.compress(text.encode("latin-1"))):
        answer = post(client, body, f"text/csv; charset={charset}")
        assert answer.status_code == 200, answer.text
        assert "X-Unseen-Categories" not in answer.headers
        assert answer.get_json() == expected
    file = (io.BytesIO(text.encode("latin-1")), "rows.csv", f"text/csv; charset={charset}")
    assert client.post("/predict", data={"file": file}).get_json() == expected


def test_a_byte_order_mark_takes_precedence_over_the_charset(models: Models) -> None:
    client = models.client("decomposed", compiled=False)
    text = "a,c\n0.5,Zürich\n"
    expected = post(client, text.encode()).get_json()
    for encoding in ("utf-8-sig", "utf-16"):
        answer = post(client, text.encode(encoding), "text/csv; charset=iso-8859-1")
        assert answer.get_json() == expected


def test_json_may_name_its_charset_or_have_a_mark(models: Models) -> None:
    client = models.client("decomposed", compiled=False)
    body = json.dumps({"a": 0.5, "c": "Zürich"}, ensure_ascii=False)
    expected = post(client, body.encode(), "application/json").get_json()
    assert post(client, body.encode("utf-8-sig"), "application/json").get_json() == expected
    answer = post(client, body.encode("utf-16"), "application/json; charset=utf-16")
    assert answer.get_json() == expected


def test_an_unknown_charset_is_refused(models: Models) -> None:
    answer = post(
        models.client("commas", compiled=False), b"a,c\n1,u\n", "text/csv; charset=klingon"
    )
    assert 400 <= answer.status_code < 500
    assert "klingon" in answer.get_json()["detail"]


@pytest.mark.parametrize("before", [0, 100_000])
def test_windows_1252_may_begin_late_in_a_request(models: Models, before: int) -> None:
    client = models.client("Windows-1252 late", compiled=False)
    text = "a,c\n" + "0.5,rot\n" * before + "0.5,grün\n"
    for encoding in ("cp1252", "utf-8"):
        answer = post(client, text.encode(encoding))
        assert answer.status_code == 200, answer.text
        assert "X-Unseen-Categories" not in answer.headers
        assert answer.get_json()[-1:] == post(client, "a,c\n0.5,grün\n".encode()).get_json()


def test_utf_8_that_is_damaged_is_not_taken_for_windows_1252(models: Models) -> None:
    client = models.client("Windows-1252", compiled=False)
    text = "größe;c\n0.5;Zürich\n".encode() + "0.5;Zürich\n".encode("cp1252")
    assert post(client, text).status_code == 422


# ---- gzip -------------------------------------------------------------------------------------------


def test_zeros_behind_a_gzip_are_padding(models: Models, tmp_path: Path) -> None:
    padded = gzip.compress(case_of("commas").text.encode()) + bytes(512)
    answer = post(models.client("commas", compiled=False), padded)
    assert (
        answer.get_json()
        == post(models.client("commas", compiled=False), case_of("commas").content).get_json()
    )
    assert trained_on(tmp_path, padded).rows == len(rows())


def test_rubbish_behind_a_gzip_is_refused(models: Models, tmp_path: Path) -> None:
    spoilt = gzip.compress(case_of("commas").text.encode()) + b"rubbish"
    assert post(models.client("commas", compiled=False), spoilt).status_code == 422
    assert "gzip" in str(error_of_run(table(tmp_path, spoilt))).lower()


def test_a_second_member_that_is_cut_short_is_refused(models: Models, tmp_path: Path) -> None:
    text = case_of("commas").text.encode()
    whole = gzip.compress(text[:900]) + gzip.compress(text[900:])
    assert post(models.client("commas", compiled=False), whole[:-9]).status_code == 422
    assert "cut short" in str(error_of_run(table(tmp_path, whole[:-9])))


# ---- marks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("decimal commas", "a;b;c;y\n0.500;1;y,0;1\n"),
        ("Excel in Germany", "Ort;Preis\nGenf € 5;0.5\n"),
        ("commas", 'a,c\n"0,5",u\n'),
        ("semicolons", "a;c\n0,5;u\n"),
    ],
)
def test_the_other_decimal_mark_is_refused_and_never_another_number(
    models: Models, name: str, body: str
) -> None:
    answer = post(models.client(name, compiled=False), body.encode())
    assert answer.status_code == 422
    assert "is not a number" in answer.get_json()["detail"]


@pytest.mark.parametrize("name", ["decimal commas", "commas", "tabs", "single quotes"])
def test_another_delimiter_is_detected_by_the_column_names(models: Models, name: str) -> None:
    client, frame = models.client(name, compiled=False), case_of(name).frame
    body = frame.to_csv(index=False, sep="|")
    answer = post(client, body.encode())
    assert answer.status_code == 200, answer.text
    assert answer.get_json() == post(client, case_of(name).content).get_json()


def test_a_body_without_header_is_read_by_the_contracts_names(models: Models) -> None:
    for name in ("adult, no header", "parted by blanks, no header"):
        client, case = models.client(name, compiled=False), case_of(name)
        names = case.settings["data.columns"]
        assert isinstance(names, list)
        mark = ", " if "adult" in name else "  "
        headed = mark.join(names) + "\n" + case.text
        answer = post(client, headed.encode())
        assert answer.get_json() == post(client, case.content).get_json()


def test_one_row_is_read_as_in_the_whole(models: Models) -> None:
    """Nothing is found out from one row: the contract says how it is written."""
    for name in ("decimal commas", "single quotes", "parted by blanks", "quotes after blanks"):
        client, case = models.client(name, compiled=False), case_of(name)
        whole = post(client, case.content).get_json()
        header, *lines_ = case.text.splitlines()
        for at in range(12):
            answer = post(client, f"{header}\n{lines_[at]}\n".encode())
            assert answer.get_json() == whole[at : at + 1], name


def test_a_date_as_a_number_is_refused_with_the_way_to_send_it(models: Models) -> None:
    """As pandas writes it by default: nothing tells milliseconds from seconds, or from Excel's days."""
    client = models.client("moments", compiled=False)
    body = '[{"a": 0.5, "c": 1704067200000}]'
    answer = post(client, body, "application/json")
    assert (answer.status_code, answer.get_json()["violations"][0]["column"]) == (422, "c")
    assert "to_json(date_format='iso')" in answer.get_json()["hint"]
    assert "to_json" not in post(client, "a,c\nx,2023-01-01 10:00:00\n").get_json()["hint"]


# ---- whole numbers that float64 does not hold -------------------------------------------------------


def test_ids_beyond_float64_are_kept_in_the_split(models: Models) -> None:
    for name in ("large ids", "huge ids"):
        model, ids = models.model(name), case_of(name).ids
        assert ids is not None
        split = splits_of(model.config).get(model.served.manifest.inputs["split"])
        text = "".join(split.file(f"{side}.csv").read_text() for side in ("train", "test"))
        assert all(one in text for one in ids), name


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_an_id_beyond_64_bits_comes_back_exactly(models: Models, kind: str) -> None:
    client = models.client("large ids", compiled=False)
    body = f'{{"order_id": {HUGE}, "a": 0.5, "c": "u"}}\n'
    answer = post(client, body, kind)
    if answer.status_code == 422:
        assert "order_id" in answer.get_json()["detail"]
    else:
        (row,) = answer.get_json()
        assert str(row["order_id"]) == str(HUGE)
        assert isinstance(row["order_id"], int | str)


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_names_with_blanks_stay_known_where_integers_have_many_digits(
    models: Models, kind: str
) -> None:
    client = models.client("large ids", compiled=False)
    body = f'{{" order_id ": {HUGE}, "a ": 0.5, " c": "u"}}\n'
    (row,) = post(client, body, kind).get_json()
    (expected,) = post(client, f"order_id,a,c\n{HUGE},0.5,u\n").get_json()
    assert str(row.pop("order_id")) == str(expected.pop("order_id")) == str(HUGE)
    assert row == expected


def test_an_id_beyond_64_bits_comes_back_exactly_in_csv(models: Models) -> None:
    client = models.client("large ids", compiled=False)
    for one in (2**53 + 1, 2**63, HUGE, 10**30):
        (row,) = post(client, f"order_id,a,c\n{one},0.5,u\n").get_json()
        assert str(row["order_id"]) == str(one)


def test_a_feature_beyond_float64_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        trained_on(tmp_path, case_of("a large feature").content)
    assert any("'n'" in record.getMessage() for record in caplog.records)


def test_a_target_beyond_float64_is_refused_by_name(tmp_path: Path) -> None:
    text = lines("a,y", lambda row: f"{row.a},{9007199254740993 + row.at}")
    error = error_of_run(table(tmp_path, text, train__task="regression"))
    assert "y" in error.message
    assert "9007199254740993" not in error.message + error.hint


def test_groups_that_are_equal_in_float64_are_kept_apart(tmp_path: Path) -> None:
    """Two neighbours beyond 2^53 are one float64, and two groups."""
    text = lines("g,a,c,y", lambda row: f"{2**53 + row.at % 60},{row.a},{'uvw'[row.pick]},{row.y}")
    model = trained_on(tmp_path, text, split__method="group:g")
    split = splits_of(model.config).get(model.served.manifest.inputs["split"])
    groups = [
        {line.split(",")[0] for line in split.file(f"{side}.csv").read_text().splitlines()[1:]}
        for side in ("train", "test")
    ]
    assert not groups[0] & groups[1]
    assert len(groups[0] | groups[1]) == 60


# ---- names and cells --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["y ", " y", "y\u00a0"])
def test_the_target_may_be_named_with_the_blanks_of_the_file(tmp_path: Path, target: str) -> None:
    text = case_of("commas").text.replace("a,c,y", f"a,c,{target}")
    assert trained_on(tmp_path, text, data__target=target).rows == len(rows())


def test_the_target_may_be_named_in_either_form_of_unicode(tmp_path: Path) -> None:
    text = case_of("commas").text.replace("a,c,y", "a,c,Gro\u0308\u00dfe")
    assert trained_on(tmp_path, text, data__target="Gr\u00f6\u00dfe").rows == len(rows())


def test_a_category_in_either_form_is_one(models: Models) -> None:
    contract = models.model("decomposed").served.contract
    (column,) = (column for column in contract.features if column.categories)
    assert column.categories == ("Besan\u00e7on", "Genf", "Z\u00fcrich")


def test_too_many_columns_are_refused_as_such(models: Models) -> None:
    names = ",".join(f"column {at}" for at in range(100_000))
    cells = ",".join("1" * 100_000)
    answer = post(models.client("commas", compiled=False), f"{names}\n{cells}\n")
    assert answer.status_code == 413
    assert "columns" in answer.get_json()["detail"]


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.compiler)])
def test_a_number_of_5000_digits_is_a_number(
    models: Models, tmp_path: Path, *, compiled: bool
) -> None:
    long = "0." + "3" * 5_000
    client = models.client("commas", compiled=compiled)
    answer = post(client, f"a,c\n{long},u\n")
    assert answer.status_code == 200, answer.text
    assert answer.get_json() == post(client, f"a,c\n{1 / 3!r},u\n").get_json()
    record = f'{{"a": {long}, "c": "u"}}'
    assert post(client, record, "application/json").get_json() == answer.get_json()
    text = case_of("commas").text.replace("\n0.", f"\n{long},u,1\n0.", 1)
    assert trained_on(tmp_path, text).rows == len(rows()) + 1


def test_true_means_the_same_in_json_and_csv(models: Models) -> None:
    """A column of True, False and Unknown gave opposite answers, both with status 200."""
    client = models.client("True, False, Unknown", compiled=False)
    for word, value in (("True", True), ("False", False)):
        answers = [
            post(client, json.dumps({"a": 0.5, "c": value}), "application/json").get_json(),
            post(client, json.dumps({"a": 0.5, "c": word}), "application/json").get_json(),
            *(
                post(client, f"a,c\n0.5,{text}\n").get_json()
                for text in (word, word.lower(), word.upper())
            ),
        ]
        assert all(answer == answers[0] for answer in answers)


def test_missing_values_are_recognised_as_in_training(models: Models) -> None:
    """Not what the service's settings say."""
    model = models.model("own missing")
    config = model.config.model_copy(
        update={"data": model.config.data.model_copy(update={"na_values": ("NA",)})}
    )
    other = Trained(config, model.served, model.train_scores, model.test_scores)
    body = "a,b,c\n0.5,5,-1\n0.5,5,NA\n0.5,-1,v\n"
    expected = post(models.client("own missing", compiled=False), body).get_json()
    assert post(other.client(compiled=False), body).get_json() == expected


def test_a_ragged_row_is_named_by_its_number(models: Models) -> None:
    answer = post(models.client("commas", compiled=False), "a,c\n0.5,u\n0.5\n0.5,u\n0.5,u,v\n")
    assert answer.status_code == 422
    assert "rows 2, 4" in answer.get_json()["detail"]


def test_ids_are_exact_in_an_answer_as_csv(models: Models) -> None:
    for name in ("large ids", "huge ids", "padded ids"):
        case, client = case_of(name), models.client(name, compiled=False)
        for body, kind in (
            (case.content, "text/csv"),
            (case.frame.to_json(orient="records").encode(), "application/json"),
        ):
            headers = {"Accept": "text/csv"}
            answer = client.post("/predict", data=body, content_type=kind, headers=headers)
            _, *cells = answer.text.splitlines()
            assert [line.split(",")[0].strip('"') for line in cells] == case.ids, name


# ---- other ways to train ----------------------------------------------------------------------------


def scored(model: Trained, *bodies: bytes) -> list[list[float]]:
    """Post files, and return all scores in a fixed order."""
    client, found = model.client(compiled=False), list[list[float]]()
    for body in bodies:
        answer = post(client, body)
        assert answer.status_code == 200, answer.text
        assert "X-Unseen-Categories" not in answer.headers
        found += map(scores_in, answer.get_json())
    return sorted(found)


@pytest.mark.parametrize(
    "name", ["True, False, Unknown", "decomposed", "booleans with gaps", "large ids", "own missing"]
)
def test_a_split_in_parquet_is_no_other_table(tmp_path: Path, name: str) -> None:
    case = case_of(name)
    settings = {key.replace(".", "__"): json.dumps(value) for key, value in case.settings.items()}
    model = trained_on(tmp_path, case.content, **settings, data__format="parquet")
    assert scored(model, case.content) == sorted(model.train_scores + model.test_scores)


def test_a_table_of_several_files_may_be_written_in_several_ways(tmp_path: Path) -> None:
    """Then the dialect is known as far as they agree; each file is still read as in training."""
    comma = lines("a,c,y", lambda row: f"{row.a},{'uvw'[row.pick]},{row.y}", made=rows()[:80])
    point = lines(
        "a;c;y",
        lambda row: f"{row.a.replace('.', ',')};{'uvw'[row.pick]};{row.y}",
        made=rows()[80:],
    )
    for name, text in (("part-1.csv", comma), ("part-2.csv", point)):
        (tmp_path / name).write_text(text)
    model = train(tmp_path, {"data.source": tmp_path / "part-*.csv", "data.target": "y"}.items())
    scores = scored(model, comma.encode(), point.encode())
    assert scores == sorted(model.train_scores + model.test_scores)


@pytest.mark.parametrize("name", ["decimal commas", "Windows-1252", "single quotes"])
def test_a_newer_table_may_be_written_otherwise(tmp_path: Path, name: str) -> None:
    """The dialect belongs to the newest table, whatever the contract in force had."""
    case = case_of(name)
    trained_on(tmp_path, case.frame.to_csv(index=False))
    model = trained_on(tmp_path, case.content, gate__max_regression="1")
    assert scored(model, case.content) == sorted(model.train_scores + model.test_scores)


# ---- models that exist ------------------------------------------------------------------------------


def test_a_contract_without_a_dialect_is_read_as_before(models: Models) -> None:
    model = models.model("semicolons")
    content: dict[str, Any] = dict(model.served.manifest.contract or {})
    content.pop("dialect", None)
    contract = Contract.from_dict(content)
    frame = case_of("semicolons").frame
    bodies = [case_of("semicolons").content, frame.to_csv(index=False).encode()]
    first, second = (
        features_of(read_request(contract, arrow_rows, model.config.data, [body]))
        for body in bodies
    )
    assert first.tobytes() == second.tobytes()
    assert len(first) == model.rows


# ---- feedback ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model with ids in Windows-1252, labels with decimal commas, and a prediction log."""
    folder = tmp_path_factory.mktemp("labelled")
    text = lines(
        "id;a;c;y",
        lambda row: (
            f"Köln-{row.at};{row.a.replace('.', ',')};{'uvw'[row.pick]};"
            f"{f'{float(row.a) + row.pick:.3f}'.replace('.', ',')}"
        ),
    )
    log = {"log__sink": "sqlite", "log__folder": folder / "log"}
    return trained_on(folder, text.encode("cp1252"), **log)


def test_the_training_file_can_be_sent_as_feedback(labelled: Trained) -> None:
    client = labelled.client(compiled=False)
    body = (Path(str(labelled.config.data.source))).read_bytes()
    for answer in (
        client.post("/feedback", data=body, content_type="text/csv"),
        client.post("/feedback", data={"file": (io.BytesIO(body), "rows.csv")}),
        client.post("/feedback", data=gzip.compress(body), content_type="text/csv"),
        client.post(
            "/feedback",
            data=body.decode("cp1252").encode("utf-16"),
            content_type="text/csv; charset=utf-16",
        ),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["rows"] == labelled.rows


def test_feedback_is_read_in_every_format(labelled: Trained) -> None:
    client = labelled.client(compiled=False)
    frame = pd.DataFrame({"id": ["Köln-1", "Köln-2"], "y": [1.5, 2.25]})
    parquet, excel = io.BytesIO(), io.BytesIO()
    frame.to_parquet(parquet, index=False)
    frame.to_excel(excel, index=False)
    records = frame.to_json(orient="records")
    for body, kind in (
        (records, "application/json"),
        (frame.to_json(orient="records", lines=True), "application/x-ndjson"),
        (parquet.getvalue(), "application/octet-stream"),
        (excel.getvalue(), "application/octet-stream"),
    ):
        answer = client.post("/feedback", data=body, content_type=kind)
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["rows"] == 2


@pytest.mark.parametrize("empty", ["", "NA", " "])
def test_rows_without_a_label_are_counted_and_left_out(labelled: Trained, empty: str) -> None:
    client = labelled.client(compiled=False)
    answer = client.post(
        "/feedback", data=f"id;y\nx1;1,5\nx2;{empty}\nx3;2,5\n", content_type="text/csv"
    )
    assert answer.status_code == 200, answer.text
    counts = answer.get_json()
    assert counts["matched"] + counts["unmatched"] == 2
    assert 1 in (value for name, value in counts.items() if name not in {"matched", "unmatched"})


def test_an_unknown_label_is_refused(labelled: Trained) -> None:
    answer = labelled.client(compiled=False).post(
        "/feedback", data="id;y\nx1;1,5\nx2;many\n", content_type="text/csv"
    )
    assert answer.status_code == 422
    assert "many" not in answer.text


def test_pyfunc_refuses_what_the_service_refuses(models: Models) -> None:
    """MLflow's model applies the same rules."""
    model, frame = models.model("commas"), case_of("commas").frame
    for spoilt in (frame.drop(columns="a"), frame.assign(a="word")):
        with pytest.raises(MlflowException, match="'a'"):
            model.row_model().predict(spoilt)
