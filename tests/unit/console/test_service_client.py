"""The client, on the real service and on servers that are none."""

from functools import partial

import pytest

from benchmarks.ports import free_port
from lightmodel.console.failures import ServiceFailure
from lightmodel.console.service_client import ServiceClient
from tests.fakes.web import Asked, Reply, Web
from tests.unit.console.conftest import KEY

ROW = {"visit_id": "v1", "age": 40, "spent": 12.5, "where": "web"}


def failure_of(client: ServiceClient) -> ServiceFailure:
    with pytest.raises(ServiceFailure) as caught:
        client.schema()
    return caught.value


def test_the_schema_names_the_columns_and_what_is_predicted(service: str) -> None:
    schema = ServiceClient(service).schema()
    assert [column.name for column in schema.features] == ["age", "spent", "where"]
    assert schema.id is not None
    assert schema.id.name == "visit_id"
    assert schema.answer.task == "binary"
    assert schema.answer.positive == "yes"
    assert schema.answer.explain == 3
    assert schema.max_body_mb == 2
    assert set(schema.features[2].categories) == {"street", "web", "phone"}


def test_the_model_has_samples_that_can_be_predicted(service: str) -> None:
    client = ServiceClient(service)
    samples = client.model().samples
    assert samples
    answer = client.predict_row(samples[0].values, explain=2)
    assert 0 <= answer.row["probability"] <= 1
    assert len(answer.row["contributions"]) == 2
    assert answer.headers["X-Model-Version"] == client.schema().version


def test_a_row_that_breaks_the_contract_names_its_columns(service: str) -> None:
    with pytest.raises(ServiceFailure) as caught:
        ServiceClient(service).predict_row({**ROW, "age": 1e9})
    assert caught.value.status == 422
    assert [rule.column for rule in caught.value.rules] == ["age"]


def test_a_key_is_needed_sent_and_checked(locked: str, service: str) -> None:
    assert ServiceClient(locked).needs_key()
    assert ServiceClient(locked, "wrong").needs_key()
    assert not ServiceClient(service).needs_key()
    failure = failure_of(ServiceClient(locked, "wrong"))
    assert failure.status == 401
    assert "does not accept the key" in failure.message
    assert "wrong" not in f"{failure.message} {failure.hint}"
    ServiceClient(locked, KEY).check_key()
    assert ServiceClient(locked, KEY).schema().features


def test_a_service_without_a_model_says_so(empty: str) -> None:
    failure = failure_of(ServiceClient(empty))
    assert failure.status == 503
    assert failure.hint


def test_a_service_that_is_down_is_a_sentence_with_what_to_do() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    failure = failure_of(ServiceClient(address))
    assert failure.message == f"No service answers at {address}."
    assert "console.service_url" in failure.hint
    assert failure.status == 0


def test_a_service_that_hangs_did_not_answer_in_time() -> None:
    def silent(_asked: Asked) -> Reply:
        return Reply(b"{}", stall_at=0)

    with Web(silent) as web:
        failure = failure_of(ServiceClient(web.url, timeout_s=0.2))
        web.over.set()
    assert "did not answer in time" in failure.message


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"version": 1}'])
def test_another_program_at_the_address_is_recognised(body: bytes) -> None:
    with Web(lambda _asked: Reply(body)) as web:
        assert (
            "is not a service that this console knows" in failure_of(ServiceClient(web.url)).message
        )


def test_other_routes_are_read_as_json_and_as_files(service: str) -> None:
    client = ServiceClient(service)
    assert client.get_json("schema")["version"] == client.schema().version
    assert b"visit_id" in client.get_bytes("sample.csv").splitlines()[0]
    (answer,) = client.post_json("predict", ROW)
    assert answer["visit_id"] == "v1"
    with pytest.raises(ServiceFailure, match="not a service"):
        client.get_json("sample.csv")
    with pytest.raises(ServiceFailure) as caught:
        client.get_bytes("nowhere")
    assert caught.value.status == 404


@pytest.mark.parametrize("secret", ["\u043a\u043b\u044e\u0447", "two\nlines"])
def test_a_secret_that_no_header_can_hold_is_a_failure_without_it(
    service: str, secret: str
) -> None:
    for ask in (
        ServiceClient(service, secret).check_key,
        partial(ServiceClient(service).accepts_token, secret),
    ):
        with pytest.raises(ServiceFailure) as caught:
            ask()
        assert secret not in f"{caught.value.message} {caught.value.hint}"


def test_a_service_that_has_no_token_says_so_whatever_is_typed(service: str) -> None:
    with pytest.raises(ServiceFailure, match="is off"):
        ServiceClient(service).accepts_token("anything")


@pytest.mark.parametrize(("status", "is_accepted"), [(404, True), (503, True), (401, False)])
def test_a_token_is_accepted_where_the_service_has_looked_at_it(
    status: int, is_accepted: bool
) -> None:
    with Web(lambda _asked: Reply(b"{}", status)) as web:
        assert ServiceClient(web.url).accepts_token("anything") is is_accepted


def test_a_token_that_a_proxy_answers_for_is_not_accepted() -> None:
    with (
        Web(lambda _asked: Reply(b"<html>bad gateway", 502)) as web,
        pytest.raises(ServiceFailure, match="behind its proxy"),
    ):
        ServiceClient(web.url).accepts_token("anything")
