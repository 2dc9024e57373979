"""`POST /feedback`, and the commands `feedback`, `live` and `export` on the same log."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from flask.testing import FlaskClient
from pyarrow import parquet

from lightmodel.config import Config, load
from lightmodel.predictions.factory import log_folder, open_log
from lightmodel.service import create_app
from tests.fakes.answers import answered
from tests.fakes.project import Project
from tests.fakes.small_files import small_files


@pytest.fixture(scope="module")
def trained(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one approved model; each test has a prediction log of its own."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(trained_shop.folder, folder, dirs_exist_ok=True)
    return Project(folder)


@pytest.fixture
def config(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(trained.folder)
    return load(None, [f"log.folder={tmp_path / 'log'}"], {}).config


@pytest.fixture
def client(config: Config) -> Iterator[FlaskClient]:
    with create_app(config).test_client() as opened:
        yield opened


def log_answers(config: Config, version: str, probabilities: dict[str, float]) -> None:
    log = open_log(config, lambda _name, _number: None)
    rows = answered("r1", list(probabilities), list(probabilities.values()), version=version)
    assert log is not None
    log.record(rows)
    log.close()


def test_labels_are_counted_by_whether_their_id_was_answered(
    client: FlaskClient, config: Config, trained: Project
) -> None:
    log_answers(config, trained.models()[0].name, {"v1": 0.9, "v2": 0.2})
    body = "visit_id,bought\nv1,yes\nv2,no\nv3,no\n"
    shop = io.BytesIO(Path("shop.csv").read_bytes())
    replies = [
        client.post("/feedback", data=body, content_type="text/csv; charset=utf-8"),
        client.post("/feedback", json=[{"visit_id": f"v{n}", "bought": "yes"} for n in (1, 2, 3)]),
        client.post("/feedback", data={"file": (shop, "labels.csv")}),
    ]
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    counts = {"rows": 3, "matched": 2, "unmatched": 1, "without_label": 0}
    assert replies[0].json == replies[1].json == counts
    assert replies[2].json == {**counts, "rows": 600, "matched": 0, "unmatched": 600}


def test_labels_come_in_any_form_and_empty_ones_are_counted(client: FlaskClient) -> None:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"visit_id": ["v1", "v2"], "bought": ["yes", None]}), sink)
    lines = b'{"visit_id": "v1", "bought": "yes"}\n{"visit_id": "v2"}\n'
    replies = [
        client.post("/feedback", data=b"visit_id;bought\nv1;yes\nv2;\n", content_type="text/csv"),
        client.post("/feedback", data=lines, content_type="application/x-ndjson"),
        client.post("/feedback", data=sink.getvalue(), content_type="application/octet-stream"),
    ]
    counts = {"rows": 2, "matched": 0, "unmatched": 1, "without_label": 1}
    assert [reply.json for reply in replies] == [counts] * 3


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"visit_id,bought\nv1,perhaps\n", "text/csv", 422, "bought"),
        (b"visit_id\nv1\n", "text/csv", 422, "bought"),
        (b"bought\nyes\n", "text/csv", 422, "visit_id"),
        (b"", "text/csv", 422, "empty"),
        (b'[{"visit_id": 1', "application/json", 422, "not JSON"),
        (b"[1]", "application/json", 422, "JSON object"),
        (b"x", "application/zip", 415, "text/csv"),
        (b"x", "multipart/form-data; boundary=x", 400, "cut short"),
    ],
)
def test_a_body_without_valid_labels_is_a_problem_with_the_reason(
    client: FlaskClient, body: bytes, kind: str, status: int, reason: str
) -> None:
    reply = client.post("/feedback", data=body, content_type=kind)
    assert reply.status_code == status
    assert reply.mimetype == "application/problem+json"
    assert reason in reply.text
    assert "perhaps" not in reply.text


def test_the_problem_names_the_setting_if_the_log_is_off(trained: Project) -> None:
    config = load(trained.folder / "config.toml", ["log.sink=none"], {}).config
    config = config.model_copy(
        update={"store": config.store.model_copy(update={"root": trained.folder})}
    )
    with create_app(config).test_client() as client:
        reply = client.post("/feedback", json={"visit_id": "v1", "bought": "yes"})
    assert reply.status_code == 500
    assert "log.sink" in reply.text


def test_labels_from_a_file_appear_in_the_live_metrics(config: Config, trained: Project) -> None:
    version = trained.models()[0].name
    setting = f"log.folder={config.log.folder}"
    empty = trained.tool("live", "--set", setting)
    assert (empty.code, empty.out) == (0, "no row has been answered yet\n")
    log_answers(config, version, {f"v{n}": 0.9 if n % 2 else 0.2 for n in range(40)})
    early = trained.tool("live", "--set", setting)
    assert "no label has arrived yet" in early.out
    lines = ["bought,visit_id"]
    lines += [f"{'yes' if n % 2 or n == 0 else 'no'},v{n}" for n in range(20)]
    Path("labels.csv").write_text("\n".join(lines))
    command = trained.tool("feedback", "labels.csv", "--set", setting)
    assert (command.code, command.out) == (
        0,
        "20 rows: 20 ids match predictions, 0 do not (yet)\n",
    )
    shown = trained.tool("live", "--set", setting)
    header, row, *_ = shown.out.splitlines()
    cells = dict(zip(header.split(), row.split(), strict=True))
    assert (cells["version"], cells["rows"], cells["labelled"]) == (version, "40", "20")
    assert cells["accuracy"] == "0.9500"
    assert {"auc", "log_loss", "f1", "brier"} <= set(cells)


def test_an_invalid_file_of_labels_ends_in_exit_code_65_and_the_reason(
    config: Config, trained: Project
) -> None:
    Path("bad.csv").write_text(json.dumps({"visit_id": 1}))
    command = trained.tool("feedback", "bad.csv", "--set", f"log.folder={config.log.folder}")
    assert command.code == 65
    assert "'bought': is not in the table" in command.err


def test_the_log_is_exported_with_the_labels_that_have_arrived(
    config: Config, trained: Project
) -> None:
    version = trained.models()[0].name
    log_answers(config, version, {"v1": 0.9, 'a "b", c': 0.2})
    Path("labels.csv").write_text("bought,visit_id\nno,v1\n")
    setting = f"log.folder={config.log.folder}"
    assert trained.tool("feedback", "labels.csv", "--set", setting).code == 0
    exported = trained.tool("export", "labelled.csv", "--set", setting)
    assert (exported.code, exported.out) == (0, "2 rows written to labelled.csv\n")
    with Path("labelled.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "request": "r1",
        "row": "1",
        "time": "2026-01-03T12:00:00.000000Z",
        "version": version,
        "id": "v1",
        "prediction": "yes",
        "probability": "0.9",
        "features": "",
        "truth": "no",
    }
    assert (second["id"], second["truth"]) == ('a "b", c', "")
    shown = trained.tool("export", "-", "--day", "2026-01-04", "--set", setting)
    assert "0 rows written to standard output" in shown.err
    assert shown.out == "request,row,time,version,id,prediction,probability,features,truth\n"


def test_an_export_replaces_no_file_unless_told_and_names_a_missing_folder(
    config: Config, trained: Project
) -> None:
    log_answers(config, trained.models()[0].name, {"v1": 0.9})
    setting = f"log.folder={config.log.folder}"
    Path("log.csv").write_text("mine")
    refused = trained.tool("export", "log.csv", "--set", setting)
    assert refused.code == 2
    assert "log.csv exists already; --force replaces it" in refused.err
    assert Path("log.csv").read_text() == "mine"
    forced = trained.tool("export", "log.csv", "--force", "--set", setting)
    assert (forced.code, forced.out) == (0, "1 rows written to log.csv\n")
    assert Path("log.csv").read_text().startswith("request,row,")
    nowhere = trained.tool("export", "exports/log.csv", "--set", setting)
    assert nowhere.code == 2
    assert "there is no folder exports; create it by `mkdir -p exports`" in nowhere.err
    device = trained.tool("export", "/dev/null", "--set", setting)
    assert (device.code, device.out) == (0, "1 rows written to /dev/null\n")


def test_on_a_full_disk_feedback_says_what_to_free(client: FlaskClient) -> None:
    body = "visit_id,bought\n" + "".join(f"v{number},yes\n" for number in range(5_000))
    send = partial(client.post, "/feedback", data=body, content_type="text/csv")
    assert send().status_code == 200
    with small_files(50_000):
        full = send()
    assert full.status_code == 507
    assert "no room left" in full.get_json()["detail"]
    assert "free some space" in full.get_json()["hint"]
    assert send().status_code == 200


def test_feedback_to_a_damaged_log_is_503_and_says_what_to_move_away(
    client: FlaskClient, config: Config
) -> None:
    (log_folder(config) / "predictions.sqlite").write_bytes(b"something else" * 1_000)
    answer = client.post("/feedback", data="visit_id,bought\nv1,no\n", content_type="text/csv")
    assert answer.status_code == 503
    assert "predictions.sqlite" in answer.get_json()["detail"]
    assert "move it away" in answer.get_json()["hint"]


def test_old_answers_are_counted_and_then_deleted_with_their_labels(
    config: Config, client: FlaskClient, trained: Project
) -> None:
    version = trained.models()[0].name
    log_answers(config, version, {"v1": 0.9, "v2": 0.2})  # of January
    log = open_log(config, lambda _name, _number: None)
    assert log is not None
    log.record(answered("r2", ["v2"], [0.8], version=version, time=datetime.now(UTC)))
    log.close()
    body = "visit_id,bought\nv1,yes\nv2,yes\n"
    assert client.post("/feedback", data=body, content_type="text/csv").get_json()["matched"] == 2
    sets = ("--set", f"log.folder={config.log.folder}", "--set", "log.keep_days=30")
    dry = trained.tool("prune", "--dry-run", *sets)
    assert dry.code == 0
    assert "2 rows and 0 labels" in dry.out
    assert trained.tool("live", *sets[:2]).out.splitlines()[1].split()[1:3] == ["3", "2"]
    assert "2 rows and 0 labels" in trained.tool("prune", *sets).out
    assert trained.tool("live", *sets[:2]).out.splitlines()[1].split()[1:3] == ["1", "1"]
    assert "nothing to delete" in trained.tool("prune", *sets).out
    refused = trained.tool("prune", *sets[:2])
    assert refused.code == 78
    assert "--set log.keep_days" in refused.err
