"""`drift` and `live` say how a model in service does, and so do their exit codes."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from flask.testing import FlaskClient

from lightmodel.config import Config, load
from lightmodel.files import file_lock
from lightmodel.service import create_app
from lightmodel.store.manifest import Manifest
from tests.fakes.command_line import CommandLine
from tests.fakes.copies import copy_model
from tests.fakes.project import ROOT, Project
from tests.fakes.tables import shop_table

Serve = Callable[..., FlaskClient]
Change = Callable[[pa.Table], pa.Table]


def config(*sets: str) -> Config:
    return load(None, ["log.features=true", *sets]).config


@pytest.fixture
def serve(approved: Project) -> Serve:
    """Return a function that posts visits to a service of the project, and waits for its log."""
    assert approved.models()

    def post(*sets: str, rows: int = 900, change: Change | None = None) -> FlaskClient:
        client = create_app(config(*sets)).test_client()
        table = shop_table(rows, seed=3).drop(["bought"])
        body = io.BytesIO()
        arrow_csv.write_csv(change(table) if change else table, body)
        answer = client.post("/predict", data=body.getvalue(), content_type="text/csv")
        assert answer.status_code == 200, answer.text
        client.application.extensions["prediction_log"].close()
        return client

    return post


def older(table: pa.Table) -> pa.Table:
    ages = pa.array(np.array(table["age"]) + 20)
    return table.set_column(1, "age", ages)


def from_new_places(table: pa.Table) -> pa.Table:
    places = [
        "kiosk" if at % 3 == 0 else place for at, place in enumerate(table["where"].to_pylist())
    ]
    return table.set_column(3, "where", pa.array(places))


def test_visits_as_in_training_exit_with_0(call: CommandLine, serve: Serve) -> None:
    serve()
    ended = call("drift")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert "900 of 900 rows" in lines[0]
    assert lines[-1] == "none of 4 columns has drifted"
    page = Path("var/log/drift.html").read_text(encoding="utf-8")
    assert "No drift" in page
    assert page.count("<figure") == 4


def test_older_visitors_exit_with_65_and_are_named_everywhere(
    call: CommandLine, serve: Serve
) -> None:
    client = serve(change=older)
    page = Path("found.html")
    ended = call("drift", "--json", "--page", str(page))
    assert ended.code == 65
    assert "columns have drifted: age" in ended.err
    assert str(page) in ended.err
    report = json.loads(ended.out)
    assert (report["verdict"], report["drifted"][0]) == ("drift", "age")
    assert page.read_text(encoding="utf-8").index(">age<") > 0
    metrics = client.get("/metrics").text
    assert f'lightmodel_drift_detected{{version="{report["version"]}"}} 1.0' in metrics


def test_unseen_categories_are_told_apart_from_missing_ones(
    call: CommandLine, serve: Serve
) -> None:
    serve(change=from_new_places)
    tests = json.loads(call("drift", "--json").out)["tests"]
    shares = {test["test"]: test["now"] for test in tests if test["column"] == "where"}
    assert shares["unseen"] == pytest.approx(1 / 3)
    assert shares["missing"] == 0


def test_without_logged_features_the_scores_are_compared(call: CommandLine, serve: Serve) -> None:
    serve("log.features=false", change=older)
    ended = call("drift")
    assert ended.code == 65
    assert "only scores are compared: no features are logged (log.features = true" in ended.out
    assert "1 of 1 columns has drifted: probability" in ended.err


@pytest.mark.parametrize("rows", [0, 40])
def test_too_few_rows_exit_with_13(call: CommandLine, serve: Serve, rows: int) -> None:
    if rows:
        serve(rows=rows)
    ended = call("drift", "--json")
    assert ended.code == 13
    assert f"no verdict: {rows} rows in the last 7 days" in ended.err
    assert json.loads(ended.out)["verdict"] == "none"
    assert call("drift", "--set", "watch.min_rows=40").code == (0 if rows else 13)


def test_rows_of_another_version_are_counted_but_not_compared(
    call: CommandLine, serve: Serve, approved: Project
) -> None:
    serve()
    log = approved.folder / "var" / "log" / "predictions.sqlite"

    with sqlite3.connect(log) as connection:
        connection.execute("UPDATE predictions SET version = '20250101T000000000000Z-000000'")
    ended = call("drift")
    assert ended.code == 13
    assert "the log holds 900 rows of 1 other versions" in ended.err
    assert call("drift", "--version", "2025").code == 66


def test_without_a_log_or_a_model_the_error_says_so(call: CommandLine, approved: Project) -> None:
    assert "log.sink" in call("drift", "--set", "log.sink=none").err
    empty = call("drift", "--set", f"store.root={approved.folder / 'nowhere'}")
    assert (empty.code, "there is no approved model" in empty.err) == (66, True)


def test_a_missing_or_damaged_reference_is_reported(call: CommandLine, approved: Project) -> None:
    (folder,) = approved.models()
    (folder / "reference.parquet").write_bytes(b"?")
    damaged = call("drift", "--version", folder.name)
    assert (damaged.code, "reference.parquet does not match" in damaged.err) == (74, True)
    manifest = Manifest.from_json((folder / "manifest.json").read_bytes(), folder.name)
    files = {name: one for name, one in manifest.files.items() if name != "reference.parquet"}
    content = json.loads(manifest.to_json())
    content["files"] = {name: vars(one) for name, one in files.items()}
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    older_release = call("drift", "--version", folder.name)
    assert (older_release.code, "train again" in older_release.err) == (66, True)


def label(call: CommandLine, *, wrong: bool = False) -> None:
    """Send the visits' true labels, or wrong ones, back."""
    table = shop_table(900, seed=3).select(["visit_id", "bought"])
    if wrong:
        flipped = ["no" if one == "yes" else "yes" for one in table["bought"].to_pylist()]
        table = table.set_column(1, "bought", pa.array(flipped))
    arrow_csv.write_csv(table, "labels.csv")
    assert call("feedback", "labels.csv").code == 0


def test_live_quality_is_printed_with_its_interval_and_bound(
    call: CommandLine, serve: Serve, approved: Project
) -> None:
    client = serve()
    assert call("live", "--check").code == 13
    label(call)
    ended = call("live", "--by", "day", "--check")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    version = approved.models()[0].name
    assert lines[1].split()[:3] == [version, "900", "900"]
    (judged,) = [line for line in lines if "(served)" in line]
    assert judged.split()[2:4] == ["auc", "900"]
    assert judged.split()[-1] == "ok"
    assert "lightmodel_quality_below" in client.get("/metrics").text


def test_wrong_answers_exit_with_10_if_checked(call: CommandLine, serve: Serve) -> None:
    serve()
    label(call, wrong=True)
    assert call("live").code == 0
    ended = call("live", "--json", "--check")
    assert ended.code == 10
    assert "the bound is" in ended.err
    (version,) = json.loads(ended.out)["versions"]
    assert version["state"] == "below"
    assert version["recent"]["high"] < version["bound"]


def test_a_challengers_scores_are_compared(
    call: CommandLine, serve: Serve, approved: Project
) -> None:
    serve()
    assert "no challenger has scored a row in the last 7 days" in call("live", "--shadow").out
    assert call("live", "--shadow", "--check").code == 2
    log, challenger = (
        approved.folder / "var/log/predictions.sqlite",
        "20310101T000000000000Z-000000",
    )
    with sqlite3.connect(log) as connection:
        connection.execute(
            "INSERT INTO shadow_predictions SELECT request, row, time, ?, id, prediction, probability, "
            "NULL FROM predictions",
            (challenger,),
        )
    ended = call("live", "--shadow")
    assert ended.code == 0, ended.err
    assert f"{challenger} scored 900 rows that {approved.models()[0].name} answered" in ended.out
    assert "decisions that differ: 0.00% of 900 rows" in ended.out
    assert "no label has arrived yet" in ended.out
    label(call)
    assert "on 900 labelled rows, by auc: neither is surely better" in call("live", "--shadow").out
    (found,) = json.loads(call("live", "--shadow", "--json").out)["shadows"]
    assert (found["correlation"], found["differences"]["auc"]["value"]) == (1.0, 0.0)
    answered = call("live").out.splitlines()[1].split()
    assert answered[1:3] == ["900", "900"]


def test_a_canary_is_decided_on_with_the_check(
    call: CommandLine, serve: Serve, approved: Project
) -> None:
    stable, canary = approved.models()[0].name, copy_model(approved, passed=True).name
    settings = ("serve.canary=0.5", "serve.canary_rows=100000")
    serve(*settings)
    sets = [word for one in settings for word in ("--set", one)]
    listed = call("models", *sets).out.splitlines()
    assert [line[:2] for line in listed] == ["+ ", "→ "]
    label(call)
    assert f"canary {canary}: it has answered " in call("live", "--check", *sets).err
    log = approved.folder / "var/log/predictions.sqlite"
    with sqlite3.connect(log) as connection:
        connection.execute(
            "INSERT INTO shadow_predictions SELECT request, row, time, ?, id, 'null', 'null', NULL "
            "FROM predictions LIMIT 50",
            (canary,),
        )
    ended = call("live", "--check", *sets)
    assert ended.code == 10
    assert f"the canary {canary} is withdrawn: it could not score 50 of" in ended.err
    assert call("models", *sets).out.splitlines()[1].startswith(f"→ {stable}")


def test_a_canary_is_promoted_by_hand(call: CommandLine, approved: Project) -> None:
    assert call("models", "promote").out == f"promoted: {approved.models()[0].name}\n"
    assert call("models", "promote", "2031").code == 66


EVIDENTLY = """#!{python}
import json, sys
from pathlib import Path

folder = Path(sys.argv[-1])
result = {{}}
if (folder / "current.parquet").exists():
    (folder / "drift.html").write_text("Evidently's drift")
    verdict = {{"effect": 0.5, "method": "wasserstein", "drifted": True}}
    result["drift"] = {{"age": verdict, "spent": verdict | {{"drifted": False}}}}
if (folder / "labelled.parquet").exists():
    (folder / "labelled.html").write_text("Evidently's labelled rows")
    result["labelled"] = {{"Accuracy": 0.75, "F1ByLabel": {{"yes": 0.5}}}}
(folder / "result.json").write_text(json.dumps(result))
"""


@pytest.fixture
def evidently() -> tuple[str, ...]:
    """Return the options for pages of a program that stands for Evidently."""
    program = Path("evidently-python")
    program.write_text(EVIDENTLY.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    return "--evidently", "pages/e.html", "--set", f"watch.evidently_python={program}"


def test_evidentlys_pages_are_written_beside_the_own_one(
    call: CommandLine, serve: Serve, evidently: tuple[str, ...]
) -> None:
    serve(change=older)
    first = call("drift", *evidently)
    assert first.code == 65
    assert "Evidently, pages/e.html: 1 of 2 columns drifted: age\n" in first.out
    assert "0 labels have arrived, and watch.min_labels is 100" in first.out
    assert [path.name for path in Path("pages").iterdir()] == ["e.html"]
    label(call)
    second = call("drift", "--json", *evidently)
    assert "Evidently, pages/e-labelled.html: Accuracy 0.7500\n" in second.err
    assert Path("pages/e-labelled.html").read_text(encoding="utf-8") == "Evidently's labelled rows"
    assert json.loads(second.out)["verdict"] == "drift"
    assert not Path("var/log/evidently").exists()


def test_tables_that_a_killed_process_left_behind_are_removed(
    call: CommandLine, serve: Serve, evidently: tuple[str, ...]
) -> None:
    serve()
    left = Path("var/log/evidently")
    left.mkdir()
    (left / "labelled.parquet").write_bytes(b"?")
    assert call("drift", *evidently).code == 0
    assert not left.exists()
    assert [path.name for path in Path("pages").iterdir()] == ["e.html"]


def test_too_few_rows_have_no_page_of_evidently(
    call: CommandLine, serve: Serve, evidently: tuple[str, ...]
) -> None:
    serve(rows=40)
    ended = call("drift", *evidently)
    assert ended.code == 13
    assert "no page of Evidently on drift: there are too few rows" in ended.out
    assert not any(Path("pages").iterdir())


def test_labels_that_are_all_the_same_have_no_page(
    call: CommandLine, serve: Serve, evidently: tuple[str, ...]
) -> None:
    serve()
    ids = shop_table(900, seed=3).select(["visit_id"])
    table = ids.append_column("bought", pa.array(["yes"] * 900))
    arrow_csv.write_csv(table, "labels.csv")
    assert call("feedback", "labels.csv").code == 0
    ended = call("drift", *evidently)
    assert "no page of Evidently on labelled rows: all labels are the same" in ended.out


def test_without_its_environment_the_error_names_the_command_that_makes_it(
    call: CommandLine, serve: Serve
) -> None:
    serve()
    ended = call("drift", "--evidently", "e.html")
    assert (ended.code, ended.out) == (78, "")
    assert "`make evidently`" in ended.err
    assert not Path("e.html").exists()


def test_one_process_at_a_time_writes_evidentlys_pages(
    call: CommandLine, serve: Serve, evidently: tuple[str, ...]
) -> None:
    serve()
    with file_lock(Path("var/log/evidently.lock")):
        ended = call("drift", *evidently)
    assert (ended.code, "by another process" in ended.err) == (75, True)


def test_the_folder_of_a_page_is_made(call: CommandLine, serve: Serve) -> None:
    serve()
    assert call("drift", "--page", "a/b/drift.html").code == 0
    assert Path("a/b/drift.html").exists()


@pytest.mark.parametrize(
    "words", [("drift", "--page"), ("drift", "--evidently"), ("export",), ("models", "pack")]
)
def test_an_empty_path_is_refused(call: CommandLine, words: tuple[str, ...]) -> None:
    ended = call(*words, "")
    assert (ended.code, ended.out) == (2, "")
    assert "the path is empty" in ended.err


@pytest.mark.parametrize("path", ["file/page.html", f"{'x' * 300}.html"])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(
    call: CommandLine, approved: Project, path: str
) -> None:
    (approved.folder / "file").touch()
    ended = call("drift", "--page", path)
    assert (ended.code, ended.out) == (78, "")
    assert "name another file" in ended.err


def test_a_log_that_cannot_be_exported_is_an_error_with_a_hint(
    call: CommandLine, approved: Project
) -> None:
    assert approved.models()
    ended = call("export", f"{'x' * 300}.csv")
    assert (ended.code, "File name too long" in ended.err) == (78, True)
    full = call("export", "/dev/full")
    assert (full.code, "no room left to write full in /dev" in full.err) == (74, True)


SERVING_IMAGE = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name in {"scipy", "sklearn", "matplotlib", "pandas", "lightgbm", "mlflow"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
from lightmodel.cli import main
main()
"""


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("drift", 78, "`pip install -r requirements.txt`"),
        ("drift --set watch.min_rows=901", 13, "no page is written: matplotlib is not installed"),
        ("live --check --by week", 0, ""),
    ],
)
def test_where_compiled_models_are_served_watching_works_or_names_what_is_missing(
    call: CommandLine, serve: Serve, words: str, code: int, message: str
) -> None:
    serve()
    label(call)
    done = subprocess.run(
        [sys.executable, "-c", SERVING_IMAGE, *words.split()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
