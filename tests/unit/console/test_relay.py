"""Files on their way through the console, between a real browser's requests and the real service."""

import gzip
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet
import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.ports import free_port
from lightmodel.config import ConsoleSection
from lightmodel.console.files.exchange import FileExchange, Purpose, Ticket, owner_of
from lightmodel.console.files.relay import routes
from tests.fakes.console import asgi_server
from tests.fakes.tables import shop_table
from tests.unit.console.conftest import KEY


class Console:
    """The routes for files, and one session that may use them."""

    def __init__(self, address: str, exchange: FileExchange, key: str = "") -> None:
        self.address, self.exchange, self.key = address, exchange, key
        self.state: dict[str, object] = {}

    def ticket(self, purpose: Purpose = "predict") -> str:
        ticket = Ticket(owner_of(self.state), purpose, self.key, classes=1)
        return self.exchange.issue(self.state, ticket)

    def check(self, ticket: str | None = None) -> requests.Response:
        headers = {"X-Ticket": self.ticket() if ticket is None else ticket}
        return requests.get(f"{self.address}/files/send", headers=headers, timeout=60)

    def send(
        self, content: bytes, name: str = "rows.csv", purpose: Purpose = "predict"
    ) -> requests.Response:
        headers = {"X-Ticket": self.ticket(purpose), "X-File-Name": name}
        address = f"{self.address}/files/send"
        return requests.post(address, data=content, headers=headers, timeout=60)

    def download(self, key: str) -> requests.Response:
        return requests.get(f"{self.address}/files/answers/{key}", timeout=60)


@contextmanager
def console_on(settings: ConsoleSection, key: str = "") -> Iterator[Console]:
    exchange = FileExchange(settings)
    with asgi_server(Starlette(routes=routes(exchange))) as address:
        yield Console(address, exchange, key)
    exchange.answers.close()


@pytest.fixture
def console(settings: ConsoleSection) -> Iterator[Console]:
    with console_on(settings) as opened:
        yield opened


def rows(count: int = 300) -> bytes:
    sink = io.BytesIO()
    arrow_csv.write_csv(shop_table(rows=count, seed=3).drop_columns(["bought"]), sink)
    return sink.getvalue()


def in_parquet() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(shop_table(rows=300, seed=3).drop_columns(["bought"]), sink)
    return sink.getvalue()


def direct_answer(service: str) -> bytes:
    headers = {"Accept": "text/csv", "Content-Type": "text/csv"}
    return requests.post(f"{service}/predict", data=rows(), headers=headers, timeout=60).content


@pytest.mark.parametrize(
    ("content", "name"),
    [(rows(), "rows.csv"), (gzip.compress(rows()), "rows.csv.gz"), (in_parquet(), "rows.parquet")],
    ids=["csv", "gzip", "parquet"],
)
def test_a_file_is_answered_as_by_the_service_itself(
    console: Console, service: str, content: bytes, name: str
) -> None:
    assert console.check().json() == {}
    sent = console.send(content, name)
    assert sent.status_code == 200, sent.text
    answer = console.exchange.answer_of(console.state, sent.json()["answer"])
    assert answer is not None
    assert answer.summary.rows == 300
    assert answer.name == name
    assert answer.headers["X-Model-Version"]
    download = console.download(answer.id)
    assert download.content == direct_answer(service)
    assert "rows-predictions.csv" in download.headers["Content-Disposition"]
    assert download.headers["Cache-Control"] == "no-store"


def test_two_sessions_do_not_see_each_others_rows(console: Console) -> None:
    other = Console(console.address, console.exchange)
    mine, theirs = (
        one.send(rows(count)).json()["answer"] for one, count in ((console, 20), (other, 30))
    )
    found = console.exchange.answer_of(console.state, mine)
    assert found is not None
    assert found.summary.rows == 20
    assert console.exchange.answer_of(console.state, theirs) is None
    assert other.exchange.answer_of(other.state, theirs) is not None


@pytest.mark.parametrize("ticket", ["", "guessed"])
def test_without_a_ticket_nothing_is_sent(console: Console, ticket: str) -> None:
    answer = console.check(ticket)
    assert answer.status_code == 403
    assert answer.json()["failure"]["hint"] == "Reload it."
    headers = {"X-Ticket": ticket}
    sent = requests.post(f"{console.address}/files/send", data=rows(), headers=headers, timeout=60)
    assert sent.status_code == 403


def test_an_unknown_answer_is_not_found(console: Console) -> None:
    assert console.download("guessed").status_code == 404


def test_an_empty_file_is_a_failure(console: Console) -> None:
    sent = console.send(b"")
    assert sent.status_code == 400
    assert sent.json()["failure"]["message"] == "The file is empty."


def test_rows_that_break_the_contract_come_back_as_rules(console: Console) -> None:
    sent = console.send(b"visit_id,age,spent,where\nv1,1e9,1,web\n")
    assert sent.status_code == 422
    (rule,) = sent.json()["failure"]["rules"]
    assert rule["column"] == "age"
    assert rule["rows"] == [1]
    assert list(console.exchange.answers.new_path().parent.glob("*")) == [
        console.exchange.answers.new_path().parent / "lock"
    ]


def test_a_file_that_is_too_large_is_a_failure_with_what_to_do(console: Console) -> None:
    sent = console.send(rows(120_000))  # 4 MB, of which the service takes 2
    assert sent.status_code == 413
    failure = sent.json()["failure"]
    assert "too large for the service" in failure["message"]
    assert failure["hint"]


def test_an_answer_that_is_too_large_for_the_disk_is_a_failure(settings: ConsoleSection) -> None:
    with console_on(settings.model_copy(update={"max_answers_mb": 0})) as console:
        sent = console.send(rows())
        assert sent.status_code == 413
        assert "console.max_answers_mb" in sent.json()["failure"]["hint"]


def test_the_key_of_the_session_is_used_and_never_sent_back(locked: str, tmp_path: Path) -> None:
    settings = ConsoleSection(service_url=locked, folder=tmp_path, timeout_s=60)
    with console_on(settings, key=KEY) as console:
        sent = console.send(rows())
        assert sent.status_code == 200
        assert KEY not in f"{sent.text}{sent.headers}{console.ticket()}"
    with console_on(settings, key="wrong") as console:
        assert console.check().status_code == 401
        sent = console.send(rows())
        assert sent.status_code == 401
        assert "wrong" not in sent.text


def test_a_service_that_is_down_or_has_no_model_is_known_before_the_file_is_sent(
    empty: str, tmp_path: Path
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for address, status in ((nobody, 502), (empty, 503)):
        with console_on(ConsoleSection(service_url=address, folder=tmp_path)) as console:
            for answer in (console.check(), console.send(rows())):
                assert answer.status_code == status
                assert answer.json()["failure"]["hint"]


async def odd_answer(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("<html>a page</html>")


def test_an_answer_that_is_none_is_a_failure(tmp_path: Path) -> None:
    odd = Starlette(routes=[Route("/predict", odd_answer, methods=["POST"])])
    with (
        asgi_server(odd) as address,
        console_on(ConsoleSection(service_url=address, folder=tmp_path)) as console,
    ):
        sent = console.send(rows())
    assert sent.status_code == 502
    assert "cannot be read" in sent.json()["failure"]["message"]


def test_a_service_that_breaks_off_in_the_middle_is_asked_why(
    console: Console, settings: ConsoleSection
) -> None:
    """A server that closes each connection after some bytes stands for one that is killed."""
    with socket.create_server(("127.0.0.1", 0)) as rude:
        address = f"http://127.0.0.1:{rude.getsockname()[1]}"

        def close_all() -> None:
            while True:
                try:
                    connection, _ = rude.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)

        threading.Thread(target=close_all, daemon=True).start()
        with console_on(settings.model_copy(update={"service_url": address})) as other:
            sent = other.send(rows(200_000))
        rude.shutdown(socket.SHUT_RDWR)
    assert sent.status_code == 502
    assert sent.json()["failure"]["message"] == f"No service answers at {address}."
    assert console.send(rows()).status_code == 200


def test_labels_are_passed_on_and_counted(console: Console) -> None:
    sent = console.send(b"visit_id,bought\nnobody-7,yes\n", "labels.csv", "feedback")
    assert sent.json() == {
        "counts": {"rows": 1, "matched": 0, "unmatched": 1, "without_label": 0},
        "name": "labels.csv",
    }
