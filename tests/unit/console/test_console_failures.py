"""Each failure is a sentence, with what to do."""

import pytest

from lightmodel.console.failures import failure_from


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504]
)
def test_every_status_is_one_sentence(status: int) -> None:
    failure = failure_from(status, {}, {"detail": "it is so\nand so on"})
    assert failure.status == status
    assert failure.message.endswith(".")
    assert "\n" not in failure.message
    assert "it is so" in failure.message.lower()


@pytest.mark.parametrize("status", [401, 403, 413, 429, 500, 502, 503, 504, 507])
def test_there_is_something_to_do_even_if_the_answer_is_a_proxys_page(status: int) -> None:
    failure = failure_from(status, {}, {})
    assert failure.message
    assert failure.hint.endswith(".")


def test_the_services_own_hint_comes_first() -> None:
    failure = failure_from(413, {}, {"detail": "too many rows", "hint": "send them in parts"})
    assert failure.hint == "Send them in parts."


def test_a_limit_of_requests_says_how_long_to_wait() -> None:
    assert failure_from(429, {"Retry-After": "7"}, {}).hint == "Wait 7 s, and try again."
    assert "moment" in failure_from(429, {"Retry-After": "Mon, 30 Nov"}, {}).hint


def test_violations_become_rules() -> None:
    content = {"column": "age", "rule": "range", "detail": "is outside", "rows": [1, 4], "total": 2}
    (rule,) = failure_from(422, {}, {"detail": "x", "violations": [content, "odd"]}).rules
    assert (rule.column, rule.detail, rule.rows, rule.total) == ("age", "is outside", (1, 4), 2)
    assert failure_from(422, {}, {"violations": "odd"}).rules == ()


def test_what_is_wrong_with_rows_needs_no_route_to_look_it_up() -> None:
    rule = {"column": "age", "detail": "is not a number", "rows": [1], "total": 1}
    problem = {"detail": "1 rule", "hint": "GET /schema lists the columns", "violations": [rule]}
    assert "GET" not in failure_from(422, {}, problem).hint
