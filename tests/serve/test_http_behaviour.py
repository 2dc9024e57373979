"""What HTTP clients rely on: methods, media types and their aliases, options, and headers of answers."""

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
import requests

from tests.fakes.project import ROOT, Project
from tests.fakes.server import log_of, serving
from tests.serve.conftest import Shop
from tests.serve.test_forms import ROWS, SPLIT, as_csv, as_lines, as_parquet, records, send

FEW = ROWS.slice(0, 5)
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCUMENT = json.dumps(records(FEW)).encode()
BODIES = {
    as_csv(FEW): ("text/x-csv", "application/x-csv", "text/comma-separated-values"),
    as_csv(FEW, "\t"): ("text/tab-separated-values", "text/tsv"),
    as_lines(FEW): ("application/x-jsonlines", "application/x-ndjson", "application/ndjson"),
    as_parquet(FEW): ("application/x-parquet", "application/vnd.apache.parquet"),
    DOCUMENT: ("application/x-json", "text/x-json", "TEXT/JSON"),
}


def test_every_alias_of_a_media_type_is_read(shop: Shop) -> None:
    right = send(shop, DOCUMENT, "application/json").json()
    for body, kinds in BODIES.items():
        for kind in kinds:
            answer = send(shop, body, kind)
            assert (kind, answer.status_code) == (kind, 200), answer.text
            assert answer.json() == right


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/x-csv", "text/csv"),
        ("Text/X-CSV; charset=utf-8", "text/csv"),
        ("application/jsonlines", "application/x-ndjson"),
        ("application/x-jsonlines;q=0.5, application/json;q=0.4", "application/x-ndjson"),
        ("text/json", "application/json"),
        ("application/x-parquet, */*;q=0.1", "application/json"),
        ("application/x-parquet", "application/problem+json"),
    ],
)
def test_the_aliases_are_accepted_for_answers(shop: Shop, accept: str, kind: str) -> None:
    answer = send(shop, DOCUMENT, "application/json", accept=accept)
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    assert answer.status_code == (406 if "problem" in kind else 200)


@pytest.mark.parametrize("kind", ["text/csv", "text/plain;charset=UTF-8", "text/tsv", None])
def test_json_is_recognised_whatever_its_sender_calls_it(shop: Shop, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    bodies = {
        "array": DOCUMENT,
        "indented": b"\n " + json.dumps(records(FEW), indent=2).encode(),
        "lines": as_lines(FEW),
        "MLflow's": json.dumps({"dataframe_records": records(FEW)}).encode(),
        "MLflow's with the end of a line": json.dumps({"dataframe_split": SPLIT}).encode() + b"\n",
    }
    right = send(shop, json.dumps(records(ROWS)).encode(), "application/json").json()
    for name, body in bodies.items():
        for route, wrapped in (("predict", False), ("invocations", True)):
            answer = requests.post(
                f"{shop.address}/{route}", data=body, headers=headers, timeout=60
            )
            assert (name, answer.status_code) == (name, 200), answer.text
            rows = answer.json()["predictions"] if wrapped else answer.json()
            assert rows == right[: len(rows)]
            assert len(rows) in {5, 120}


def test_a_csv_whose_header_has_brackets_is_still_csv(shop: Shop) -> None:
    table = FEW.append_column("[note]", FEW["age"])
    table = table.select(["[note]", *FEW.column_names])
    body = as_csv(table).replace(b'"', b"")
    assert body.startswith(b"[note],")
    answer = send(shop, body)
    assert (answer.status_code, answer.headers["X-Ignored-Columns"]) == (200, "[note]")


@pytest.mark.parametrize("kind", ["text/plain", "text/csv", "application/json"])
def test_an_object_that_javascript_made_text_is_named_so(shop: Shop, kind: str) -> None:
    answer = send(shop, b"[object Object]", kind)
    assert answer.status_code == 422
    assert "[object Object]" in answer.json()["detail"]
    assert answer.json()["hint"] == "send JSON.stringify(rows)"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("predict?explain=1&explain=2", "'explain' is given 2 times"),
        ("predict?threshold=0.1&threshold=0.1", "'threshold' is given 2 times"),
        ("feedback?explain=1", "'explain'; this route has none"),
    ],
)
def test_an_option_that_is_repeated_or_unknown_is_400(shop: Shop, path: str, reason: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{shop.address}/{path}", data=DOCUMENT, headers=headers, timeout=60)
    assert answer.status_code == 400
    assert reason in answer.json()["detail"]


def test_invocations_ignores_options_as_mlflows_server_does(shop: Shop) -> None:
    headers = {"Content-Type": "application/json"}
    plain, asked = (
        requests.post(f"{shop.address}/invocations{query}", data=DOCUMENT, headers=headers)
        for query in ("", "?explain=2&threshold=0.9&threshold=x")
    )
    assert (asked.status_code, asked.json()) == (200, plain.json())


def test_formulas_without_a_stored_value_are_counted_in_a_header(shop: Shop) -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet(index=0)
    sheet.append(["age", "spent", "where"])
    sheet.append([30, "=1+1", "web"])
    sheet.append([40, "=A2", "phone"])
    content = io.BytesIO()
    book.save(content)
    answer = send(shop, content.getvalue(), EXCEL)
    assert (answer.status_code, answer.headers["X-Missing-Formulas"]) == (200, "spent=2")
    assert "X-Missing-Formulas" not in send(shop, DOCUMENT, "application/json").headers


def test_head_is_get_without_a_body_and_options_names_the_methods(shop: Shop) -> None:
    for path in ("/", "/health", "/ready", "/model", "/sample.csv", "/model/report", "/metrics"):
        head = requests.head(f"{shop.address}{path}", timeout=60)
        assert (path, head.status_code, head.content) == (path, 200, b"")
        assert int(head.headers["Content-Length"]) > 0
        options = requests.options(f"{shop.address}{path}", timeout=60)
        assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert requests.head(f"{shop.address}/predict", timeout=60).status_code == 405
    allowed = requests.options(f"{shop.address}/predict", timeout=60).headers["Allow"]
    assert set(allowed.split(", ")) == {"POST", "OPTIONS"}


def test_a_range_is_answered_with_the_whole(shop: Shop) -> None:
    whole = requests.get(f"{shop.address}/sample.csv", timeout=60)
    part = requests.get(f"{shop.address}/sample.csv", headers={"Range": "bytes=0-3"}, timeout=60)
    assert (part.status_code, part.content) == (200, whole.content)
    assert "Accept-Ranges" not in part.headers


KEY = {"X-API-Key": "open-sesame"}
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY")
NOWHERE = dict.fromkeys(PROXIES, "http://127.0.0.1:9")  # nobody listens there


@pytest.fixture(scope="module")
def guarded(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A service with a key, on all addresses of IPv6, whose folder of metrics cannot be made."""
    file = tmp_path_factory.mktemp("metrics") / "file"
    file.touch()
    settings = {
        "LIGHTMODEL__SERVE__HOST": "::",
        "LIGHTMODEL__SERVE__API_KEYS": "open-sesame",
        "LIGHTMODEL__SERVE__WORKERS": "2",
        "PROMETHEUS_MULTIPROC_DIR": f"{file}/nowhere",
    }
    with serving(trained_shop, **settings) as address:
        yield Shop(address, trained_shop)


def test_all_addresses_of_ipv6_are_listened_on(guarded: Shop) -> None:
    port = guarded.address.rpartition(":")[2]
    for host in ("127.0.0.1", "[::1]"):
        assert requests.get(f"http://{host}:{port}/health", timeout=60).status_code == 200


def test_a_folder_of_metrics_that_cannot_be_made_is_replaced(guarded: Shop) -> None:
    metrics = requests.get(f"{guarded.address}/metrics", headers=KEY, timeout=60)
    assert "lightmodel_requests_total" in metrics.text
    assert "is not used: Not a directory" in log_of(guarded.project, guarded.address).read_text()


def test_the_users_folder_of_metrics_is_left_as_it_was(
    trained_shop: Project, tmp_path: Path
) -> None:
    (tmp_path / "theirs").touch()
    settings = {"LIGHTMODEL__SERVE__WORKERS": "1", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with serving(trained_shop, **settings):
        assert len(list(tmp_path.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_the_model_is_named_only_with_a_key_and_its_folder_never(guarded: Shop) -> None:
    for path in ("/model", "/schema", "/model/report", "/"):
        assert requests.get(f"{guarded.address}{path}", timeout=60).status_code == 401
    assert requests.get(f"{guarded.address}/ready", timeout=60).json() == {"status": "ready"}
    for path in ("/model", "/ready", "/schema", "/openapi.json"):
        answer = requests.get(f"{guarded.address}{path}", headers=KEY, timeout=60)
        assert guarded.project.models()[0].name in answer.text or path == "/schema"
        assert str(guarded.project.folder) not in answer.text
        assert str(ROOT) not in answer.text


def test_smoke_and_the_images_health_check_ask_this_machine_without_a_proxy(guarded: Shop) -> None:
    key = {"LIGHTMODEL__DEPLOY__API_KEY": "open-sesame"}
    done = guarded.project.tool("smoke", guarded.address, **key, **NOWHERE)
    assert (done.code, "sample rows as stored" in done.out) == (0, True), done.err
    port = guarded.address.rpartition(":")[2]
    for asked, code in ((port, 0), ("9", 1)):
        command = ["bash", str(ROOT / "deploy" / "healthy.sh"), asked, "/ready"]
        environ = {**os.environ, **NOWHERE}
        ended = subprocess.run(command, env=environ, capture_output=True, check=False)
        assert ended.returncode == code, ended.stderr
